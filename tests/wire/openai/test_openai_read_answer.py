import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import AnswerEvent, Batch, Finished, FinishReason, TextDelta
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.openai.read_answer import ChunkDecoder, decode_error, decode_models


def _chunk(content: str | None = None, reason: str | None = None) -> str:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return f"data: {json.dumps({'id': 'c', 'choices': [choice], 'usage': None})}\n\n"


USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
DONE = "data: [DONE]\n\n"
WHOLE = _chunk("") + _chunk("Hel") + _chunk("lo é") + _chunk(reason="stop") + USAGE + DONE
EVENTS: Batch = (
    TextDelta("Hel"),
    TextDelta("lo é"),
    Finished(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2)),
)


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = ChunkDecoder("id")
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
    """Wherever the body ends before the finish reason is known, the answer is not complete."""
    stream = WHOLE.encode()
    complete_from = stream.index(USAGE.encode())
    for i in range(complete_from):
        with pytest.raises(MalformedStream, match="truncated"):
            _decoded(stream[:i])
    for i in range(complete_from, len(stream)):
        finished = _decoded(stream[:i])[-1]
        assert isinstance(finished, Finished)


@pytest.mark.parametrize(
    ("stream", "finished"),
    [
        (_chunk("a", "length") + DONE, Finished(FinishReason.LENGTH)),
        (_chunk("a", "content_filter") + DONE, Finished(FinishReason.CONTENT_FILTER)),
        (_chunk("a", "tool_calls") + DONE, Finished(FinishReason.TOOL_CALLS)),
        (_chunk("a", "function_call") + DONE, Finished(FinishReason.TOOL_CALLS)),
        (_chunk("a", "stop"), Finished(FinishReason.STOP)),
        (_chunk("a", "") + _chunk(reason="stop") + DONE, Finished(FinishReason.STOP)),
        (
            _chunk("a", "stop") + 'data: {"choices":[],"usage":{"prompt_tokens":3}}\n\n' + DONE,
            Finished(FinishReason.STOP, Usage(3, 0)),
        ),
        (_chunk("a", "stop") + 'data: {"choices":[]}\n\n' + DONE, Finished(FinishReason.STOP)),
        (_chunk("a", "stop") + "data: {}\n\ndata:\n\n" + DONE, Finished(FinishReason.STOP)),
        (_chunk("a", "stop") + DONE + "data: rubbish\n\n", Finished(FinishReason.STOP)),
    ],
)
def test_the_ends_that_servers_write(stream: str, finished: Finished) -> None:
    """`Finished` comes last and once, with the usage if there is one, `[DONE]` or not."""
    assert _decoded(stream.encode()) == (TextDelta("a"), finished)


def test_finished_waits_for_the_usage() -> None:
    """The chunk with the finish reason alone does not finish: the usage may still come."""
    decoder = ChunkDecoder("id")
    assert decoder.feed((_chunk("a") + _chunk(reason="stop")).encode()) == (TextDelta("a"),)
    assert not decoder.finished
    assert decoder.feed(USAGE.encode()) == ()
    assert decoder.feed(DONE.encode()) == (Finished(FinishReason.STOP, Usage(5, 2)),)
    assert decoder.finished
    assert decoder.close() == ()


@pytest.mark.parametrize(
    "stream",
    [
        "<html></html>",
        "data: <html>\n\n",
        "data: []\n\n",
        'data: {"choices":[{"delta":{"content":7}}]}\n\n',
        'data: {"choices":"none"}\n\n',
        pytest.param('data: {"x":' + "[" * 100_000 + "\n\n", id="deep"),
        _chunk("a", "abort") + DONE,
        _chunk("a", "eos") + DONE,
        _chunk("a") + DONE,
        "",
    ],
)
def test_garbage_is_malformed(stream: str) -> None:
    """What is no chunk, or ends for a reason that does not mean complete, is an error."""
    with pytest.raises(MalformedStream):
        _decoded(stream.encode())


@pytest.mark.parametrize(
    ("data", "kind", "detail"),
    [
        ('{"error":{"message":"m","code":"server_is_overloaded"}}', "OVERLOADED", "m"),
        ('{"error":{"message":"m","type":"insufficient_quota"}}', "QUOTA_EXHAUSTED", "m"),
        ('{"error":{"message":"m","code":"slow_down"}}', "OVERLOADED", "m"),
        ('{"error":{"message":"m","code":"context_length_exceeded"}}', "REFUSED", "m"),
        ('{"error":{"message":"m","code":429}}', "RATE_LIMITED", "m"),
        ('{"error":{"message":"m","code":400}}', "REFUSED", "m"),
        ('{"error":{"message":"m","code":true}}', "SERVER_ERROR", "m"),
        ('{"error":{}}', "SERVER_ERROR", "no message"),
        ('{"error":"m"}', "SERVER_ERROR", "m"),
        ('{"error":7,"choices":[]}', "SERVER_ERROR", "no message"),
    ],
)
def test_an_error_in_the_stream_is_raised(data: str, kind: str, detail: str) -> None:
    """An `error` member in any chunk ends the stream as the failure it names."""
    with pytest.raises(UpstreamError) as caught:
        _decoded(f"{_chunk('a')}data: {data}\n\n".encode())
    assert (caught.value.kind, caught.value.detail) == (FailureKind[kind], detail)


@pytest.mark.parametrize("data", ['{"message":"m"}', "{}"])
def test_an_error_event_is_raised(data: str) -> None:
    """An event named `error` is one, whatever its data look like."""
    with pytest.raises(UpstreamError):
        _decoded(f"event: error\ndata: {data}\n\n".encode())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"error":{"message":"m","code":"context_length_exceeded"}}', "REFUSED"),
        (400, '{"error":{"message":"m","code":"invalid_api_key"}}', "BAD_KEY"),
        (401, '{"error":{"message":"m"}}', "BAD_KEY"),
        (402, "", "QUOTA_EXHAUSTED"),
        (403, "{}", "BAD_KEY"),
        (403, '{"error":{"code":"model_not_found"}}', "REFUSED"),
        (404, '{"error":{"message":"m","code":"model_not_found"}}', "REFUSED"),
        (408, "", "TIMED_OUT"),
        (413, "", "REFUSED"),
        (413, '{"error":{"message":"m","code":"rate_limit_exceeded"}}', "REFUSED"),
        (422, '{"detail":[]}', "REFUSED"),
        (429, '{"error":{"message":"m","code":"rate_limit_exceeded"}}', "RATE_LIMITED"),
        (429, '{"error":{"message":"m","code":"slow_down"}}', "RATE_LIMITED"),
        (429, '{"error":{"message":"m","code":"insufficient_quota"}}', "QUOTA_EXHAUSTED"),
        (429, '{"error":{"code":"credit_balance_exhausted"}}', "QUOTA_EXHAUSTED"),
        (429, '{"error":{"code":"organization_spend_limit_exceeded"}}', "QUOTA_EXHAUSTED"),
        (429, '{"error":{"code":"project_spend_limit_exceeded"}}', "QUOTA_EXHAUSTED"),
        (429, '{"error":{"code":"organization_usage_limit_exceeded"}}', "QUOTA_EXHAUSTED"),
        (429, '{"error":{"code":"billing_not_active"}}', "QUOTA_EXHAUSTED"),
        (498, "", "OVERLOADED"),
        (500, "<html>", "SERVER_ERROR"),
        (502, "\xff", "SERVER_ERROR"),
        (503, '{"error":{"code":"slow_down"}}', "OVERLOADED"),
        pytest.param(504, "[" * 100_000, "SERVER_ERROR", id="deep"),
        (529, "", "OVERLOADED"),
        (302, "", "SERVER_ERROR"),
        (200, '{"error":{"message":"m","code":503}}', "OVERLOADED"),
        (400, '{"object":"error","message":"m","code":40303}', "REFUSED"),
    ],
)
def test_each_error_answer_has_a_kind(status: int, body: str, kind: str) -> None:
    """Status and error code together give the kind that the resilience rules are written for."""
    error = decode_error(FailedAnswer(status, {}, body.encode("latin-1")))
    assert error.kind is FailureKind[kind]
    assert error.status == (status if status != 200 else 503)


def test_the_detail_is_bounded() -> None:
    """However long the upstream talks, the operator's log gets 500 characters of it."""
    body = json.dumps({"error": {"message": "x" * 10_000}}).encode()
    assert decode_error(FailedAnswer(500, {}, body)).detail == "x" * 500


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"object":"list","data":[{"id":"a"},{"id":"b","owned_by":"x"}]}', ("a", "b")),
        (b'{"data":[]}', ()),
        (b'{"data":null}', ()),
    ],
)
def test_the_models_are_listed(body: bytes, names: tuple[str, ...]) -> None:
    """The ids of GET /v1/models, in the server's order."""
    assert decode_models(body) == names


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":[{}]}', b'{"data":[{"id":1}]}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    """Another document than a list of models is a malformed answer, not an empty list."""
    with pytest.raises(MalformedStream):
        decode_models(body)


@given(st.binary())
def test_no_bytes_crash_the_decoders(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    decoder = ChunkDecoder("id")
    with contextlib.suppress(WireError):
        decoder.feed(b"data: " + garbage + b"\n\n")
        decoder.close()
    decode_error(FailedAnswer(500, {}, garbage))
    with contextlib.suppress(WireError):
        decode_models(garbage)
