import contextlib
import itertools
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
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream, UpstreamError, WireError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.ollama.read_answer import LineDecoder, decode_error, decode_models


def _line(content: str, **more: object) -> str:
    message = {"role": "assistant", "content": content}
    document = {"model": "m", "created_at": "t", "message": message, "done": False, **more}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _message(**members: object) -> str:
    return json.dumps({"message": {"role": "assistant", "content": "", **members}}) + "\n"


def _call(name: str, **more: object) -> dict[str, object]:
    return {"function": {"name": name, "arguments": {"x": 1}, **more}}


LAST = _line("", done=True, done_reason="stop", total_duration=9, prompt_eval_count=5, eval_count=2)
WHOLE = (
    _message(thinking="hm")
    + _line("Hel")
    + _line("lo é", logprobs=[{"token": "lo", "logprob": -0.5, "bytes": [108, 111]}])
    + _message(tool_calls=[{"id": "mine", **_call("a", index=0)}, _call("b", index=0)])
    + _message(tool_calls=[_call("c", arguments=None)])
    + LAST
)
EVENTS: Batch = (
    ReasoningDelta("hm"),
    TextDelta("Hel"),
    TextDelta("lo é", (TokenLogprob(TokenProbability("lo", -0.5, b"lo")),)),
    ToolCallStarted(0, "mine", "a"),
    ToolCallDelta(0, '{"x":1}'),
    ToolCallStarted(1, "call_0123456789ab_1", "b"),
    ToolCallDelta(1, '{"x":1}'),
    ToolCallStarted(2, "call_0123456789ab_2", "c"),
    ToolCallDelta(2, "{}"),
    Finished(FinishReason.TOOL_CALLS, Usage(input_tokens=5, output_tokens=2)),
)


def _decoded(*pieces: bytes) -> Batch | tuple[()]:
    decoder = LineDecoder("0123456789abcdef")
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
        (
            _line("", done=True, done_reason="content_filter"),
            Finished(FinishReason.CONTENT_FILTER),
        ),
        (
            _line("", done=True, prompt_eval_count=9, prompt_eval_cached_count=4),
            Finished(FinishReason.STOP, Usage(9, 0, cached_tokens=4)),
        ),
    ],
)
def test_the_ends_that_servers_write(last: str, finished: Finished) -> None:
    """Counts and reason may be missing from the last line; what follows it does not count."""
    assert _decoded((_line("a") + last).encode()) == (TextDelta("a"), finished)


def test_text_in_the_last_line_comes_before_the_end() -> None:
    """A last line may carry text, which is passed on before `Finished`."""
    last = _line("a", done=True, done_reason="stop")
    assert _decoded(last.encode()) == (TextDelta("a"), Finished(FinishReason.STOP))


def test_all_that_one_line_brings() -> None:
    """Thoughts come before the text, calls behind it."""
    message = {"content": "a", "thinking": "hm", "tool_calls": [_call("a")]}
    line = json.dumps({"message": message, "done": True})
    assert _decoded(line.encode()) == (
        ReasoningDelta("hm"),
        TextDelta("a"),
        ToolCallStarted(0, "call_0123456789ab_0", "a"),
        ToolCallDelta(0, '{"x":1}'),
        Finished(FinishReason.TOOL_CALLS),
    )


def test_a_limit_stays_one_behind_a_call() -> None:
    """What was cut off was not meant to end with the calls."""
    stream = _message(tool_calls=[_call("a")]) + _line("", done=True, done_reason="length")
    assert _decoded(stream.encode())[-1] == Finished(FinishReason.LENGTH)


LOGPROB = {
    "token": "é",
    "logprob": -1,
    "bytes": [195],
    "top_logprobs": [{"token": "x", "logprob": -2.5}],
}
TOLD = (
    TokenLogprob(
        TokenProbability("é", -1.0, b"\xc3"),
        (TokenProbability("x", -2.5),),
    ),
)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"content": "a"}, TextDelta("a", TOLD)),
        ({"content": ""}, TextDelta("", TOLD)),
        ({"content": "", "thinking": "hm"}, ReasoningDelta("hm")),
    ],
)
def test_probabilities_belong_to_text(message: dict[str, str], event: AnswerEvent) -> None:
    """They may come ahead of their text; those of thoughts are no part of the answer."""
    line = json.dumps({"message": message, "logprobs": [LOGPROB], "done": True})
    assert _decoded(line.encode()) == (event, Finished(FinishReason.STOP))


@pytest.mark.parametrize(
    "stream",
    [
        "",
        "<html>\n",
        "[]\n",
        '{"message":{"content":7}}\n',
        '{"message":"text"}\n',
        pytest.param('{"x":' + "[" * 100_000 + "\n", id="deep"),
        _message(thinking=7),
        _message(tool_calls={}),
        _message(tool_calls=[{}]),
        _message(tool_calls=[{"function": {"arguments": {}}}]),
        _message(tool_calls=[_call("a", arguments="{}")]),
        _message(tool_calls=[{"function": {"name": None}}]),
        _line("a", logprobs=[{}]),
        _line("a", logprobs=[{"token": "a", "logprob": -1, "bytes": [256]}]),
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
        (
            503,
            '{"error":"server busy, please try again.  maximum pending requests exceeded"}',
            "OVERLOADED",
            "server busy, please try again.  maximum pending requests exceeded",
        ),
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


@given(st.lists(st.integers(0, len(WHOLE.encode())), max_size=8))
def test_any_cuts_change_nothing(cuts: list[int]) -> None:
    """However the network cuts the stream, the events are the same."""
    stream = WHOLE.encode()
    places = [0, *sorted(cuts), len(stream)]
    assert _decoded(*(stream[a:b] for a, b in itertools.pairwise(places))) == EVENTS


messages = st.fixed_dictionaries(
    {},
    optional={
        "content": st.text(max_size=3) | st.integers(),
        "thinking": st.text(max_size=3) | st.none(),
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "id": st.text(max_size=3) | st.none(),
                    "function": st.dictionaries(
                        st.sampled_from(["name", "arguments", "index"]),
                        st.text(max_size=3) | st.dictionaries(st.text(max_size=2), st.integers()),
                    ),
                },
            ),
            max_size=2,
        ),
    },
)


@given(st.lists(messages, max_size=4))
def test_no_lines_crash_the_decoder(messages: list[object]) -> None:
    """Lines of the right look and any content are events or errors of the wire."""
    lines = "".join(json.dumps({"message": message}) + "\n" for message in messages)
    with contextlib.suppress(WireError):
        assert isinstance(_decoded((lines + LAST).encode())[-1], Finished)
