import contextlib
import json

import pytest
from hypothesis import given
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
from cortexd.wire.anthropic.read_answer import MessageDecoder
from cortexd.wire.anthropic.read_error import decode_error
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer


def _event(kind: str, **members: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n"


def _start(index: int, **block: object) -> str:
    return _event("content_block_start", index=index, content_block=block)


def _delta(index: int, **delta: object) -> str:
    return _event("content_block_delta", index=index, delta=delta)


def _stop(index: int) -> str:
    return _event("content_block_stop", index=index)


def _text(text: str) -> str:
    return _delta(0, type="text_delta", text=text)


def _end(reason: str | None, *, sequence: str | None = None, **usage: object) -> str:
    delta = {"stop_reason": reason, "stop_sequence": sequence}
    return _event("message_delta", delta=delta, usage=usage)


START = _event(
    "message_start", message={"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}
)
PING = _event("ping")
STOP = _event("message_stop")
TEXT_BLOCK = _start(0, type="text", text="")
WHOLE = (
    START
    + _start(0, type="thinking", thinking="", signature="")
    + PING
    + _delta(0, type="thinking_delta", thinking="Hm")
    + _delta(0, type="thinking_delta", thinking=", é")
    + _delta(0, type="signature_delta", signature="sig")
    + _stop(0)
    + _start(1, type="redacted_thinking", data="xyz")
    + _stop(1)
    + _start(2, type="text", text="")
    + _delta(2, type="text_delta", text="Hel")
    + _delta(2, type="citations_delta", citation={})
    + _delta(2, type="text_delta", text="lo")
    + _stop(2)
    + _event("weather", delta="sunny")
    + _start(3, type="tool_use", id="toolu_1", name="weather", input={})
    + _delta(3, type="input_json_delta", partial_json="")
    + _delta(3, type="input_json_delta", partial_json='{"city":')
    + _delta(3, type="input_json_delta", partial_json='"Rome"}')
    + _stop(3)
    + _start(4, type="tool_use", id="toolu_2", name="now", input={})
    + _stop(4)
    + _end(
        "tool_use",
        output_tokens=9,
        cache_creation_input_tokens=2,
        cache_read_input_tokens=3,
        output_tokens_details={"thinking_tokens": 4},
    )
    + STOP
)
EVENTS: Batch = (
    ReasoningDelta("Hm"),
    ReasoningDelta(", é"),
    ReasoningDelta("", "sig"),
    ReasoningDelta("", "redacted:xyz"),
    TextDelta("Hel"),
    TextDelta("lo"),
    ToolCallStarted(0, "toolu_1", "weather"),
    ToolCallDelta(0, '{"city":'),
    ToolCallDelta(0, '"Rome"}'),
    ToolCallStarted(1, "toolu_2", "now"),
    Finished(
        FinishReason.TOOL_CALLS,
        Usage(
            input_tokens=10,
            output_tokens=9,
            cached_tokens=3,
            cache_write_tokens=2,
            reasoning_tokens=4,
        ),
    ),
)


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = MessageDecoder("0123456789abcdef")
    events: list[AnswerEvent] = []
    for piece in pieces:
        events += decoder.feed(piece)
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


def test_a_truncated_stream_is_never_whole() -> None:
    """Wherever the body ends before `message_stop`, the answer is not complete."""
    stream = WHOLE.encode()
    for i in range(len(stream)):
        with pytest.raises(MalformedStream, match="truncated"):
            _decoded(stream[:i])


@pytest.mark.parametrize(
    ("stream", "finished"),
    [
        (_end("end_turn"), Finished(FinishReason.STOP)),
        (_end("max_tokens"), Finished(FinishReason.LENGTH)),
        (_end("model_context_window_exceeded"), Finished(FinishReason.LENGTH)),
        (_end("refusal"), Finished(FinishReason.CONTENT_FILTER)),
        (_end("stop_sequence", sequence="x"), Finished(FinishReason.STOP, None, "x")),
        (_end("end_turn", output_tokens=2), Finished(FinishReason.STOP, Usage(0, 2))),
        (
            START + _end(None, output_tokens=3) + _end("end_turn", output_tokens=4),
            Finished(FinishReason.STOP, Usage(5, 4)),
        ),
        (
            START + _end("end_turn", input_tokens=7, output_tokens=4),
            Finished(FinishReason.STOP, Usage(7, 4)),
        ),
        (
            _start(0, type="tool_use", id="a", name="b", input={}) + _end("end_turn"),
            Finished(FinishReason.TOOL_CALLS),
        ),
        (_end("end_turn") + "data:\n\n: comment\n\n", Finished(FinishReason.STOP)),
    ],
)
def test_reasons_and_counts(stream: str, finished: Finished) -> None:
    """Counts are totals of all the input; what is told later wins."""
    assert _decoded((stream + STOP + "data: rubbish\n\n").encode())[-1] == finished


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (_start(0, type="text", text="Hi"), (TextDelta("Hi"),)),
        (
            _start(0, type="thinking", thinking="Hm", signature="s"),
            (ReasoningDelta("Hm", "s"),),
        ),
        (
            _start(0, type="tool_use", id=None, name="b", input={"c": 1}),
            (ToolCallStarted(0, "call_0123456789ab_0", "b"), ToolCallDelta(0, '{"c":1}')),
        ),
        (
            _start(0, type="server_tool_use", id="s", name="web_search", input={})
            + _delta(0, type="input_json_delta", partial_json="{}"),
            (),
        ),
        (_text("").replace("event: content_block_delta\n", ""), ()),
        (_text("x").replace("event: content_block_delta\n", ""), (TextDelta("x"),)),
    ],
)
def test_other_ways_to_say_it(stream: str, events: Batch | tuple[()]) -> None:
    """What servers that imitate the API make of it, and what was never asked for."""
    assert MessageDecoder("0123456789abcdef").feed(stream.encode()) == events


@pytest.mark.parametrize(
    "stream",
    [
        STOP,
        START + STOP,
        _end("pause_turn"),
        _end("something_new"),
        _event("content_block_delta"),
        _event("content_block_delta", index="0", delta={"type": "text_delta"}),
        _event("content_block_start", index=0, content_block={}),
        _start(0, type="text", text=1),
        _start(0, type="tool_use", id="a", input={}),
        _start(0, type="tool_use", id="a", name="b", input=[]),
        _start(0, type="tool_use", id="a", name="b") * 2,
        _event("message_start"),
        _event("message_delta", delta={}, usage={"output_tokens": "many"}),
        _event("error"),
        "data: rubbish\n\n",
        'data: {"a": 1}\n\n',
        "event: message_stop\ndata: x\n\n",
        "event: content_block_delta\ndata: \udcff\n\n",
    ],
)
def test_what_is_no_answer_is_malformed(stream: str) -> None:
    """Wrong types, unknown reasons, and an end without a reason."""
    with pytest.raises(MalformedStream):
        MessageDecoder("id").feed(stream.encode(errors="surrogateescape"))


@pytest.mark.parametrize(
    ("kind", "failure", "status"),
    [
        ("overloaded_error", FailureKind.OVERLOADED, 529),
        ("rate_limit_error", FailureKind.RATE_LIMITED, 429),
        ("api_error", FailureKind.SERVER_ERROR, 500),
        ("timeout_error", FailureKind.SERVER_ERROR, 504),
        ("invalid_request_error", FailureKind.REFUSED, 400),
        ("request_too_large", FailureKind.REFUSED, 413),
        ("not_found_error", FailureKind.REFUSED, 404),
        ("authentication_error", FailureKind.BAD_KEY, 401),
        ("permission_error", FailureKind.BAD_KEY, 403),
        ("billing_error", FailureKind.QUOTA_EXHAUSTED, 402),
        ("something_new", FailureKind.SERVER_ERROR, 500),
    ],
)
def test_an_error_inside_the_stream(kind: str, failure: FailureKind, status: int) -> None:
    """Its type stands for the status; the events of its read go with it."""
    error = _event("error", error={"type": kind, "message": "told"}, request_id="req_1")
    with pytest.raises(UpstreamError) as caught:
        MessageDecoder("id").feed((_text("lost") + error).encode())
    assert (caught.value.kind, caught.value.status) == (failure, status)
    assert caught.value.told == "told"


def _failed(status: int, error: object, **headers: str) -> UpstreamError:
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()
    return decode_error(FailedAnswer(status, headers, body))


@pytest.mark.parametrize(
    ("status", "kind", "failure"),
    [
        (400, "invalid_request_error", FailureKind.REFUSED),
        (401, "authentication_error", FailureKind.BAD_KEY),
        (402, "billing_error", FailureKind.QUOTA_EXHAUSTED),
        (403, "permission_error", FailureKind.BAD_KEY),
        (404, "not_found_error", FailureKind.REFUSED),
        (413, "request_too_large", FailureKind.REFUSED),
        (422, "invalid_request_error", FailureKind.REFUSED),
        (500, "api_error", FailureKind.SERVER_ERROR),
        (503, "overloaded_error", FailureKind.OVERLOADED),
        (504, "timeout_error", FailureKind.SERVER_ERROR),
        (529, "overloaded_error", FailureKind.OVERLOADED),
        # Without a word about when to come again: a cap of the tier, until the month is over.
        (429, "rate_limit_error", FailureKind.QUOTA_EXHAUSTED),
    ],
)
def test_statuses(status: int, kind: str, failure: FailureKind) -> None:
    """The table of PROVIDERS; the message is the client's to read."""
    error = _failed(status, {"type": kind, "message": "told"})
    assert (error.kind, error.status, error.told) == (failure, status, "told")
    assert kind in error.detail


def test_limits_of_rate_and_of_money() -> None:
    """A rate says when to come again; what is used up is told by a code, or by words alone."""
    limited = {"type": "rate_limit_error", "message": "slow down"}
    assert _failed(429, limited, **{"retry-after": "3"}).kind is FailureKind.RATE_LIMITED
    spent = {**limited, "details": {"error_code": "enforced_spend_limit_reached"}}
    assert _failed(429, spent, **{"retry-after": "3"}).kind is FailureKind.QUOTA_EXHAUSTED
    for words in (
        "Your credit balance is too low to access the Anthropic API.",
        "You have reached your specified API usage limits.",
    ):
        error = _failed(400, {"type": "invalid_request_error", "message": words})
        assert error.kind is FailureKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (502, b"<html>bad gateway</html>", FailureKind.SERVER_ERROR),
        (429, b"", FailureKind.RATE_LIMITED),
        (200, b'{"type": "message"}', FailureKind.SERVER_ERROR),
        (500, b'{"error": "text"}', FailureKind.SERVER_ERROR),
    ],
)
def test_errors_in_no_known_form(status: int, body: bytes, failure: FailureKind) -> None:
    """The status decides, and nothing of it is shown to the client."""
    error = decode_error(FailedAnswer(status, {}, body))
    assert (error.kind, error.told) == (failure, None)


def test_an_error_without_words() -> None:
    """It is one all the same."""
    error = _failed(500, {})
    assert (error.kind, error.told) == (FailureKind.SERVER_ERROR, None)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_random_bytes_give_only_wire_errors(pieces: list[bytes]) -> None:
    """Whatever a worker sends, the adapter has one family of errors to catch."""
    decoder = MessageDecoder("id")
    with contextlib.suppress(WireError):
        for piece in pieces:
            decoder.feed(piece)
        decoder.close()


KINDS = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "message_delta", "error"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "index", "delta", "error", "text", "usage"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(KINDS, JSON), max_size=5))
def test_any_json_gives_only_wire_errors(events: list[tuple[str, object]]) -> None:
    """Also where the framing is right."""
    decoder = MessageDecoder("id")
    with contextlib.suppress(WireError):
        for kind, document in events:
            decoder.feed(f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode())
