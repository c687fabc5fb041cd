import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.answer import Batch, Finished, FinishReason, TextDelta
from cortexd.domain.attempt import Attempt
from cortexd.domain.chat import ChatRequest, Role, text_message
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
from cortexd.domain.usage import Usage
from cortexd.http.doors.door import DoorRequest
from cortexd.http.doors.model_door import ModelDoor
from cortexd.http.doors.ollama import ollama_chat_door
from cortexd.http.doors.openai import openai_chat_door
from cortexd.http.doors.replies import ANSWER_WEIGHT_MAX, PipelineBug
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.reading import ReadingLayer

WALL_S = 1_767_225_600.0
WORKER = WorkerName("worker-1")
DEAD = WorkerFailed(WORKER, FailureKind.SERVER_ERROR, "detail")
MODEL = "served-model"
LOST = Attempt(WorkerName("dead"), "m", FIRST_KEY, 0.0, failure=DEAD)
HELLO: Batch = (TextDelta("Hel"), TextDelta("lo"))
END: Batch = (Finished(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2)),)
JSON = {"content-type": "application/json"}
DIALECTS = ["openai", "ollama"]
TERMINATORS = {"openai": b"[DONE]", "ollama": b'"done":true'}


@attrs.define
class Recorder:
    """A responder that keeps what it is given, in the order in which it comes."""

    status: int | None = None
    headers: Mapping[str, str] = attrs.Factory(dict)
    writes: list[bytes] = attrs.Factory(list)
    finished: bool = False
    start_waits: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keep the head of the response; it comes once, and first."""
        assert self.status is None
        assert len(dict(headers)) == len(headers), "a header twice"
        if self.start_waits:
            await trio.sleep_forever()
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        """Keep a write."""
        assert self.status is not None
        assert not self.finished
        self.writes.append(data)

    async def finish(self) -> None:
        """Note the clean end; it comes once."""
        assert self.status is not None
        assert not self.finished
        self.finished = True

    @property
    def body(self) -> bytes:
        """All that has been written."""
        return b"".join(self.writes)


@attrs.define
class Script:
    """A pipeline that plays batches, then raises, if it is told to."""

    batches: Sequence[Batch] = (HELLO, END)
    error: BaseException | None = None
    between: Callable[[], Awaitable[None]] | None = None
    seen: list[Exchange] = attrs.Factory(list)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer as scripted, after one failed attempt."""
        self.seen.append(exchange)
        exchange.trail.attempts.append(LOST)
        for batch in self.batches:
            if exchange.worker is None:
                exchange.trail.worker, exchange.trail.model = WORKER, MODEL
                exchange.trail.attempts.append(Attempt(WORKER, MODEL, FIRST_KEY, 0.0))
            await exchange.downstream.send(batch)
            if self.between is not None:
                await self.between()
        if self.error is not None:
            raise self.error


@attrs.define
class Clock:
    """A clock that stands still until it is moved."""

    now_s: float = 100.0

    def __call__(self) -> float:
        """The time it stands at."""
        return self.now_s


def _door(dialect: str, script: Script, clock: Clock | None = None) -> ModelDoor:
    service, ids = ReadingLayer(script), lambda: "new-id"
    if dialect == "openai":
        return openai_chat_door(service, new_id=ids, wall_clock=lambda: WALL_S)
    clock = clock or Clock()
    return ollama_chat_door(service, new_id=ids, wall_clock=lambda: WALL_S, clock=clock)


async def _answer(
    dialect: str,
    script: Script,
    *,
    headers: Mapping[str, str] = JSON,
    clock: Clock | None = None,
    body: bytes | None = None,
    respond: Recorder | None = None,
    **fields: object,
) -> Recorder:
    document = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    respond = respond or Recorder()
    encoded = json.dumps(document).encode() if body is None else body
    request = DoorRequest(method="POST", path="/chat", headers=headers, body=encoded)
    await _door(dialect, script, clock).answer(request, respond)
    return respond


def _message(dialect: str, body: bytes) -> str:
    error = json.loads(body)["error"]
    return str(error["message"] if dialect == "openai" else error)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_batch_is_one_write(dialect: str) -> None:
    """Each batch goes out at once as one write; the terminator comes with the end, then the end."""
    respond = await _answer(dialect, Script(), stream=True)
    assert respond.status == 200
    assert len(respond.writes) == 2
    assert b"Hel" in respond.writes[0]
    assert b'"lo"' in respond.writes[0]
    assert TERMINATORS[dialect] not in respond.writes[0]
    assert respond.body.count(TERMINATORS[dialect]) == 1
    assert respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_head_of_a_stream(dialect: str) -> None:
    """It tells the type, who answers, and after how many attempts."""
    respond = await _answer(
        dialect, Script(), headers={**JSON, "x-request-id": "mine"}, stream=True
    )
    assert respond.headers == {
        "content-type": {
            "openai": "text/event-stream; charset=utf-8",
            "ollama": "application/x-ndjson",
        }[dialect],
        "cache-control": "no-cache",
        "x-request-id": "mine",
        "x-cortexd-worker": "worker-1",
        "x-cortexd-attempts": "2 (dead: server error; worker-1: taken)",
        "x-cortexd-cache": "bypass",
    }


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_answer(dialect: str) -> None:
    """Without streaming nothing goes out before the end; then one document does."""
    respond = await _answer(dialect, Script(), stream=False)
    assert respond.status == 200
    assert respond.headers == {
        "content-type": "application/json",
        "content-length": str(len(respond.body)),
        "x-request-id": "new-id",
        "x-cortexd-worker": "worker-1",
        "x-cortexd-attempts": "2 (dead: server error; worker-1: taken)",
        "x-cortexd-cache": "bypass",
    }
    answer = json.loads(respond.body)
    message = answer["choices"][0]["message"] if dialect == "openai" else answer["message"]
    assert message["content"] == "Hello"
    assert answer["model"] == "served-model"
    assert respond.finished


async def test_openai_streams_only_if_asked_and_ollama_unless_told_not_to() -> None:
    """The default of `stream` is each dialect's own."""
    openai = await _answer("openai", Script())
    ollama = await _answer("ollama", Script())
    assert openai.headers["content-type"] == "application/json"
    assert ollama.headers["content-type"] == "application/x-ndjson"


async def test_an_openai_answer_has_an_id_of_its_own() -> None:
    """The id is made by the node, whatever the request's is; the time is the wall clock's."""
    for stream in (True, False):
        respond = await _answer(
            "openai", Script(), headers={**JSON, "x-request-id": "mine"}, stream=stream
        )
        assert b'"id":"chatcmpl-new-id"' in respond.body
        assert b'"created":1767225600' in respond.body


async def test_usage_goes_to_who_asked() -> None:
    """Only a stream that was asked to include usage tells it."""
    options = {"include_usage": True}
    asked = await _answer("openai", Script(), stream=True, stream_options=options)
    assert b'"total_tokens":7' in asked.body
    assert b"usage" not in (await _answer("openai", Script(), stream=True)).body


@pytest.mark.parametrize("stream", [True, False])
async def test_ollama_s_durations_are_measured(stream: bool) -> None:  # noqa: FBT001
    """Times run from the request to the first events, and from there to the end."""
    clock = Clock()

    async def tick() -> None:
        clock.now_s += 0.25
        await trio.lowlevel.checkpoint()

    class Slow(Script):
        """A pipeline that takes its time before the first events."""

        async def __call__(self, exchange: Exchange) -> None:
            """Answer as scripted, two seconds late."""
            clock.now_s += 2.0
            await super().__call__(exchange)

    script = Slow(batches=(HELLO, HELLO, END), between=tick)
    respond = await _answer("ollama", script, clock=clock, stream=stream)
    last = json.loads(respond.body.splitlines()[-1])
    after_first_ns = 500_000_000
    assert last["prompt_eval_duration"] == 2_000_000_000
    assert last["eval_duration"] == after_first_ns
    assert last["total_duration"] == 2_000_000_000 + after_first_ns
    assert last["created_at"] == "2026-01-01T00:00:00.000000+00:00"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_exchange(dialect: str) -> None:
    """The pipeline gets the request in the domain's words, its id, its door and its time limit."""
    script = Script()
    headers = {**JSON, "x-request-id": "mine", "x-request-timeout": "2.5"}
    await _answer(dialect, script, headers=headers)
    [exchange] = script.seen
    assert isinstance(exchange.request, ChatRequest)
    assert exchange.request.model == "m"
    assert exchange.request.messages == (text_message(Role.USER, "hi"),)
    assert (exchange.request_id, exchange.door, exchange.timeout_s) == ("mine", dialect, 2.5)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestRefused("model 'm' is not served", "model", "model_not_found", 404), 404),
        (DEAD, 502),
        (NoWorkerAvailable("all are busy", 7.0), 503),
        (DeadlineExceeded("the time is over"), 504),
        (NodeStopping("the node stops"), 503),
    ],
)
async def test_an_error_before_the_first_byte_has_a_status(
    dialect: str,
    stream: bool,  # noqa: FBT001
    error: CortexError,
    status: int,
) -> None:
    """Nothing has been sent, so the error is the answer, in the dialect's shape."""
    respond = await _answer(dialect, Script(batches=(), error=error), stream=stream)
    assert respond.status == status
    assert respond.headers["content-type"] == "application/json"
    assert respond.headers["x-request-id"] == "new-id"
    assert respond.headers["x-cortexd-attempts"] == "1 (dead: server error)"
    assert ("retry-after" in respond.headers) == (status == 503)
    assert _message(dialect, respond.body) == error.message
    assert respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_broken_stream_ends_with_an_error_frame(dialect: str) -> None:
    """After the first byte the error goes in-band, the body ends, and no terminator is sent."""
    respond = await _answer(dialect, Script(batches=(HELLO,), error=DEAD), stream=True)
    assert respond.status == 200
    first, frame = respond.writes
    assert b"Hel" in first
    if dialect == "openai":
        assert frame.startswith(b"data: ")
        assert frame.endswith(b"\n\n")
        assert json.loads(frame.removeprefix(b"data: "))["error"]["code"] == "bad_upstream_response"
    else:
        assert frame == b'{"error":"worker \'worker-1\' failed: server error"}\n'
    assert TERMINATORS[dialect] not in respond.body
    assert respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_broken_answer_that_was_not_streamed_is_an_error(dialect: str) -> None:
    """What was collected until then is thrown away: half an answer is none."""
    respond = await _answer(dialect, Script(batches=(HELLO,), error=DEAD), stream=False)
    assert respond.status == 502
    assert b"Hel" not in respond.body
    assert respond.headers["x-cortexd-worker"] == "worker-1"
    assert respond.headers["x-should-retry"] == "false"


async def test_an_answer_without_end_is_not_kept() -> None:
    """An answer that is collected has a limit, and going over it is the worker's failure."""
    longest: Batch = (TextDelta("x" * ANSWER_WEIGHT_MAX),)
    assert (await _answer("openai", Script(batches=(longest, END)))).status == 200
    assert (await _answer("openai", Script(batches=(longest, HELLO, END)))).status == 502


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_behind_a_whole_answer_changes_nothing(dialect: str) -> None:
    """The client has all of the answer; no frame is sent behind its terminator."""
    respond = await _answer(dialect, Script(error=DEAD), stream=True)
    assert respond.body == (await _answer(dialect, Script(), stream=True)).body
    assert respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("batches", [(), (HELLO,)])
async def test_a_pipeline_that_stops_early_is_a_bug(
    dialect: str,
    stream: bool,  # noqa: FBT001
    batches: tuple[Batch, ...],
) -> None:
    """Without `Finished` neither a terminator nor a clean end is sent."""
    respond = Recorder()
    with pytest.raises(PipelineBug):
        await _answer(dialect, Script(batches=batches), respond=respond, stream=stream)
    assert TERMINATORS[dialect] not in respond.body
    assert not respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_bug_is_not_caught(dialect: str) -> None:
    """Only a `CortexError` is answered by the door; anything else goes to the host."""
    with pytest.raises(ZeroDivisionError):
        await _answer(dialect, Script(batches=(HELLO,), error=ZeroDivisionError()))


async def test_a_deadline_while_the_head_is_being_sent() -> None:
    """A start that was cut short has not happened: the error still gets its own status."""
    respond = Recorder(start_waits=True)

    async def service(exchange: Exchange) -> None:
        with trio.move_on_after(1):
            await exchange.downstream.send(HELLO)
        respond.start_waits = False
        raise DeadlineExceeded("the time is over")

    door = openai_chat_door(ReadingLayer(service), new_id=lambda: "i", wall_clock=lambda: WALL_S)
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    await door.answer(DoorRequest(method="POST", path="/", headers=JSON, body=body), respond)
    assert respond.status == 504
    assert respond.finished


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"headers": {"origin": "https://evil.example"}}, 415, "content-type"),
        ({"headers": {"content-type": "text/plain"}}, 415, "content-type"),
        ({"headers": {**JSON, "x-request-timeout": "soon"}}, 400, "x-request-timeout"),
        ({"body": b""}, 400, "empty"),
        ({"body": b'{"model":"a","model":"b"}'}, 400, "'model' stands twice"),
        ({"body": b"[" * 100_000}, 400, "64 levels"),
        ({"messages": []}, 400, "messages"),
        ({"tools": [{"type": "function"}]}, 400, "tools[0].function is missing"),
        ({"api_base": "http://evil"}, 400, "api_base is not supported"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_wrong_request_never_reaches_the_pipeline(
    dialect: str, change: dict[str, Any], status: int, says: str
) -> None:
    """It is answered at once, in the dialect's shape, with an id and a message that names it."""
    script = Script()
    respond = await _answer(dialect, script, **change)
    assert script.seen == []
    assert respond.status == status
    assert respond.headers["x-request-id"] == "new-id"
    assert says in _message(dialect, respond.body)
    assert respond.finished
