import contextlib
import json
from itertools import pairwise
from typing import Any

import pytest
from google.genai import types
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
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.gemini.embeddings import read_embeddings
from cortexd.wire.gemini.failures import decode_error
from cortexd.wire.gemini.read_answer import ResponseDecoder, decode_models
from cortexd.wire.gemini.token_count import read_token_count


def _frame(document: object) -> str:
    return f"data: {json.dumps(document)}\r\n\r\n"


def _response(*parts: dict[str, Any], reason: str | None = None, **more: Any) -> str:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return _frame({"candidates": [candidate], "modelVersion": "m", "responseId": "r"} | more)


def _usage(**counts: int) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 9} | counts}


CALL = {"functionCall": {"name": "weather", "args": {"city": "Rom é"}}}
WHOLE = (
    _response({"text": "hm", "thought": True}, **_usage(thoughtsTokenCount=1))
    + _response({"text": "Hel"}, {"text": ""})
    + _response({"text": "lo é"})
    + _response(CALL | {"thoughtSignature": "c2+/YQ=="}, {"functionCall": {"name": "now"}})
    + _response(
        reason="STOP",
        **_usage(candidatesTokenCount=2, thoughtsTokenCount=3, cachedContentTokenCount=4),
    )
)
EVENTS: Batch = (
    ReasoningDelta("hm"),
    TextDelta("Hel"),
    TextDelta("lo é"),
    ToolCallStarted(0, "call_answer-id-12_0_c2-_YQ", "weather"),
    ToolCallDelta(0, '{"city":"Rom é"}'),
    ToolCallStarted(1, "call_answer-id-12_1", "now"),
    ToolCallDelta(1, "{}"),
    Finished(FinishReason.TOOL_CALLS, Usage(5, 5, cached_tokens=4, reasoning_tokens=3)),
)


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = ResponseDecoder("answer-id-1234")
    events: list[AnswerEvent] = []
    for piece in pieces:
        events += decoder.feed(piece)
        assert not decoder.finished
    events += decoder.close()
    assert decoder.finished
    return tuple(events)


def test_cuts_change_nothing() -> None:
    """One read, two reads cut at any byte, or a read for each byte give the same events."""
    stream = WHOLE.encode()
    assert _decoded(stream) == EVENTS
    assert _decoded(*(stream[i : i + 1] for i in range(len(stream)))) == EVENTS
    for i in range(len(stream)):
        assert _decoded(stream[:i], stream[i:]) == EVENTS


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(WHOLE.encode()))))
def test_many_cuts_change_nothing(cuts: list[int]) -> None:
    """Nor do any others."""
    stream = WHOLE.encode()
    places = [0, *sorted(cuts), len(stream)]
    pieces = (stream[a:b] for a, b in pairwise(places))
    assert _decoded(*pieces) == EVENTS


def test_the_recorded_stream_is_one() -> None:
    """The official client's types take it."""
    for line in WHOLE.splitlines():
        if line:
            types.GenerateContentResponse.model_validate_json(line.removeprefix("data: "))


def test_a_truncated_stream_is_never_whole() -> None:
    """Wherever the body ends before the finish reason is known, the answer is not complete."""
    stream = WHOLE.encode()
    # The last event ends with its blank line, of which the LF adds nothing.
    for i in range(len(stream) - 1):
        with pytest.raises(MalformedStream, match="truncated"):
            _decoded(stream[:i])


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("CONTINUATION", FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("LANGUAGE", FinishReason.CONTENT_FILTER),
        ("BLOCKLIST", FinishReason.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("SPII", FinishReason.CONTENT_FILTER),
        ("ESCALATION", FinishReason.CONTENT_FILTER),
    ],
)
def test_the_reasons_to_end(reason: str, finish: FinishReason) -> None:
    """An answer may end for these."""
    stream = _response({"text": "a"}) + _response(reason=reason)
    assert _decoded(stream.encode()) == (TextDelta("a"), Finished(finish))


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "OTHER",
        "SOMETHING_NEW",
    ],
)
def test_the_reasons_of_a_broken_answer(reason: str) -> None:
    """They say what is wrong, and none of them makes an answer whole."""
    candidate = {"finishReason": reason, "finishMessage": "a bracket is missing"}
    stream = _response({"text": "a"}) + _frame({"candidates": [candidate]})
    with pytest.raises(MalformedStream, match=f"{reason}: a bracket is missing"):
        _decoded(stream.encode())


def test_a_reason_in_every_response_ends_nothing() -> None:
    """Some models and proxies write it everywhere: what comes after belongs to the answer."""
    stream = _response({"text": "a"}, reason="STOP") + _response({"text": "b"}, reason="MAX_TOKENS")
    assert _decoded(stream.encode()) == (
        TextDelta("a"),
        TextDelta("b"),
        Finished(FinishReason.LENGTH),
    )


@pytest.mark.parametrize("reason", ["", "FINISH_REASON_UNSPECIFIED"])
def test_an_unspecified_reason_is_none(reason: str) -> None:
    """It does not end an answer, and does not break it."""
    stream = _response({"text": "a"}, reason=reason) + _response(reason="STOP")
    assert _decoded(stream.encode()) == (TextDelta("a"), Finished(FinishReason.STOP))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("MAX_TOKENS", FinishReason.LENGTH), ("SAFETY", FinishReason.CONTENT_FILTER)],
)
def test_calls_that_were_cut(reason: str, finish: FinishReason) -> None:
    """Only a proper end lets the calls be the reason."""
    assert _decoded(_response(CALL, reason=reason).encode())[-1] == Finished(finish)


def test_a_blocked_prompt_is_filtered() -> None:
    """It has no candidates, and ends for that reason."""
    stream = _frame({"promptFeedback": {"blockReason": "SAFETY"}} | _usage())
    assert _decoded(stream.encode()) == (Finished(FinishReason.CONTENT_FILTER, Usage(5, 0)),)


@pytest.mark.parametrize(
    "extra",
    [
        _frame({}),
        _frame({"candidates": []}),
        _frame({"candidates": [{}]}),
        _frame({"candidates": [{"content": {}, "safetyRatings": [{}]}]}),
        _frame({"promptFeedback": {"safetyRatings": []}}),
        _response({"executableCode": {"code": "1"}}, {"inlineData": {"data": ""}}),
        _response({"text": "", "thoughtSignature": "c2VhbA=="}),
        "data:\r\n\r\n",
        ": keep-alive\r\n\r\n",
    ],
)
def test_responses_that_bring_nothing(extra: str) -> None:
    """They are read over."""
    stream = extra + _response({"text": "a"}) + extra + _response(reason="STOP") + extra
    assert _decoded(stream.encode()) == (TextDelta("a"), Finished(FinishReason.STOP))


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "<html></html>",
        "data: <html>\n\n",
        "data: []\n\n",
        _frame({"candidates": "none"}),
        _response({"text": 7}),
        _response({"functionCall": {"args": {}}}),
        _response({"functionCall": {"name": "f", "args": "{}"}}),
        _frame({"usageMetadata": {"promptTokenCount": 1.5}}),
        _response({"text": "a"}) + "data: [DONE]\n\n",
        pytest.param('data: {"x":' + "[" * 100_000 + "\n\n", id="deep"),
    ],
)
def test_garbage_is_malformed(stream: str) -> None:
    """What is no response, or ends without a reason, is an error."""
    with pytest.raises(MalformedStream):
        _decoded(stream.encode())


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": 503, "message": "m", "status": "UNAVAILABLE"}, "OVERLOADED", 503),
        ({"code": 429, "message": "m"}, "RATE_LIMITED", 429),
        ({"code": 400, "message": "m"}, "REFUSED", 400),
        ({"code": 0, "message": "m"}, "SERVER_ERROR", 200),
        ({"message": "m"}, "SERVER_ERROR", 200),
    ],
)
def test_an_error_in_the_stream_is_raised(error: dict[str, object], kind: str, status: int) -> None:
    """An `error` member in any event ends the stream as the failure it names."""
    stream = _response({"text": "a"}, reason="STOP") + _frame({"error": error})
    with pytest.raises(UpstreamError) as caught:
        _decoded(stream.encode())
    assert (caught.value.kind, caught.value.detail) == (FailureKind[kind], "m")
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ([], ()),
        (
            [
                {"name": "models/a", "supportedGenerationMethods": ["generateContent", "x"]},
                {"name": "models/b", "supportedGenerationMethods": ["embedContent"]},
                {"name": "models/c", "supportedGenerationMethods": ["predict"]},
                {"name": "models/d"},
            ],
            ("a", "b"),
        ),
    ],
)
def test_the_models_are_listed(models: list[object], names: tuple[str, ...]) -> None:
    """Those that chat or embed, by the name that stands in paths."""
    assert decode_models(json.dumps({"models": models}).encode()) == names


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"models":[{}]}', b'{"models":null}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    """Another document than a list of models is a malformed answer, not an empty list."""
    with pytest.raises(MalformedStream):
        decode_models(body)


@given(st.binary())
def test_no_bytes_crash_the_decoders(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    decoder = ResponseDecoder("id")
    with contextlib.suppress(WireError):
        decoder.feed(b"data: " + garbage + b"\n\n")
        decoder.close()
    decode_error(FailedAnswer(500, {}, garbage))
    for read in (decode_models, read_embeddings, read_token_count):
        with contextlib.suppress(WireError):
            read(garbage)
