import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    ChatAnswer,
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
from cortexd.wire.openai.read_answer import ChunkDecoder
from cortexd.wire.openai.write_answer import StreamEncoder, encode_answer
from cortexd.wire.sse import SseDecoder

EVENTS: Batch = (
    TextDelta('Hel"\n'),
    TextDelta("lo é\u2028😀"),
    Finished(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2)),
)


def _encoder(*, include_usage: bool = False) -> StreamEncoder:
    return StreamEncoder(answer_id="chatcmpl-1", created=17, model="m", include_usage=include_usage)


def _chunks(stream: bytes) -> list[ChatCompletionChunk]:
    *chunks, done = [event.data for event in SseDecoder().feed(stream)]
    assert done == "[DONE]"
    return [ChatCompletionChunk.model_validate_json(chunk, strict=True) for chunk in chunks]


def test_the_official_client_understands_the_stream() -> None:
    """Role first, then the text piece by piece, then the reason; one id, time and model in all."""
    chunks = _chunks(_encoder().encode(EVENTS))
    assert {(c.id, c.created, c.model, c.object) for c in chunks} == {
        ("chatcmpl-1", 17, "m", "chat.completion.chunk")
    }
    assert [(c.choices[0].delta.role, c.choices[0].delta.content) for c in chunks] == [
        ("assistant", ""),
        (None, 'Hel"\n'),
        (None, "lo é\u2028😀"),
        (None, None),
    ]
    assert [c.choices[0].finish_reason for c in chunks] == [None, None, None, "stop"]


def test_usage_is_shown_only_to_who_asked() -> None:
    """With `include_usage` every chunk has the member, filled in an extra one without choices."""
    stream = _encoder(include_usage=True).encode(EVENTS)
    *others, last = _chunks(stream)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (5, 2)
    assert last.usage.total_tokens == 7
    assert all("usage" in c.model_fields_set and c.usage is None for c in others)
    assert b"usage" not in _encoder().encode(EVENTS)


def test_unknown_usage_is_not_made_up() -> None:
    """A worker that tells no counts leaves the usage chunk out; the answer still ends."""
    chunks = _chunks(_encoder(include_usage=True).encode((Finished(FinishReason.LENGTH),)))
    assert [len(c.choices) for c in chunks] == [1, 1]


def test_batches_add_up() -> None:
    """However the events are batched, the same bytes go out, and the terminator once."""
    one_by_one = _encoder()
    pieces = [one_by_one.encode((event,)) for event in EVENTS]
    assert b"".join(pieces) == _encoder().encode(EVENTS)
    assert [b"[DONE]" in piece for piece in pieces] == [False, False, True]


def test_our_own_decoder_reads_it_back() -> None:
    """What the door writes is what the adapter of another node reads: the same events."""
    assert ChunkDecoder("id").feed(_encoder(include_usage=True).encode(EVENTS)) == EVENTS


@pytest.mark.parametrize("reason", FinishReason)
def test_the_official_client_understands_the_completion(reason: FinishReason) -> None:
    """An answer that is not streamed is one completion with text, reason and usage."""
    body = encode_answer(
        collect((TextDelta("héllo"), Finished(reason, Usage(5, 2)))),
        answer_id="chatcmpl-1",
        created=17,
        model="m",
    )
    completion = ChatCompletion.model_validate_json(body, strict=True)
    assert (completion.id, completion.created, completion.model) == ("chatcmpl-1", 17, "m")
    assert completion.choices[0].message.content == "héllo"
    assert completion.choices[0].finish_reason == reason.value
    assert completion.usage is not None
    assert completion.usage.total_tokens == 7


def test_a_completion_without_known_usage() -> None:
    """`usage` is left out where the worker told none."""
    finished = Finished(FinishReason.STOP)
    body = encode_answer(
        collect((TextDelta("x"), finished)), answer_id="chatcmpl-1", created=17, model="m"
    )
    assert "usage" not in json.loads(body)


USAGE = Usage(9, 5, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=3)
LOGPROB = TokenLogprob(
    TokenProbability("é", -0.5, b"\xc3\xa9"),
    (TokenProbability("é", -0.5, b"\xc3\xa9"), TokenProbability("?", -2.0)),
)
EVERYTHING: Batch = (
    ReasoningDelta("hm"),
    TextDelta("é", (LOGPROB,)),
    TextDelta("", (LOGPROB,)),
    ToolCallStarted(0, "c1", "look"),
    ToolCallDelta(0, '{"a":'),
    ToolCallDelta(0, "1}"),
    ToolCallStarted(1, "c2", "wait"),
    ToolCallDelta(1, "{}"),
    Finished(FinishReason.TOOL_CALLS, USAGE),
)


def test_the_official_client_understands_tools_and_probabilities() -> None:
    """Id and name come once, arguments in pieces; a token's bytes are numbers."""
    chunks = _chunks(_encoder(include_usage=True).encode(EVERYTHING))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert [(call.index, call.id, call.type) for call in calls] == [
        (0, "c1", "function"),
        (0, None, None),
        (0, None, None),
        (1, "c2", "function"),
        (1, None, None),
    ]
    functions = [call.function for call in calls if call.function is not None]
    assert [(function.name, function.arguments) for function in functions] == [
        ("look", ""),
        (None, '{"a":'),
        (None, "1}"),
        ("wait", ""),
        (None, "{}"),
    ]
    logprobs = chunks[2].choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    [token] = logprobs.content
    assert (token.token, token.logprob, token.bytes) == ("é", -0.5, [0xC3, 0xA9])
    assert [(top.token, top.bytes) for top in token.top_logprobs] == [
        ("é", [0xC3, 0xA9]),
        ("?", None),
    ]


def test_reasoning_goes_by_the_name_that_others_gave_it() -> None:
    """The dialect has no word for it; a seal alone is nothing to tell."""
    stream = _encoder().encode((ReasoningDelta("hm"), ReasoningDelta("", "seal")))
    begun, reasoning = SseDecoder().feed(stream)
    assert '"role"' in begun.data
    assert json.loads(reasoning.data)["choices"][0]["delta"] == {"reasoning_content": "hm"}


def test_a_refusal_is_told_as_one() -> None:
    """It is no text of the answer."""
    events = (RefusalDelta("I "), RefusalDelta("won't"), Finished(FinishReason.STOP))
    deltas = [chunk.choices[0].delta for chunk in _chunks(_encoder().encode(events))]
    assert [delta.refusal for delta in deltas] == [None, "I ", "won't", None]
    message = _completion(collect(events)).choices[0].message
    assert (message.content, message.refusal) == (None, "I won't")


def test_usage_has_its_details() -> None:
    """What came from the cache, and what was thought."""
    *_, last = _chunks(_encoder(include_usage=True).encode(EVERYTHING))
    for usage in (last.usage, _completion(collect(EVERYTHING)).usage):
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        assert usage.completion_tokens_details is not None
        assert usage.prompt_tokens_details.cached_tokens == 4
        assert usage.prompt_tokens_details.cache_write_tokens == 2
        assert usage.completion_tokens_details.reasoning_tokens == 3
        assert usage.total_tokens == 14


def test_a_call_without_arguments_has_an_empty_object() -> None:
    """Clients parse arguments as JSON, streamed or not."""
    events: Batch = (
        ToolCallStarted(0, "a", "look"),
        ToolCallStarted(1, "b", "wait"),
        ToolCallDelta(1, '{"s":1}'),
        Finished(FinishReason.TOOL_CALLS),
    )
    encoder = _encoder()
    stream = b"".join(encoder.encode((event,)) for event in events)
    arguments = {0: "", 1: ""}
    for chunk in _chunks(stream):
        for call in chunk.choices[0].delta.tool_calls or ():
            assert call.function is not None
            arguments[call.index] += call.function.arguments or ""
    assert arguments == {0: "{}", 1: '{"s":1}'}
    calls = _completion(collect(events)).choices[0].message.tool_calls or []
    whole = [call.function.arguments for call in calls if call.type == "function"]
    assert whole == ["{}", '{"s":1}']


def _completion(answer: ChatAnswer) -> ChatCompletion:
    body = encode_answer(answer, answer_id="chatcmpl-1", created=17, model="m")
    return ChatCompletion.model_validate_json(body, strict=True)


def test_a_completion_with_everything() -> None:
    """Text, reasoning, calls and probabilities have their places in one message."""
    completion = _completion(collect(EVERYTHING))
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "é"
    assert (choice.message.model_extra or {})["reasoning_content"] == "hm"
    assert choice.message.tool_calls is not None
    calls = [call for call in choice.message.tool_calls if call.type == "function"]
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("c1", "look", '{"a":1}'),
        ("c2", "wait", "{}"),
    ]
    assert choice.logprobs is not None
    assert [token.token for token in choice.logprobs.content or ()] == ["é", "é"]


@pytest.mark.parametrize(
    ("events", "content"),
    [
        ((), ""),
        ((ToolCallStarted(0, "a", "look"),), None),
        ((TextDelta("x"), ToolCallStarted(0, "a", "look")), "x"),
    ],
)
def test_content_is_null_beside_calls_alone(
    events: tuple[AnswerEvent, ...], content: str | None
) -> None:
    """An empty answer is an empty text; only what is said otherwise has none."""
    answer = collect((*events, Finished(FinishReason.STOP)))
    assert _completion(answer).choices[0].message.content == content


pieces = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@given(
    st.lists(
        st.builds(TextDelta, pieces)
        | st.builds(ReasoningDelta, pieces)
        | st.builds(RefusalDelta, pieces)
        | st.just(TextDelta("x", (LOGPROB,))),
        max_size=5,
    ),
    st.lists(st.lists(pieces, min_size=1, max_size=3), max_size=3),
)
def test_our_own_decoder_reads_all_kinds_back(
    said: list[AnswerEvent], calls: list[list[str]]
) -> None:
    """A node behind a node gets the same events."""
    events = [*said]
    for index, arguments in enumerate(calls):
        events.append(ToolCallStarted(index, f"c{index}", "look"))
        events += [ToolCallDelta(index, piece) for piece in arguments]
    reason = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
    events.append(Finished(reason, USAGE))
    stream = _encoder(include_usage=True).encode(tuple(events))
    assert list(ChunkDecoder("id").feed(stream)) == events
