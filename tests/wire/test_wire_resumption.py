"""How clients are told that an answer is the work of several workers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import Message, RawMessageDeltaEvent, RawMessageStopEvent
from ollama import ChatResponse, GenerateResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta, collect
from cortexd.domain.ids import WorkerName
from cortexd.domain.usage import Usage
from cortexd.wire.anthropic import write_answer as anthropic_answer
from cortexd.wire.anthropic import write_stream as anthropic_stream
from cortexd.wire.ollama import write_answer as ollama
from cortexd.wire.openai import write_answer as openai

USAGE = Usage(5, 2)
SAID = {"resumed_from": ["a", "b"]}
HEAD = ollama.Head(model="m", created_at="2026-01-01T00:00:00+00:00")
DURATIONS = ollama.Durations(before_first_ns=3, after_first_ns=4)
ANTHROPIC_HEAD = anthropic_answer.Head(message_id="msg_1", model="m")


def _answer(*workers: str) -> Batch:
    lost = tuple(map(WorkerName, workers))
    return (TextDelta("Hello"), Finished(FinishReason.STOP, USAGE, resumed_from=lost))


def _openai_stream(answer: Batch, *, include_usage: bool = False) -> bytes:
    encoder = openai.StreamEncoder(
        answer_id="chatcmpl-1", created=1, model="m", include_usage=include_usage
    )
    return encoder.encode(answer)


def _openai(answer: Batch) -> bytes:
    return openai.encode_answer(collect(answer), answer_id="chatcmpl-1", created=1, model="m")


def _ollama_stream(answer: Batch) -> bytes:
    return ollama.AnswerEncoder(HEAD, ollama.chat_shape).encode_batch(answer, DURATIONS)


def _ollama(answer: Batch) -> bytes:
    return ollama.AnswerEncoder(HEAD, ollama.generate_shape).encode_answer(answer, DURATIONS)


def _anthropic_stream(answer: Batch) -> bytes:
    return anthropic_stream.StreamEncoder(ANTHROPIC_HEAD).encode(answer)


def _anthropic(answer: Batch) -> bytes:
    return anthropic_answer.encode_answer(collect(answer), ANTHROPIC_HEAD)


WRITERS = [_openai_stream, _openai, _ollama_stream, _ollama, _anthropic_stream, _anthropic]


def _documents(stream: bytes) -> list[bytes]:
    """The data of each event."""
    return [part.partition(b"data: ")[2] for part in stream.split(b"\n\n") if part]


@pytest.mark.parametrize("write", WRITERS)
def test_an_answer_of_one_worker_says_nothing(write: Callable[[Batch], bytes]) -> None:
    """The member is for those answers alone that it is about."""
    assert b"x_cortexd" not in write(_answer())
    assert write(_answer("a", "b")).count(b"x_cortexd") == 1


@pytest.mark.parametrize("include_usage", [False, True])
def test_openai_stream(*, include_usage: bool) -> None:
    """The last chunk that has a choice says so, and the official client shows it."""
    stream = _openai_stream(_answer("a", "b"), include_usage=include_usage)
    *others, done = _documents(stream)
    chunks = [ChatCompletionChunk.model_validate_json(other, strict=True) for other in others]
    last = chunks[-2] if include_usage else chunks[-1]

    assert done == b"[DONE]"
    assert last.choices[0].finish_reason == "stop"
    assert last.model_extra == {"x_cortexd": SAID}
    assert [chunk for chunk in chunks if "x_cortexd" in (chunk.model_extra or {})] == [last]
    assert (chunks[-1].usage is not None) is include_usage


def test_openai_completion() -> None:
    """The official client shows it."""
    completion = ChatCompletion.model_validate_json(_openai(_answer("a", "b")), strict=True)
    assert completion.model_extra == {"x_cortexd": SAID}


@pytest.mark.parametrize(
    ("document", "official"),
    [
        (_ollama_stream(_answer("a", "b")).splitlines()[-1], ChatResponse),
        (_ollama(_answer("a", "b")), GenerateResponse),
    ],
    ids=["stream", "document"],
)
def test_ollama(document: bytes, official: Any) -> None:
    """The document that is the end says so, and the official client reads over it."""
    assert json.loads(document)["x_cortexd"] == SAID
    understood = official.model_validate_json(document)
    assert (understood.done, understood.done_reason) == (True, "stop")


def test_anthropic_stream() -> None:
    """The event with the usage says so; the official client takes it."""
    *_, delta, stop = _documents(_anthropic_stream(_answer("a", "b")))
    event = RawMessageDeltaEvent.model_validate_json(delta, strict=True)
    RawMessageStopEvent.model_validate_json(stop, strict=True)
    assert event.model_extra == {"x_cortexd": SAID}
    assert (event.delta.stop_reason, event.usage.output_tokens) == ("end_turn", 2)


def test_anthropic_message() -> None:
    """The official client shows it."""
    message = Message.model_validate_json(_anthropic(_answer("a", "b")), strict=True)
    assert message.model_extra == {"x_cortexd": SAID}
