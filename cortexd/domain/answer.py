"""What comes back: the events of an answer as it is given, and the answer as a whole."""

from collections.abc import Sequence
from enum import Enum, unique
from typing import TypeAlias

import attrs

from cortexd.domain.chat import Text, Thought, ToolCall
from cortexd.domain.ids import WorkerName
from cortexd.domain.usage import Usage


@unique
class FinishReason(Enum):
    """Why a complete answer is complete."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@attrs.frozen
class TokenProbability:
    """One token that might stand at a place. `utf8`: its bytes, which may be part of a letter."""

    token: str
    logprob: float
    utf8: bytes | None = None


@attrs.frozen
class TokenLogprob:
    """The token that stands at a place, and the likeliest `alternatives`."""

    chosen: TokenProbability
    alternatives: tuple[TokenProbability, ...] = ()


@attrs.frozen
class TextDelta:
    """The next piece of the answer's text; empty only if it carries probabilities."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@attrs.frozen
class RefusalDelta:
    """The next piece of the words in which the model declines; never empty."""

    text: str


@attrs.frozen
class ReasoningDelta:
    """The next piece of what the model thinks.

    A `signature` seals the thought that it ends, and makes the next piece the start of another.
    """

    text: str
    signature: str | None = None


@attrs.frozen
class ToolCallStarted:
    """The model begins a call. `index` counts the calls of one answer from 0."""

    index: int
    call_id: str
    name: str


@attrs.frozen
class ToolCallDelta:
    """The next piece of the JSON text that a call's arguments are."""

    index: int
    arguments: str


@attrs.frozen
class Embedded:
    """The vectors of an embedding request, in the order of its inputs, all of one length."""

    vectors: tuple[tuple[float, ...], ...]


@attrs.frozen
class InputCounted:
    """How many tokens a prompt has. `is_estimate`: nobody who knows could be asked."""

    input_tokens: int
    is_estimate: bool


@attrs.frozen
class Finished:
    """The answer is whole. Always the last event of a stream, and only of one that is complete.

    `stop_sequence`: the text that ended it, where the worker tells. `resumed_from`: the workers
    that began it, and were lost before its end.
    """

    reason: FinishReason
    usage: Usage | None = None
    stop_sequence: str | None = None
    resumed_from: tuple[WorkerName, ...] = ()


AnswerEvent: TypeAlias = (
    TextDelta
    | RefusalDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallDelta
    | Embedded
    | InputCounted
    | Finished
)

Batch: TypeAlias = tuple[AnswerEvent, ...]
"""All events that one read of the upstream socket brought; never empty."""


@attrs.frozen(kw_only=True)
class ChatAnswer:
    """A whole answer. `parts`: texts, thoughts and calls in the order they came."""

    parts: tuple[Text | Thought | ToolCall, ...]
    refusal: str
    logprobs: tuple[TokenLogprob, ...]
    finished: Finished

    @property
    def text(self) -> str:
        """All texts as one."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        """All thoughts as one."""
        return "".join(part.text for part in self.parts if isinstance(part, Thought))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def weight(event: AnswerEvent) -> int:
    """How many characters, or numbers, an event brings: what keeping it costs."""
    # Most of them are this one, and a pattern takes longer to match than a type to compare.
    if isinstance(event, TextDelta):
        return len(event.text)
    match event:
        case RefusalDelta(text) | ReasoningDelta(text) | ToolCallDelta(_, text):
            return len(text)
        case Embedded(vectors):
            return sum(len(vector) for vector in vectors)
        case _:
            return 0


def collect(events: Sequence[AnswerEvent]) -> ChatAnswer:
    """The answer that these events are, the last one being `Finished`."""
    parts: list[_OpenPart] = []
    calls: dict[int, _OpenPart] = {}
    refusal: list[str] = []
    logprobs: list[TokenLogprob] = []
    finished = events[-1]
    if not isinstance(finished, Finished):
        raise TypeError("the events of an answer that is not whole")
    for event in events:
        match event:
            case TextDelta(text, told):
                _writable(parts, Text).texts.append(text)
                logprobs += told
            case RefusalDelta(text):
                refusal.append(text)
            case ReasoningDelta(text, signature):
                part = _writable(parts, Thought)
                part.texts.append(text)
                part.signature = signature
            case ToolCallStarted(index, call_id, name):
                calls[index] = _OpenPart(ToolCall, call_id=call_id, name=name)
                parts.append(calls[index])
            case ToolCallDelta(index, arguments):
                calls[index].texts.append(arguments)
    return ChatAnswer(
        parts=tuple(part.close() for part in parts),
        refusal="".join(refusal),
        logprobs=tuple(logprobs),
        finished=finished,
    )


@attrs.define(eq=False)
class _OpenPart:
    kind: type[Text | Thought | ToolCall]
    call_id: str = ""
    name: str = ""
    texts: list[str] = attrs.Factory(list)
    signature: str | None = None

    def close(self) -> Text | Thought | ToolCall:
        text = "".join(self.texts)
        if self.kind is Text:
            return Text(text)
        if self.kind is Thought:
            return Thought(text, self.signature)
        return ToolCall(self.call_id, self.name, text)


def _writable(parts: list[_OpenPart], kind: type[Text | Thought]) -> _OpenPart:
    """The part that the next piece belongs to: the last one, unless of another kind or sealed."""
    if not parts or parts[-1].kind is not kind or parts[-1].signature is not None:
        parts.append(_OpenPart(kind))
    return parts[-1]
