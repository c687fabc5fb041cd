import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import AnswerEvent, Batch, Finished, FinishReason, TextDelta
from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.ollama.read_answer import LineDecoder, decode_error, decode_models
from cortexd.wire.ollama.write_request import write_chat_request

REQUEST = ChatRequest(model="anything", messages=(text_message(Role.USER, "hi"),))


def _line(content: str, **more: object) -> str:
    message = {"role": "assistant", "content": content}
    document = {"model": "m", "created_at": "t", "message": message, "done": False, **more}
    return json.dumps(document, ensure_ascii=False) + "\n"


LAST = _line("", done=True, done_reason="stop", total_duration=9, prompt_eval_count=5, eval_count=2)
WHOLE = _line("Hel") + _line("lo é") + LAST
EVENTS: Batch = (
    TextDelta("Hel"),
    TextDelta("lo é"),
    Finished(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2)),
)


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = LineDecoder("id")
    events: list[AnswerEvent] = []
    for piece in pieces:
        events += decoder.feed(piece)
    events += decoder.close()
    assert decoder.finished
    return tuple(events)


def test_every_sampling_field_is_an_option() -> None:
    """Sampling goes into `options`, the token limit as `num_predict`; zero is a value, too."""
    sampling = Sampling(
        temperature=0.0,
        top_p=0.5,
        max_output_tokens=7,
        stop=("a",),
        seed=0,
        frequency_penalty=-1.0,
        presence_penalty=1.0,
    )
    request = ChatRequest(model=None, messages=REQUEST.messages, sampling=sampling)
    assert write_chat_request(request, model="m") == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "options": {
            "temperature": 0.0,
            "top_p": 0.5,
            "num_predict": 7,
            "stop": ["a"],
            "seed": 0,
            "frequency_penalty": -1.0,
            "presence_penalty": 1.0,
        },
    }
    assert write_chat_request(REQUEST, model="m")["options"] == {}


def test_cuts_change_nothing() -> None:
    """One read, two reads cut at any byte, or a read for each byte give the same events."""
    stream = WHOLE.encode()
    assert _decoded(stream) == EVENTS
    assert _decoded(*(stream[i : i + 1] for i in range(len(stream)))) == EVENTS
    for i in range(len(stream)):
        assert _decoded(stream[:i], stream[i:]) == EVENTS


def test_a_truncated_stream_is_never_whole() -> None:
    """Wherever the body ends before the last line is whole, the answer is not complete."""
    stream = WHOLE.encode()
    for i in range(len(stream) - 1):
        with pytest.raises(MalformedStream, match="truncated"):
            _decoded(stream[:i])
    assert _decoded(stream[:-1]) == EVENTS, "only the LF of the last line is missing"


@pytest.mark.parametrize(
    ("last", "finished"),
    [
        (_line("", done=True, done_reason="length"), Finished(FinishReason.LENGTH)),
        (_line("", done=True), Finished(FinishReason.STOP)),
        (_line("", done=True, eval_count=2), Finished(FinishReason.STOP, Usage(0, 2))),
        (_line("", done=True, prompt_eval_count=2), Finished(FinishReason.STOP, Usage(2, 0))),
        (_line("", done=True) + "rubbish\n", Finished(FinishReason.STOP)),
        ('{"done":true}\n', Finished(FinishReason.STOP)),
    ],
)
def test_the_ends_that_servers_write(last: str, finished: Finished) -> None:
    """Counts and reason may be missing from the last line; what follows it does not count."""
    assert _decoded((_line("a") + last).encode()) == (TextDelta("a"), finished)


def test_text_in_the_last_line_comes_before_the_end() -> None:
    """A last line may carry text, which is passed on before `Finished`."""
    last = _line("a", done=True, done_reason="stop")
    assert _decoded(last.encode()) == (TextDelta("a"), Finished(FinishReason.STOP))


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "<html>\n",
        "[]\n",
        '{"message":{"content":7}}\n',
        '{"message":"text"}\n',
        pytest.param('{"x":' + "[" * 100_000 + "\n", id="deep"),
        _line("", done=True, done_reason="load"),
        _line("", done="true"),
    ],
)
def test_garbage_is_malformed(stream: str) -> None:
    """What is no line of an answer, or ends for a reason that has no answer, is an error."""
    with pytest.raises(MalformedStream):
        _decoded(stream.encode())


@pytest.mark.parametrize("end", ["\n", ""])
def test_an_error_line_is_raised(end: str) -> None:
    """An `error` member on any line ends the stream, although its status was 200."""
    with pytest.raises(UpstreamError) as caught:
        _decoded(f'{_line("a")}{{"error":"out of memory"}}{end}'.encode())
    assert (caught.value.kind, caught.value.detail) == (FailureKind.SERVER_ERROR, "out of memory")


@pytest.mark.parametrize(
    ("status", "body", "kind", "detail"),
    [
        (400, '{"error":"m"}', "REFUSED", "m"),
        (401, '{"error":"m","signin_url":"u"}', "BAD_KEY", "m"),
        (402, '{"error":"m"}', "QUOTA_EXHAUSTED", "m"),
        (404, '{"error":"model not found"}', "REFUSED", "model not found"),
        (429, '{"error":"m"}', "RATE_LIMITED", "m"),
        (500, '{"error":"m"}', "SERVER_ERROR", "m"),
        (502, "<html>", "SERVER_ERROR", "status 502, body '<html>'"),
        (503, '{"error":"server busy"}', "OVERLOADED", "server busy"),
        (200, '{"error":"m"}', "SERVER_ERROR", "m"),
        (500, "[]", "SERVER_ERROR", "status 500, body '[]'"),
    ],
)
def test_each_error_answer_has_a_kind(status: int, body: str, kind: str, detail: str) -> None:
    """The status gives the kind that the resilience rules are written for, the text the detail."""
    error = decode_error(FailedAnswer(status, {}, body.encode()))
    assert (error.kind, error.detail, error.status) == (FailureKind[kind], detail, status)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"models":[{"name":"a:latest","size":1},{"name":"b"}]}', ("a:latest", "b")),
        (b'{"models":null}', ()),
    ],
)
def test_the_models_are_listed(body: bytes, names: tuple[str, ...]) -> None:
    """The names of GET /api/tags, in the server's order."""
    assert decode_models(body) == names


@pytest.mark.parametrize("body", [b"", b"{}", b'{"models":[{}]}', b'{"models":[{"name":1}]}'])
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    """Another document than a list of models is a malformed answer, not an empty list."""
    with pytest.raises(MalformedStream):
        decode_models(body)


@given(st.binary())
def test_no_bytes_crash_the_decoders(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    decoder = LineDecoder("id")
    with contextlib.suppress(WireError):
        decoder.feed(garbage + b"\n")
        decoder.close()
    decode_error(FailedAnswer(500, {}, garbage))
    with contextlib.suppress(WireError):
        decode_models(garbage)
