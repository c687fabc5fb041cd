"""A kept answer as bytes, for other nodes: MessagePack of a fixed shape, read strictly.

Rule of this file: what is read may come from anybody. It is bounded, it has the shape that the
doors rely on, and what has not is no answer. An encoding that another version of cortexd would
misread needs another `SCHEMA`.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Final, TypeAlias

import attrs
import msgspec
from msgspec import Meta

from cortexd.domain.answer import (
    AnswerEvent,
    Embedded,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.ids import WorkerName
from cortexd.domain.usage import Usage
from cortexd.policy.answer_cache import ENTRY_BYTES_MAX, cached_answer

SCHEMA: Final = 1

ANSWER_BYTES_MAX: Final = ENTRY_BYTES_MAX
"""The same for an answer in memory and one that is encoded."""

EVENTS_MAX: Final = 10_000
"""More than fit into an answer that is kept in memory."""

ALTERNATIVES_MAX: Final = 100
WORKERS_MAX: Final = 16
VECTORS_MAX: Final = 2_048
TOKENS_MAX: Final = 2**53
FINGERPRINT_BYTES: Final = 32

_Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
"""A worker's: it goes into a header."""

_Count: TypeAlias = Annotated[int, Meta(ge=0, le=TOKENS_MAX)]
_Index: TypeAlias = Annotated[int, Meta(ge=0, le=EVENTS_MAX)]
_Words: TypeAlias = Annotated[str, Meta(min_length=1)]


class _Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Written as an array; a member too many is an error."""


class _Probability(_Row):
    token: str
    logprob: float
    utf8: bytes | None

    def read(self) -> TokenProbability:
        return TokenProbability(self.token, self.logprob, self.utf8)


class _Logprob(_Row):
    chosen: _Probability
    alternatives: Annotated[tuple[_Probability, ...], Meta(max_length=ALTERNATIVES_MAX)]

    def read(self) -> TokenLogprob:
        return TokenLogprob(self.chosen.read(), tuple(each.read() for each in self.alternatives))


class _Text(_Row, tag=1):
    text: str
    logprobs: Annotated[tuple[_Logprob, ...], Meta(max_length=EVENTS_MAX)]

    def event(self) -> TextDelta:
        return TextDelta(self.text, tuple(each.read() for each in self.logprobs))


class _Refusal(_Row, tag=2):
    text: _Words

    def event(self) -> RefusalDelta:
        return RefusalDelta(self.text)


class _Reasoning(_Row, tag=3):
    text: str
    signature: str | None

    def event(self) -> ReasoningDelta:
        return ReasoningDelta(self.text, self.signature)


class _CallStarted(_Row, tag=4):
    index: _Index
    call_id: str
    name: str

    def event(self) -> ToolCallStarted:
        return ToolCallStarted(self.index, self.call_id, self.name)


class _CallDelta(_Row, tag=5):
    index: _Index
    arguments: str

    def event(self) -> ToolCallDelta:
        return ToolCallDelta(self.index, self.arguments)


class _Embedded(_Row, tag=6):
    vectors: Annotated[tuple[tuple[float, ...], ...], Meta(max_length=VECTORS_MAX)]

    def event(self) -> Embedded:
        return Embedded(self.vectors)


class _Usage(_Row):
    input_tokens: _Count
    output_tokens: _Count
    cached_tokens: _Count
    cache_write_tokens: _Count
    reasoning_tokens: _Count


class _Finished(_Row, tag=7):
    reason: FinishReason
    usage: _Usage | None
    stop_sequence: str | None
    resumed_from: Annotated[tuple[_Name, ...], Meta(max_length=WORKERS_MAX)]

    def event(self) -> Finished:
        usage = None if self.usage is None else Usage(*msgspec.structs.astuple(self.usage))
        workers = tuple(map(WorkerName, self.resumed_from))
        return Finished(self.reason, usage, self.stop_sequence, workers)


_Event: TypeAlias = (
    _Text | _Refusal | _Reasoning | _CallStarted | _CallDelta | _Embedded | _Finished
)


class _Answer(_Row):
    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
    fingerprint: Annotated[bytes, Meta(min_length=FINGERPRINT_BYTES, max_length=FINGERPRINT_BYTES)]
    worker: _Name | None
    model: str | None
    events: Annotated[tuple[_Event, ...], Meta(min_length=1, max_length=EVENTS_MAX)]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Answer)


def encode_answer(answer: CachedAnswer) -> bytes | None:
    """The answer for other nodes; `None` for one that is too long, or not of a kind they take."""
    if answer.size_bytes > ANSWER_BYTES_MAX:
        return None
    rows = tuple(row for event in answer.events if (row := _row(event)) is not None)
    if len(rows) < len(answer.events):
        return None
    whole = _Answer(SCHEMA, answer.fingerprint, answer.worker, answer.model, rows)
    try:
        data = _ENCODER.encode(whole)
    except UnicodeEncodeError:
        # Half of a surrogate pair: a worker may cut its JSON escapes anywhere.
        return None
    return data if len(data) <= ANSWER_BYTES_MAX else None


def decode_answer(data: bytes, *, expires_at: float) -> CachedAnswer | None:
    """The answer that `data` is; `None` for whatever is none."""
    if len(data) > ANSWER_BYTES_MAX:
        return None
    try:
        read = _DECODER.decode(data)
    except (ValueError, RecursionError):
        # ValueError is the root of msgspec's errors.
        return None
    events = tuple(row.event() for row in read.events)
    if not _is_whole(events):
        return None
    return cached_answer(
        events,
        worker=None if read.worker is None else WorkerName(read.worker),
        model=read.model,
        expires_at=expires_at,
        fingerprint=read.fingerprint,
    )


def _is_whole(events: Sequence[AnswerEvent]) -> bool:
    """Whether the doors find in it what they find in an answer that comes from a worker."""
    *before, end = events
    if not isinstance(end, Finished):
        return False
    started = 0
    for event in before:
        if not _has_its_place(event, started):
            return False
        started += isinstance(event, ToolCallStarted)
    return all(map(math.isfinite, _numbers(before)))


def _has_its_place(event: AnswerEvent, started: int) -> bool:
    """Whether it can come before the end, behind so many calls that have been started."""
    match event:
        case Finished() | TextDelta("", ()):
            return False
        case ToolCallStarted(index):
            return index == started
        case ToolCallDelta(index):
            return index < started
        case Embedded(vectors):
            return len({len(vector) for vector in vectors}) == 1
    return True


def _numbers(events: Sequence[AnswerEvent]) -> Iterator[float]:
    for event in events:
        match event:
            case TextDelta(_, logprobs):
                for each in logprobs:
                    yield each.chosen.logprob
                    yield from (other.logprob for other in each.alternatives)
            case Embedded(vectors):
                yield from chain.from_iterable(vectors)


def _row(event: AnswerEvent) -> _Event | None:
    row: _Event | None = None
    match event:
        case TextDelta(text, logprobs):
            row = _Text(text, tuple(map(_logprob, logprobs)))
        case RefusalDelta(text):
            row = _Refusal(text)
        case ReasoningDelta(text, signature):
            row = _Reasoning(text, signature)
        case ToolCallStarted(index, call_id, name):
            row = _CallStarted(index, call_id, name)
        case ToolCallDelta(index, arguments):
            row = _CallDelta(index, arguments)
        case Embedded(vectors):
            row = _Embedded(vectors)
        case Finished(reason, usage, stop_sequence, resumed_from):
            counts = None if usage is None else _Usage(*attrs.astuple(usage))
            row = _Finished(reason, counts, stop_sequence, resumed_from)
    return row


def _logprob(logprob: TokenLogprob) -> _Logprob:
    others = tuple(map(_probability, logprob.alternatives))
    return _Logprob(_probability(logprob.chosen), others)


def _probability(probability: TokenProbability) -> _Probability:
    return _Probability(probability.token, probability.logprob, probability.utf8)
