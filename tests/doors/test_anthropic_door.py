import json
from collections.abc import Mapping, Sequence
from typing import Any

import anthropic
import attrs
import httpx2
import pytest
from anthropic.types import Message, MessageTokensCount
from anthropic.types.shared import ErrorResponse

from cortexd.domain.answer import (
    Batch,
    Finished,
    FinishReason,
    InputCounted,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from cortexd.domain.attempt import Attempt
from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RequestRefused,
    WorkerFailed,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import FIRST_KEY, WorkerName
from cortexd.domain.request import TokenCountRequest
from cortexd.domain.usage import Usage
from cortexd.http.doors.anthropic import anthropic_messages_door, anthropic_token_count_door
from cortexd.http.doors.door import DoorRequest
from cortexd.http.doors.model_door import ModelDoor
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.reading import ReadingLayer
from cortexd.wire.sse import SseDecoder, SseEvent

WORKER = WorkerName("worker-1")
MODEL = "served-model"
THOUGHT: Batch = (ReasoningDelta("Hm", "sig"),)
HELLO: Batch = (TextDelta("Hel"), TextDelta("lo"))
END: Batch = (Finished(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2)),)
JSON = {"content-type": "application/json"}
BROKEN = WorkerFailed(WORKER, FailureKind.SERVER_ERROR, "detail")


@attrs.define
class Recorder:
    """A responder that keeps what it is given."""

    status: int | None = None
    headers: Mapping[str, str] = attrs.Factory(dict)
    writes: list[bytes] = attrs.Factory(list)
    finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keep the head of the response."""
        assert self.status is None
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        """Keep a write."""
        self.writes.append(data)

    async def finish(self) -> None:
        """Note the clean end."""
        self.finished = True

    @property
    def body(self) -> bytes:
        """All that has been written."""
        return b"".join(self.writes)

    @property
    def events(self) -> list[SseEvent]:
        """The body as a stream of events."""
        return SseDecoder().feed(self.body)


@attrs.define
class Script:
    """A pipeline that plays batches, then raises, if it is told to."""

    batches: Sequence[Batch] = (THOUGHT, HELLO, END)
    error: CortexError | None = None
    seen: list[Exchange] = attrs.Factory(list)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer as scripted."""
        self.seen.append(exchange)
        for batch in self.batches:
            if exchange.worker is None:
                exchange.trail.worker, exchange.trail.model = WORKER, MODEL
                exchange.trail.attempts.append(Attempt(WORKER, MODEL, FIRST_KEY, 0.0))
            await exchange.downstream.send(batch)
        if self.error is not None:
            raise self.error


async def _send(door: ModelDoor, document: Mapping[str, object]) -> Recorder:
    respond = Recorder()
    body = json.dumps(document).encode()
    request = DoorRequest(method="POST", path="/v1/messages", headers=JSON, body=body)
    await door.answer(request, respond)
    assert respond.finished
    return respond


async def _ask(script: Script, **fields: object) -> Recorder:
    document = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    door = anthropic_messages_door(ReadingLayer(script), new_id=lambda: "new-id")
    return await _send(door, document | fields)


async def _count(script: Script, **fields: object) -> Recorder:
    document = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    door = anthropic_token_count_door(ReadingLayer(script), new_id=lambda: "new-id")
    return await _send(door, document | fields)


async def test_a_whole_answer() -> None:
    """One message, with an id of its own and the name of the model that answered."""
    script = Script()
    respond = await _ask(script)

    message = Message.model_validate_json(respond.body, strict=True)
    assert (message.id, message.model) == ("msg_new-id", "served-model")
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert (message.stop_reason, message.usage.input_tokens) == ("end_turn", 5)
    assert respond.status == 200
    assert respond.headers == {
        "content-type": "application/json",
        "content-length": str(len(respond.body)),
        "x-request-id": "new-id",
        "request-id": "new-id",
        "x-cortexd-worker": "worker-1",
        "x-cortexd-attempts": "1 (worker-1: taken)",
        "x-cortexd-cache": "bypass",
    }
    (exchange,) = script.seen
    assert exchange.door == "anthropic"
    assert isinstance(exchange.request, ChatRequest)


async def test_a_stream() -> None:
    """Named events, a write for each batch; each name is also the type of its data."""
    respond = await _ask(Script(), stream=True)

    assert respond.status == 200
    assert respond.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert len(respond.writes) == 3
    names = [event.event for event in respond.events]
    assert names == [json.loads(event.data)["type"] for event in respond.events]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]
    assert b"[DONE]" not in respond.body


@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_that_are_not_to_be_read(*, stream: bool) -> None:
    """Their seals come all the same."""
    thinking = {"type": "adaptive", "display": "omitted"}
    respond = await _ask(Script(), stream=stream, thinking=thinking)
    assert b'"sig"' in respond.body
    assert b"Hm" not in respond.body


async def test_a_broken_stream_ends_with_an_error() -> None:
    """Which the official clients raise; the message never stops."""
    respond = await _ask(Script((HELLO,), BROKEN), stream=True)
    last = respond.events[-1]
    assert last.event == "error"
    error = ErrorResponse.model_validate_json(last.data, strict=True)
    assert error.error.type == "api_error"
    assert b"message_stop" not in respond.body
    assert b"message_delta" not in respond.body


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (RequestRefused("x", "model", "model_not_found", 404), 404, "not_found_error"),
        (BROKEN, 502, "api_error"),
        (WorkerFailed(WORKER, FailureKind.OVERLOADED, "d"), 503, "overloaded_error"),
        (WorkerFailed(WORKER, FailureKind.RATE_LIMITED, "d"), 429, "rate_limit_error"),
        (WorkerFailed(WORKER, FailureKind.QUOTA_EXHAUSTED, "d"), 503, "overloaded_error"),
        (
            WorkerFailed(WORKER, FailureKind.REFUSED, "d", status=413, told="too long"),
            413,
            "request_too_large",
        ),
        (NoWorkerAvailable("x", 3.0), 503, "overloaded_error"),
        (DeadlineExceeded("x"), 504, "timeout_error"),
        (NodeStopping("x"), 503, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_before_the_answer(
    error: CortexError, status: int, kind: str, *, stream: bool
) -> None:
    """They have their status and their type in the dialect's own shape."""
    respond = await _ask(Script((), error), stream=stream)
    document = json.loads(respond.body)
    assert (respond.status, document["type"], document["error"]["type"]) == (status, "error", kind)
    assert document["error"]["message"]
    assert respond.headers["request-id"] == "new-id"


async def test_a_bad_request() -> None:
    """It never reaches the pipeline, and is answered with the path of what is wrong."""
    script = Script()
    respond = await _ask(script, max_tokens=None)
    error = ErrorResponse.model_validate_json(respond.body, strict=True)
    assert (respond.status, error.error.type) == (400, "invalid_request_error")
    assert error.error.message.startswith("max_tokens is missing")
    assert respond.headers["request-id"] == "new-id"
    assert script.seen == []


async def test_arguments_that_are_garbage() -> None:
    """Whole, they are the worker's failure, of which the client sees nothing else."""
    call: Batch = (ToolCallStarted(0, "c", "f"), ToolCallDelta(0, "{"))
    respond = await _ask(Script((call, END)))
    assert (respond.status, json.loads(respond.body)["error"]["type"]) == (502, "api_error")


async def test_the_official_client_reads_the_stream() -> None:
    """Up to its end, or to the error that it raises."""
    whole = await _ask(Script(), stream=True)
    with _client(whole).messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        message: Any = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[1].text == "Hello"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 2)

    broken = await _ask(Script((HELLO,), BROKEN), stream=True)
    with (
        _client(broken).messages.stream(model="m", max_tokens=9, messages=[]) as stream,
        pytest.raises(anthropic.APIStatusError, match="worker-1"),
    ):
        stream.until_done()


def _client(respond: Recorder) -> anthropic.Anthropic:
    """The official client, which gets what was recorded."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=dict(respond.headers), content=respond.body)

    transport = httpx2.MockTransport(answer)
    return anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport))


COUNTED: Batch = (InputCounted(17, is_estimate=True), *END)


async def test_a_count_of_tokens() -> None:
    """A document with one number, whoever has counted."""
    script = Script((COUNTED,))
    respond = await _count(script, system="be brief")
    assert MessageTokensCount.model_validate_json(respond.body, strict=True).input_tokens == 17
    assert respond.headers["content-type"] == "application/json"
    (exchange,) = script.seen
    assert exchange.door == "anthropic"
    assert isinstance(exchange.request, TokenCountRequest)


async def test_a_count_that_is_none() -> None:
    """The pipeline brings no number: that is a failure, and not a zero."""
    respond = await _count(Script((END,)))
    assert (respond.status, json.loads(respond.body)["error"]["type"]) == (502, "api_error")


async def test_a_bad_count() -> None:
    """It is refused as a request for an answer is."""
    respond = await _count(Script(), max_tokens=9)
    error = ErrorResponse.model_validate_json(respond.body, strict=True)
    assert (respond.status, error.error.type) == (400, "invalid_request_error")
