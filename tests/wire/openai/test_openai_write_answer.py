import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta, collect
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
