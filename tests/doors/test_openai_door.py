"""The endpoints of the OpenAI dialect beside plain chat."""

import json
from base64 import b64decode
from collections.abc import Mapping
from struct import unpack
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

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
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.domain.usage import Usage
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.doors.models import models_door
from cortexd.http.doors.openai import (
    openai_chat_door,
    openai_embeddings_door,
)
from cortexd.http.doors.served_model import ServedModel
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.reading import ReadingLayer

if TYPE_CHECKING:
    from tests.doors.conftest import Ask

LOOK = {"type": "function", "function": {"name": "look"}}
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [LOOK],
}
CALLING: tuple[Batch, ...] = (
    (ReasoningDelta("hm"), TextDelta("so")),
    (ToolCallStarted(0, "c1", "look"), ToolCallDelta(0, '{"a":')),
    (ToolCallDelta(0, "1}"), Finished(FinishReason.TOOL_CALLS, Usage(5, 2))),
)
VECTORS: tuple[Batch, ...] = (
    (Embedded(((0.5, -1.0), (0.25, 2.0))), Finished(FinishReason.STOP, Usage(3, 0))),
)


@attrs.define
class Pipeline:
    """Plays batches, then fails, if it is told to."""

    batches: tuple[Batch, ...]
    error: WorkerFailed | None = None
    seen: list[Exchange] = attrs.Factory(list)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer as told."""
        self.seen.append(exchange)
        for batch in self.batches:
            await exchange.downstream.send(batch)
        if self.error is not None:
            raise self.error


@attrs.frozen
class Routed(Door):
    """A door behind a route that has names for parts of the path."""

    door: Door
    params: Mapping[str, str]

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Pass the parts on."""
        await self.door.answer(attrs.evolve(request, params=self.params), respond)


def _chat_door(pipeline: Pipeline) -> Door:
    return openai_chat_door(
        ReadingLayer(pipeline), new_id=lambda: "new-id", wall_clock=lambda: 17.5
    )


def _embeddings_door(pipeline: Pipeline) -> Door:
    return openai_embeddings_door(ReadingLayer(pipeline), new_id=lambda: "new-id")


async def test_a_stream_with_a_tool_call(ask: "Ask") -> None:
    """The official client puts the call together; each batch is one write."""
    pipeline = Pipeline(CALLING)
    answered = await ask(_chat_door(pipeline), {**CHAT, "stream": True})
    assert len(answered.writes) == len(CALLING)
    frames = b"".join(answered.writes).split(b"\n\n")
    assert frames[-2:] == [b"data: [DONE]", b""]
    chunks = [
        ChatCompletionChunk.model_validate_json(frame.removeprefix(b"data: "), strict=True)
        for frame in frames[:-2]
    ]
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    arguments = [call.function.arguments or "" for call in calls if call.function is not None]
    assert (calls[0].id, "".join(arguments)) == ("c1", '{"a":1}')
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    [exchange] = pipeline.seen
    assert isinstance(exchange.request, ChatRequest)
    assert exchange.request.needs == {Feature.TOOLS: "tools"}


async def test_a_completion_with_a_tool_call(ask: "Ask") -> None:
    """The same as one document."""
    answered = await ask(_chat_door(Pipeline(CALLING)), CHAT)
    message = ChatCompletion.model_validate(answered.document, strict=True).choices[0].message
    assert (message.content, answered.document["id"]) == ("so", "chatcmpl-new-id")
    assert message.tool_calls is not None
    [call] = message.tool_calls
    assert call.type == "function"
    assert (call.id, call.function.arguments) == ("c1", '{"a":1}')


async def test_embeddings(ask: "Ask") -> None:
    """The vectors as numbers, with the model that was asked for and what it cost."""
    pipeline = Pipeline(VECTORS)
    answered = await ask(_embeddings_door(pipeline), {"model": "m", "input": ["x", "y"]})
    read = CreateEmbeddingResponse.model_validate(answered.document, strict=True)
    assert [one.embedding for one in read.data] == [[0.5, -1.0], [0.25, 2.0]]
    assert (read.model, read.usage.total_tokens) == ("m", 3)
    assert answered.headers["x-request-id"] == "new-id"
    [exchange] = pipeline.seen
    assert isinstance(exchange.request, EmbeddingRequest)
    assert (exchange.door, exchange.request.texts) == ("openai", ("x", "y"))


async def test_embeddings_in_base64(ask: "Ask") -> None:
    """What the official client asks for unless it is told otherwise."""
    document = {"model": "m", "input": "x", "encoding_format": "base64"}
    answered = await ask(_embeddings_door(Pipeline(VECTORS)), document)
    packed = [b64decode(one["embedding"]) for one in answered.document["data"]]
    assert [unpack("<2f", one) for one in packed] == [(0.5, -1.0), (0.25, 2.0)]


@pytest.mark.parametrize(
    ("document", "status", "param"),
    [
        ({"model": "m", "input": [1, 2]}, 400, "input[0]"),
        ({"model": "m", "messages": []}, 400, "messages"),
    ],
)
async def test_wrong_embedding_requests(
    ask: "Ask", document: object, status: int, param: str
) -> None:
    """They never reach the pipeline, and the error has the dialect's shape."""
    pipeline = Pipeline(VECTORS)
    answered = await ask(_embeddings_door(pipeline), document)
    assert pipeline.seen == []
    assert answered.status == status
    assert answered.document["error"]["param"] == param


async def test_embeddings_that_fail(ask: "Ask") -> None:
    """A worker's failure is an error, and so is a vector that the format cannot hold."""
    failure = WorkerFailed(WorkerName("w"), FailureKind.OVERLOADED, "detail")
    answered = await ask(_embeddings_door(Pipeline((), failure)), {"model": "m", "input": "x"})
    assert (answered.status, answered.document["error"]["type"]) == (503, "overloaded_error")
    huge: Batch = (Embedded(((1e300,),)), Finished(FinishReason.STOP))
    document = {"model": "m", "input": "x", "encoding_format": "base64"}
    assert (await ask(_embeddings_door(Pipeline((huge,))), document)).status == 502


MODELS = [
    ServedModel(name="a/b:latest", workers=(WorkerName("w1"), WorkerName("w2")), created_s=17.5),
    ServedModel(name="b"),
]


@pytest.mark.parametrize(
    ("name", "created", "owner"), [("a/b:latest", 17, "w1, w2"), ("b", 99, "")]
)
async def test_one_model(ask: "Ask", name: str, created: int, owner: str) -> None:
    """The official client reads it; one of unknown age is as old as the door."""
    door = models_door(lambda: MODELS, wall_clock=lambda: 99.5)
    answered = await ask(Routed(door, {"model": name}))
    assert answered.status == 200
    model = Model.model_validate(answered.document, strict=True)
    assert (model.id, model.object, model.created, model.owned_by) == (
        name,
        "model",
        created,
        owner,
    )


@pytest.mark.parametrize("name", ["c", "", "../etc/passwd", "a\x1b[31m", "x" * 10_000])
async def test_a_model_that_nobody_serves(ask: "Ask", name: str) -> None:
    """404 in the dialect's shape, the name cut short and printable."""
    door = models_door(lambda: MODELS, wall_clock=lambda: 99.5)
    answered = await ask(Routed(door, {"model": name}))
    assert answered.status == 404
    error = answered.document["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert error["message"].isprintable()
    assert len(json.dumps(error)) < 400
