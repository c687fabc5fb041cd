import json
from typing import Any

import pytest
from ollama import ChatResponse, GenerateResponse

from cortexd.domain.answer import (
    Batch,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    TokenProbability,
    ToolCallDelta,
    ToolCallStarted,
    collect,
)
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.ollama.read_answer import LineDecoder
from cortexd.wire.ollama.write_answer import (
    ARGUMENTS_WEIGHT_MAX,
    AnswerEncoder,
    Durations,
    Head,
    chat_shape,
    encode_loaded,
    generate_shape,
)

HEAD = Head(model="m", created_at="2026-01-01T00:00:00+00:00")
DURATIONS = Durations(before_first_ns=3, after_first_ns=4)
LOGPROBS = (
    TokenLogprob(
        TokenProbability("lo", -0.5, b"lo"),
        (TokenProbability("la", -1.5, b"la"), TokenProbability("x", -2.5)),
    ),
)
SAID: Batch = (
    ReasoningDelta("hm"),
    TextDelta("Hel\n"),
    TextDelta("lo é\u2028", LOGPROBS),
    Finished(FinishReason.LENGTH, Usage(input_tokens=5, output_tokens=2, cached_tokens=4)),
)
CALLED: Batch = (
    TextDelta("a"),
    ToolCallStarted(0, "1", "see"),
    ToolCallDelta(0, '{"x":'),
    ToolCallStarted(1, "2", "hear"),
    ToolCallDelta(0, "1}"),
    Finished(FinishReason.TOOL_CALLS),
)


def _stream(events: Batch, *, generate: bool = False) -> bytes:
    encoder = AnswerEncoder(HEAD, generate_shape if generate else chat_shape)
    # Each event in a batch of its own, as from a worker that is slow.
    return b"".join(encoder.encode_batch((event,), DURATIONS) for event in events)


def _lines(stream: bytes) -> list[Any]:
    # As the official client splits them, which takes any Unicode line end for one.
    return [json.loads(line) for line in stream.decode().splitlines()]


def _document(events: Batch, *, generate: bool = False) -> Any:
    encoder = AnswerEncoder(HEAD, generate_shape if generate else chat_shape)
    return json.loads(encoder.encode_answer(events, DURATIONS))


def test_the_official_client_understands_the_stream() -> None:
    """Thoughts and text line by line, then a line with reason, counts and times."""
    lines = [ChatResponse.model_validate(line, strict=True) for line in _lines(_stream(SAID))]
    assert [line.message.content for line in lines] == ["", "Hel\n", "lo é\u2028", ""]
    assert [line.message.thinking for line in lines] == ["hm", None, None, None]
    assert [line.done for line in lines] == [False, False, False, True]
    assert {(line.model, line.created_at, line.message.role) for line in lines} == {
        ("m", HEAD.created_at, "assistant")
    }
    assert lines[2].logprobs is not None
    [told] = lines[2].logprobs
    assert (told.token, told.logprob) == ("lo", -0.5)
    assert told.top_logprobs is not None
    assert [other.token for other in told.top_logprobs] == ["la", "x"]
    last = lines[-1]
    assert last.done_reason == "length"
    assert (last.prompt_eval_count, last.eval_count) == (5, 2)
    assert (last.total_duration, last.prompt_eval_duration, last.eval_duration) == (7, 3, 4)
    assert last.load_duration == 0
    assert lines[0].done_reason is None
    assert lines[0].total_duration is None


def test_calls_come_whole_and_last() -> None:
    """Each is a line of its own, with an object, once no piece of any of them can come."""
    lines = _lines(_stream(CALLED))
    assert [line["message"] for line in lines] == [
        {"role": "assistant", "content": "a"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "1", "function": {"index": 0, "name": "see", "arguments": {"x": 1}}}
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "2", "function": {"index": 1, "name": "hear", "arguments": {}}}],
        },
        {"role": "assistant", "content": ""},
    ]
    assert lines[-1]["done_reason"] == "stop", "as the server itself ends an answer with calls"
    parsed = ChatResponse.model_validate(lines[1], strict=True)
    assert parsed.message.tool_calls is not None
    assert parsed.message.tool_calls[0].function.arguments == {"x": 1}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (FinishReason.STOP, "stop"),
        (FinishReason.LENGTH, "length"),
        (FinishReason.TOOL_CALLS, "stop"),
        (FinishReason.CONTENT_FILTER, "content_filter"),
    ],
)
def test_each_reason_has_a_word(reason: FinishReason, told: str) -> None:
    """A filtered answer is not passed off as a whole one."""
    [line] = _lines(_stream((Finished(reason),)))
    assert line["done_reason"] == told
    assert line["done"] is True
    assert "eval_count" not in line, "nobody told it"


@pytest.mark.parametrize("events", [SAID, (TextDelta("a"), Finished(FinishReason.CONTENT_FILTER))])
def test_our_own_decoder_reads_it_back(events: Batch) -> None:
    """What the door writes is what the adapter of another node reads: the same events."""
    assert LineDecoder("id").feed(_stream(events)) == events


def test_our_own_decoder_reads_calls_back() -> None:
    """The same answer, its pieces put together."""
    read = LineDecoder("id").feed(_stream(CALLED))
    assert read == (
        TextDelta("a"),
        ToolCallStarted(0, "1", "see"),
        ToolCallDelta(0, '{"x":1}'),
        ToolCallStarted(1, "2", "hear"),
        ToolCallDelta(1, "{}"),
        Finished(FinishReason.TOOL_CALLS),
    )


def test_the_official_client_understands_the_whole_answer() -> None:
    """An answer that is not streamed is the last line with all there is."""
    answer = ChatResponse.model_validate(_document(SAID), strict=True)
    assert (answer.message.content, answer.message.thinking) == ("Hel\nlo é\u2028", "hm")
    assert answer.message.tool_calls is None
    assert answer.logprobs is not None
    assert [told.token for told in answer.logprobs] == ["lo"]
    assert (answer.done, answer.done_reason) == (True, "length")
    assert (answer.prompt_eval_count, answer.eval_count) == (5, 2)


def test_a_whole_answer_with_calls() -> None:
    """All of them in the one message."""
    document = _document(CALLED)
    assert document["done_reason"] == "stop"
    assert document["message"] == {
        "role": "assistant",
        "content": "a",
        "tool_calls": [
            {"id": "1", "function": {"index": 0, "name": "see", "arguments": {"x": 1}}},
            {"id": "2", "function": {"index": 1, "name": "hear", "arguments": {}}},
        ],
    }


def test_a_refusal_is_text() -> None:
    """The dialect has no other place for it."""
    events: Batch = (RefusalDelta("no"), Finished(FinishReason.STOP))
    assert _lines(_stream(events))[0]["message"]["content"] == "no"
    assert _document(events)["message"]["content"] == "no"


def test_a_seal_without_a_thought_is_no_line() -> None:
    """What only another provider could read is left out."""
    sealed: Batch = (ReasoningDelta("", "redacted:x"), Finished(FinishReason.STOP))
    assert len(_lines(_stream(sealed))) == 1
    assert "thinking" not in _document(sealed)["message"]


CUT: Batch = (
    ToolCallStarted(0, "1", "see"),
    ToolCallDelta(0, '{"x":1}'),
    ToolCallStarted(1, "2", "see"),
    ToolCallDelta(1, '{"x":'),
)


def test_a_call_cut_off_at_the_limit_is_left_out() -> None:
    """The calls before it are whole."""
    events: Batch = (*CUT, Finished(FinishReason.LENGTH))
    assert [len(line["message"].get("tool_calls", [])) for line in _lines(_stream(events))] == [
        1,
        0,
    ]
    assert len(_document(events)["message"]["tool_calls"]) == 1
    only: Batch = (ToolCallStarted(0, "1", "see"), Finished(FinishReason.LENGTH))
    assert "tool_calls" not in _document(only)["message"]


@pytest.mark.parametrize("events", [CUT, (ToolCallStarted(0, "1", "a"), ToolCallDelta(0, "[]"))])
def test_arguments_that_are_no_object_are_the_worker_s_fault(events: Batch) -> None:
    """They are never passed on, nor left out in silence."""
    whole = (*events, Finished(FinishReason.TOOL_CALLS))
    with pytest.raises(MalformedStream):
        _stream(whole)
    with pytest.raises(MalformedStream):
        _document(whole)


def test_calls_without_end_are_not_kept() -> None:
    """There is a limit to what is held back."""
    encoder = AnswerEncoder(HEAD, chat_shape)
    half = "x" * (ARGUMENTS_WEIGHT_MAX // 2)
    encoder.encode_batch((ToolCallStarted(0, "1", "a"), ToolCallDelta(0, half)), DURATIONS)
    with pytest.raises(MalformedStream):
        encoder.encode_batch((ToolCallDelta(0, half),), DURATIONS)


def test_the_official_client_understands_a_generated_stream() -> None:
    """The same lines, with `response` and `thinking` at the top."""
    lines = [
        GenerateResponse.model_validate(line, strict=True)
        for line in _lines(_stream(SAID, generate=True))
    ]
    assert [line.response for line in lines] == ["", "Hel\n", "lo é\u2028", ""]
    assert [line.thinking for line in lines] == ["hm", None, None, None]
    assert [line.done for line in lines] == [False, False, False, True]
    assert lines[2].logprobs is not None
    assert (lines[-1].done_reason, lines[-1].eval_count, lines[-1].total_duration) == (
        "length",
        2,
        7,
    )


def test_the_official_client_understands_a_generated_answer() -> None:
    """One document."""
    answer = GenerateResponse.model_validate(_document(SAID, generate=True), strict=True)
    assert (answer.response, answer.thinking) == ("Hel\nlo é\u2028", "hm")
    assert (answer.done, answer.done_reason) == (True, "length")


def test_a_generated_call_has_no_words() -> None:
    """Nobody could offer a tool there."""
    with pytest.raises(MalformedStream):
        _stream(CALLED, generate=True)
    with pytest.raises(MalformedStream):
        _document(CALLED, generate=True)


def test_a_model_that_is_there() -> None:
    """The answer to a request that asked for nothing else."""
    answer = GenerateResponse.model_validate_json(encode_loaded(HEAD), strict=True)
    assert (answer.model, answer.response, answer.done_reason) == ("m", "", "load")
    assert answer.done


def test_a_stream_and_a_whole_answer_say_the_same() -> None:
    """The lines of a stream, put together as clients do, are the document."""
    for events in (SAID, CALLED):
        read = collect(LineDecoder("id").feed(_stream(events)))
        message = _document(events)["message"]
        assert read.text == message["content"]
        assert read.reasoning == message.get("thinking", "")
        assert [call.call_id for call in read.tool_calls] == [
            call["id"] for call in message.get("tool_calls", [])
        ]
