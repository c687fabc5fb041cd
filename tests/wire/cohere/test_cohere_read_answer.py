import contextlib
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire.cohere.embeddings import read_embeddings
from cortexd.wire.cohere.failures import decode_error
from cortexd.wire.cohere.read_answer import EventDecoder, decode_models
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer


def _event(kind: str, delta: object = None, **more: object) -> str:
    document = {"type": kind} | more | ({} if delta is None else {"delta": delta})
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n"


def _content(number: int, event: str = "content-delta", **content: str) -> str:
    return _event(event, {"message": {"content": content}}, index=number)


def _call(number: int | None, event: str = "tool-call-delta", **call: Any) -> str:
    return _event(event, {"message": {"tool_calls": call}}, index=number)


def _start(number: int | None, name: str, arguments: str = "", **more: str) -> str:
    function = {"name": name, "arguments": arguments}
    return _call(number, "tool-call-start", type="function", function=function, **more)


def _piece(number: int | None, arguments: str) -> str:
    return _call(number, function={"arguments": arguments})


def _end(reason: str | None, **more: object) -> str:
    return _event("message-end", {"finish_reason": reason} | more, id="c")


USAGE = {
    "billed_units": {"input_tokens": 3.0, "output_tokens": 2.0, "search_units": 1.0},
    "tokens": {"input_tokens": 75.0, "output_tokens": 17.6},
    "cached_tokens": 4.0,
}
BEGIN = _event(
    "message-start",
    {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
    id="c",
)
WHOLE = (
    BEGIN
    + _content(0, "content-start", type="thinking", thinking="")
    + _content(0, thinking="hm")
    + _event("content-end", index=0)
    + _event("tool-plan-delta", {"message": {"tool_plan": "I will look"}})
    + _content(1, "content-start", type="text", text="")
    + _content(1, text="Let é")
    + _event("citation-start", {"message": {"citations": {"start": 1}}}, index=0)
    + _event("citation-end", index=0)
    + _event("content-end", index=1)
    + _start(2, "weather", id="weather_x1")
    + _piece(2, '{"city":')
    + _start(3, "now", "{}")
    + _piece(2, ' "Rome"}')
    + _event("tool-call-end", index=2)
    + _event("tool-call-end", index=3)
    + _end("TOOL_CALL", usage=USAGE)
)
EVENTS: Batch = (
    ReasoningDelta("hm"),
    ReasoningDelta("I will look"),
    TextDelta("Let é"),
    ToolCallStarted(0, "weather_x1", "weather"),
    ToolCallDelta(0, '{"city":'),
    ToolCallStarted(1, "call_answer-id-12_1", "now"),
    ToolCallDelta(1, "{}"),
    ToolCallDelta(0, ' "Rome"}'),
    Finished(FinishReason.TOOL_CALLS, Usage(75, 18, cached_tokens=4)),
)
SAID = BEGIN + _content(0, text="a")


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = EventDecoder("answer-id-1234")
    events: list[AnswerEvent] = []
    for piece in pieces:
        events += decoder.feed(piece)
    events += decoder.close()
    assert decoder.finished
    return tuple(events)


def test_cuts_change_nothing() -> None:
    """One read, or two cut at any byte, or one for each byte give the same events."""
    stream = WHOLE.encode()
    assert _decoded(stream) == EVENTS
    assert _decoded(*(stream[i : i + 1] for i in range(len(stream)))) == EVENTS
    for i in range(0, len(stream), 3):
        assert _decoded(stream[:i], stream[i:]) == EVENTS


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(WHOLE.encode()))))
def test_many_cuts_change_nothing(cuts: list[int]) -> None:
    """Nor do any others."""
    stream = WHOLE.encode()
    places = [0, *sorted(cuts), len(stream)]
    assert _decoded(*(stream[a:b] for a, b in pairwise(places))) == EVENTS


def test_a_truncated_stream_is_never_whole() -> None:
    """Wherever the body ends before message-end does, the answer is not complete."""
    stream = WHOLE.encode()
    for i in range(len(stream)):
        with pytest.raises(MalformedStream, match="truncated"):
            _decoded(stream[:i])


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("COMPLETE", FinishReason.STOP),
        ("STOP_SEQUENCE", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("TOOL_CALL", FinishReason.TOOL_CALLS),
    ],
)
@pytest.mark.parametrize("after", ["", "data: [DONE]\n\n", "data: rubbish\n\n"])
def test_the_ends(reason: str, finish: FinishReason, after: str) -> None:
    """message-end is the last event, whatever comes after it."""
    stream = SAID + _end(reason) + after
    assert _decoded(stream.encode()) == (TextDelta("a"), Finished(finish))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("COMPLETE", FinishReason.TOOL_CALLS), ("MAX_TOKENS", FinishReason.LENGTH)],
)
def test_the_ends_after_calls(reason: str, finish: FinishReason) -> None:
    """An end in good order is for the calls' sake."""
    assert _decoded((_start(0, "now") + _end(reason)).encode())[-1] == Finished(finish)


@pytest.mark.parametrize(
    ("sent", "usage"),
    [
        (None, None),
        ({}, None),
        ({"cached_tokens": 3.0}, None),
        ({"billed_units": {"input_tokens": 3.0}}, Usage(3, 0)),
        ({"tokens": {"output_tokens": 2.4}, "billed_units": {"input_tokens": 3}}, Usage(0, 2)),
    ],
)
def test_the_tokens(sent: object, usage: Usage | None) -> None:
    """Those there were; where they are not told, those that are billed."""
    stream = SAID + _end("COMPLETE", usage=sent)
    assert _decoded(stream.encode())[-1] == Finished(FinishReason.STOP, usage)


def test_calls_without_a_number() -> None:
    """A piece belongs to the last call."""
    stream = _start(None, "f") + _piece(None, "{") + _start(None, "g") + _piece(None, "[")
    assert [
        (event.index, event.arguments)
        for event in _decoded((stream + _end("TOOL_CALL")).encode())
        if isinstance(event, ToolCallDelta)
    ] == [(0, "{"), (1, "[")]


@pytest.mark.parametrize(
    ("end", "kind", "detail"),
    [
        (_end("ERROR", error="out of memory"), "SERVER_ERROR", "out of memory"),
        (_end("ERROR"), "SERVER_ERROR", "no message"),
        (_end("TIMEOUT"), "TIMED_OUT", "no message"),
        (_end("COMPLETE", error="but"), "SERVER_ERROR", "but"),
        (_end(None, error={"a": 1}), "SERVER_ERROR", "no message"),
        ('data: {"message":"m","id":"c"}\n\n', "SERVER_ERROR", "m"),
        ("data: {}\n\n", "SERVER_ERROR", "no message"),
    ],
)
def test_an_error_in_the_stream_is_raised(end: str, kind: str, detail: str) -> None:
    """Whatever its form, it ends the stream as a failure."""
    with pytest.raises(UpstreamError) as caught:
        _decoded((SAID + end).encode())
    assert (caught.value.kind, caught.value.detail) == (FailureKind[kind], detail)


@pytest.mark.parametrize(
    "stream",
    [
        "<html></html>",
        "data: <html>\n\n",
        "data: []\n\n",
        "data: [DONE]\n\n",
        SAID + _end("SOMETHING_NEW"),
        SAID + _end(None),
        _content(0, text="a") + _event("content-delta", {"message": {"content": {"text": 7}}}),
        _piece(0, "{}"),
        _start(1, "f") + _piece(0, "{}"),
        _start(0, ""),
        _event("tool-call-start", {"message": {"tool_calls": []}}, index=0),
        _event("tool-call-start", index=0),
        _start(0, "f") + _call(0, id="x"),
        SAID + _end("COMPLETE", usage={"tokens": {"input_tokens": "3"}}),
        SAID + _end("COMPLETE", usage={"tokens": {"input_tokens": 1}}).replace("1}", "1e999}"),
        pytest.param('data: {"x":' + "[" * 100_000 + "\n\n", id="deep"),
    ],
)
def test_garbage_is_malformed(stream: str) -> None:
    """What is no event, or ends for a reason nobody knows, is an error."""
    with pytest.raises(MalformedStream):
        _decoded(stream.encode())


@pytest.mark.parametrize(
    "extra",
    [
        _event("debug", prompt="…"),
        _event("something-new", {"message": {"content": {"text": "no"}}}),
        _event("content-delta"),
        _content(0),
        _content(0, text="", thinking=""),
        _event("tool-plan-delta", {"message": {}}),
        "data:\n\n",
        ": keep-alive\n\n",
    ],
)
def test_events_that_bring_nothing(extra: str) -> None:
    """They are read over."""
    stream = extra + SAID + extra + _end("COMPLETE")
    assert _decoded(stream.encode()) == (TextDelta("a"), Finished(FinishReason.STOP))


def test_the_models_are_listed() -> None:
    """Those that chat or embed."""
    models = [
        {"name": "a", "endpoints": ["generate", "chat"], "context_length": 1.0},
        {"name": "b", "endpoints": ["embed"]},
        {"name": "c", "endpoints": ["rerank"]},
        {"name": "d"},
    ]
    assert decode_models(json.dumps({"models": models}).encode()) == ("a", "b")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"models":[{}]}', b'{"models":null}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    """Another document than a list of models is a malformed answer, not an empty list."""
    with pytest.raises(MalformedStream):
        decode_models(body)


@given(st.binary())
def test_no_bytes_crash_the_decoders(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    decoder = EventDecoder("id")
    with contextlib.suppress(WireError):
        decoder.feed(b"data: " + garbage + b"\n\n")
        decoder.close()
    decode_error(FailedAnswer(500, {}, garbage))
    for read in (decode_models, read_embeddings):
        with contextlib.suppress(WireError):
            read(garbage)
