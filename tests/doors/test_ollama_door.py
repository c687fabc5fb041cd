from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from ollama import ChatResponse, EmbedResponse, GenerateResponse

from cortexd.domain.answer import (
    Batch,
    Embedded,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RequestRefused, WorkerFailed
from cortexd.domain.ids import WorkerName
from cortexd.domain.usage import Usage
from cortexd.http.doors.door import Door
from cortexd.http.doors.ollama import ollama_chat_door, ollama_embed_door, ollama_generate_door
from cortexd.http.doors.served_model import ServedModel
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.reading import ReadingLayer

if TYPE_CHECKING:
    from tests.doors.conftest import Ask

WALL_S = 1_767_225_600.0
HELLO = [{"role": "user", "content": "hi"}]
MODELS = (ServedModel(name="a:latest", workers=(WorkerName("w1"),)), ServedModel(name="b"))
TEXT: tuple[Batch, ...] = (
    (ReasoningDelta("hm"),),
    (TextDelta("Hel"), TextDelta("lo")),
    (Finished(FinishReason.STOP, Usage(5, 2)),),
)
CALL: tuple[Batch, ...] = (
    (TextDelta("a"),),
    (ToolCallStarted(0, "1", "see"), ToolCallDelta(0, '{"x":')),
    (ToolCallDelta(0, "1}"),),
    (Finished(FinishReason.TOOL_CALLS),),
)
BROKEN_CALL: tuple[Batch, ...] = (
    (ToolCallStarted(0, "1", "see"), ToolCallDelta(0, "[")),
    (Finished(FinishReason.TOOL_CALLS),),
)
VECTORS: tuple[Batch, ...] = (
    (Embedded(((0.5, 1.0), (2.0, 3.0))), Finished(FinishReason.STOP, Usage(5, 0))),
)


@attrs.define
class Played:
    """A pipeline that plays batches, a second each, and keeps what it was asked.

    `failure`: what it is told by the client's side; `refusal`: what it raises before all else.
    """

    batches: Sequence[Batch] = TEXT
    refusal: RequestRefused | None = None
    failure: WorkerFailed | None = None
    now_s: float = 100.0
    seen: list[Exchange] = attrs.Factory(list)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer as told."""
        self.seen.append(exchange)
        if self.refusal is not None:
            raise self.refusal
        for batch in self.batches:
            self.now_s += 1.0
            try:
                await exchange.downstream.send(batch)
            except WorkerFailed as failure:
                self.failure = failure
                raise

    def clock(self) -> float:
        """A time that only playing moves."""
        return self.now_s


def _parts(played: Played) -> Any:
    return {"new_id": lambda: "new-id", "wall_clock": lambda: WALL_S, "clock": played.clock}


def _chat(played: Played) -> Door:
    return ollama_chat_door(ReadingLayer(played), **_parts(played))


def _generate(played: Played) -> Door:
    return ollama_generate_door(ReadingLayer(played), **_parts(played))


def _embed(played: Played) -> Door:
    return ollama_embed_door(ReadingLayer(played), new_id=lambda: "new-id", clock=played.clock)


async def test_a_generated_stream(ask: "Ask") -> None:
    """The official client reads it line by line; the request is a chat like any other."""
    played = Played()
    answered = await ask(_generate(played), {"model": "m", "prompt": "hi", "system": "be kind"})
    assert answered.headers["content-type"] == "application/x-ndjson"
    assert len(answered.writes) == len(TEXT), "each batch is one write"
    lines = [GenerateResponse.model_validate(line, strict=True) for line in answered.lines]
    assert [line.thinking for line in lines] == ["hm", None, None, None]
    assert [line.response for line in lines] == ["", "Hel", "lo", ""]
    assert (lines[-1].done, lines[-1].done_reason, lines[-1].eval_count) == (True, "stop", 2)
    [exchange] = played.seen
    assert isinstance(exchange.request, ChatRequest)
    assert [message.text for message in exchange.request.messages] == ["be kind", "hi"]
    assert exchange.door == "ollama"


async def test_a_generated_document(ask: "Ask") -> None:
    """All of it at once, with the times that it took."""
    answered = await ask(_generate(Played()), {"model": "m", "prompt": "hi", "stream": False})
    assert answered.headers["content-type"] == "application/json"
    whole = GenerateResponse.model_validate(answered.document, strict=True)
    assert (whole.response, whole.thinking, whole.model) == ("Hello", "hm", "m")
    assert whole.prompt_eval_duration == 1_000_000_000
    assert whole.eval_duration == 2_000_000_000
    assert whole.total_duration == 3_000_000_000


@pytest.mark.parametrize("model", ["m", None])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_is_there(ask: "Ask", model: str | None, *, stream: bool) -> None:
    """Without a prompt it is a chat without messages, which the pipeline ends at once."""
    played = Played(((Finished(FinishReason.STOP),),))
    answered = await ask(_generate(played), {"model": model, "stream": stream, "keep_alive": 0})
    [exchange] = played.seen
    assert isinstance(exchange.request, ChatRequest)
    assert (exchange.request.model, exchange.request.messages) == (model, ())
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.document == {
        "model": model or "",
        "created_at": "2026-01-01T00:00:00.000000+00:00",
        "response": "",
        "done": True,
        "done_reason": "load",
    }


async def test_a_model_is_not_there(ask: "Ask") -> None:
    """What the pipeline says of it."""
    refusal = RequestRefused("no worker lists it", "model", "model_not_found", 404)
    answered = await ask(_generate(Played(refusal=refusal)), {"model": "x", "prompt": ""})
    assert answered.status == 404
    assert answered.document == {"error": "no worker lists it"}


async def test_a_stream_with_calls(ask: "Ask") -> None:
    """Pieces of a call are held back, so some batches are no write."""
    answered = await ask(_chat(Played(CALL)), {"model": "m", "messages": HELLO})
    assert len(answered.writes) == 2
    text, call, last = (ChatResponse.model_validate(line, strict=True) for line in answered.lines)
    assert text.message.content == "a"
    assert call.message.tool_calls is not None
    assert call.message.tool_calls[0].function.arguments == {"x": 1}
    assert (last.done, last.done_reason) == (True, "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_without_an_object(ask: "Ask", *, stream: bool) -> None:
    """The pipeline hears of it as the worker's failure, and no end is written."""
    played = Played(BROKEN_CALL)
    answered = await ask(_chat(played), {"model": "m", "messages": HELLO, "stream": stream})
    assert played.failure is not None
    assert played.failure.detail == "the arguments for 'see' are no JSON object"
    assert answered.document.keys() == {"error"}


async def test_embeddings(ask: "Ask") -> None:
    """One document, with the time it took."""
    played = Played(VECTORS)
    answered = await ask(_embed(played), {"model": "m", "input": ["a", "b"], "dimensions": 2})
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    vectors = EmbedResponse.model_validate(answered.document, strict=True)
    assert vectors.embeddings == [[0.5, 1.0], [2.0, 3.0]]
    assert (vectors.model, vectors.prompt_eval_count) == ("m", 5)
    assert vectors.total_duration == 1_000_000_000
    [exchange] = played.seen
    assert isinstance(exchange.request, EmbeddingRequest)
    assert (exchange.request.texts, exchange.request.dimensions) == (("a", "b"), 2)


@pytest.mark.parametrize(
    ("door", "document", "says"),
    [
        (_generate, {"prompt": 1}, "prompt must be a string"),
        (_generate, {"prompt": "hi", "raw": True}, "raw is not supported"),
        (_generate, {"prompt": "", "options": {"num_gpu": 1}}, "options.num_gpu"),
        (_embed, {}, "input must hold"),
        (_embed, {"input": "hi", "truncate": False}, "truncate is not supported"),
        (_chat, {"model": "m", "messages": []}, "messages must hold"),
    ],
)
async def test_a_wrong_request_is_refused_at_the_door(
    ask: "Ask", door: Callable[[Played], Door], document: object, says: str
) -> None:
    """In the dialect's shape, and the pipeline never sees it."""
    played = Played()
    answered = await ask(door(played), document)
    assert played.seen == []
    assert answered.status == 400
    assert says in answered.document["error"]


@pytest.mark.parametrize(
    ("door", "document"), [(_generate, {"prompt": "hi"}), (_embed, {"input": "hi"})]
)
async def test_the_pipeline_s_own_refusal(
    ask: "Ask", door: Callable[[Played], Door], document: object
) -> None:
    """It has the dialect's shape, too."""
    played = Played(refusal=RequestRefused("nobody serves it", "model", "model_not_found", 404))
    answered = await ask(door(played), document)
    assert answered.status == 404
    assert answered.document == {"error": "nobody serves it"}
