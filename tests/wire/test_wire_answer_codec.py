"""Answers as bytes: what is written is read, and nothing else."""

from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Embedded,
    Finished,
    FinishReason,
    InputCounted,
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
from cortexd.policy.answer_cache import cached_answer
from cortexd.wire.answer_codec import ANSWER_BYTES_MAX, SCHEMA, decode_answer, encode_answer

END = Finished(FinishReason.STOP)
FINGERPRINT = b"f" * 32


def _kept(*events: AnswerEvent) -> CachedAnswer:
    return cached_answer(
        events, worker=WorkerName("w"), model="m", expires_at=7.0, fingerprint=FINGERPRINT
    )


ANSWERS = {
    "text": _kept(TextDelta("hä?"), END),
    "logprobs": _kept(
        TextDelta(
            "a",
            (TokenLogprob(TokenProbability("a", -0.5, b"a"), (TokenProbability("b", -9.0),)),),
        ),
        Finished(FinishReason.LENGTH, Usage(1, 2, 3, 4, 5), "stop", (WorkerName("v"),)),
    ),
    "thought and calls": _kept(
        ReasoningDelta("hm", "seal"),
        ToolCallStarted(0, "id", "f"),
        ToolCallDelta(0, "{}"),
        ToolCallStarted(1, "id2", "g"),
        Finished(FinishReason.TOOL_CALLS),
    ),
    "refusal": _kept(RefusalDelta("no"), END),
    "vectors": _kept(Embedded(((0.5, 1.0), (2.0, -3.0))), END),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_every_answer_comes_back(answer: CachedAnswer) -> None:
    """Each event as it was, but for the time, which is told apart."""
    data = encode_answer(answer)
    assert data is not None
    assert decode_answer(data, expires_at=9.0) == attrs.evolve(answer, expires_at=9.0)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_part_of_one_is_none(answer: CachedAnswer) -> None:
    """Wherever it is cut, or if there is more behind it."""
    data = encode_answer(answer)
    assert data is not None
    for end in range(len(data)):
        assert decode_answer(data[:end], expires_at=9.0) is None
    assert decode_answer(data + b"\0", expires_at=9.0) is None


@given(st.binary(max_size=200))
def test_bytes_are_no_answer(data: bytes) -> None:
    """Nor an error."""
    assert decode_answer(data, expires_at=9.0) is None


def _rows(*events: list[Any], worker: Any = "w", fingerprint: Any = FINGERPRINT) -> bytes:
    return msgspec.msgpack.encode([SCHEMA, fingerprint, worker, "m", events])


TEXT = [1, "a", []]
DONE = [7, "stop", None, None, []]

HOSTILE = {
    "no end": _rows(TEXT),
    "nothing": _rows(),
    "two ends": _rows(DONE, DONE),
    "behind the end": _rows(DONE, TEXT),
    "a worker that breaks headers": _rows(TEXT, DONE, worker="w\r\nset-cookie: a"),
    "a worker with a line end": _rows(TEXT, DONE, worker="w\n"),
    "a long worker": _rows(TEXT, DONE, worker="w" * 65),
    "a short fingerprint": _rows(TEXT, DONE, fingerprint=b"f"),
    "a fingerprint of text": _rows(TEXT, DONE, fingerprint="f" * 32),
    "an unknown event": _rows([9, "a"], DONE),
    "one member too many": _rows([*TEXT, 1], DONE),
    "one member too few": _rows([1, "a"], DONE),
    "another reason": _rows(TEXT, [7, "made up", None, None, []]),
    "an empty text": _rows([1, "", []], DONE),
    "an empty refusal": _rows([2, ""], DONE),
    "a call that was not started": _rows([5, 0, "{}"], DONE),
    "a call out of turn": _rows([4, 1, "i", "n"], DONE),
    "a negative call": _rows([4, -1, "i", "n"], DONE),
    "negative usage": _rows(TEXT, [7, "stop", [-1, 0, 0, 0, 0], None, []]),
    "a number that is none": _rows([1, "a", [[["a", float("nan"), None], []]]], DONE),
    "an infinite vector": _rows([6, [[float("inf")]]], DONE),
    "vectors of two lengths": _rows([6, [[1.0], [1.0, 2.0]]], DONE),
    "no vectors": _rows([6, []], DONE),
    "too many events": _rows(*[[2, "a"]] * 10_001, DONE),
    "too long": _rows([2, "a" * ANSWER_BYTES_MAX], DONE),
    "deep": b"\x91" * 100_000,
    "JSON": b'{"events": []}',
    "another schema": msgspec.msgpack.encode([2, FINGERPRINT, "w", "m", [TEXT, DONE]]),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_has_not_the_shape_is_no_answer(data: bytes) -> None:
    """The doors would break on it, or pass on what nobody has said."""
    assert decode_answer(_rows(TEXT, DONE), expires_at=9.0) is not None
    assert decode_answer(data, expires_at=9.0) is None


@pytest.mark.parametrize(
    "answer",
    [
        _kept(InputCounted(3, is_estimate=False), END),
        _kept(TextDelta("\ud800"), END),
        _kept(TextDelta("x" * ANSWER_BYTES_MAX), END),
    ],
    ids=["a count", "half a character", "too long"],
)
def test_some_are_not_for_other_nodes(answer: CachedAnswer) -> None:
    """They are left out, and nothing fails."""
    assert encode_answer(answer) is None
