"""Small real HTTP servers for workers to talk to, one dialect each."""

import json
import struct
from collections.abc import AsyncIterator, Callable
from typing import Literal, TypeAlias

import attrs
import pytest
import trio

from cortexd.domain.answer import AnswerEvent
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.ports import ChatProvider
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import make_adapter

Then: TypeAlias = Literal["keep", "hold", "close", "reset"]
"""What a server does with a connection after an answer; `hold`: neither send nor close."""


@attrs.frozen
class Answer:
    """What a server sends: raw bytes, head included, with a pause between the pieces."""

    pieces: tuple[bytes, ...]
    then: Then
    pause_s: float = 0.005


@attrs.frozen
class Received:
    """A request as it came."""

    path: str
    head: str
    body: bytes

    @property
    def authorization(self) -> str:
        """The header of that name."""
        return self.head.partition("authorization: ")[2].partition("\r\n")[0]


@attrs.define
class Upstream:
    """A server with a canned answer for each path; anything else is 404 without a body."""

    port: int
    answers: dict[str, Answer] = attrs.Factory(dict)
    refused_keys: dict[str, bytes] = attrs.Factory(dict)
    received: list[Received] = attrs.Factory(list)
    connections: int = 0
    opened: int = 0
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def respond(self, path: str, status: int, body: bytes) -> None:
        """From now on, answer `path` with this document."""
        self.answers[path] = respond(status, "application/json", body)

    async def wait_no_connections(self) -> None:
        """Wait, for a second at most, until the last client is gone."""
        with trio.fail_after(1.0):
            while self.connections:
                await self._changed.park()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        self.opened += 1
        try:
            while await self._serve_one(stream):
                pass
        except trio.BrokenResourceError:
            pass
        finally:
            self.connections -= 1
            self._changed.unpark_all()
            await trio.aclose_forcefully(stream)

    async def _serve_one(self, stream: trio.SocketStream) -> bool:
        request = await _receive(stream)
        if request is None:
            return False
        self.received.append(request)
        answer = self.answers.get(request.path, respond(404, "text/plain", b""))
        if request.authorization in self.refused_keys:
            body = self.refused_keys[request.authorization]
            answer = respond(401, "application/json", body)
        for piece in answer.pieces:
            await stream.send_all(piece)
            await trio.sleep(answer.pause_s)
        if answer.then == "hold":
            while await stream.receive_some():
                pass
        if answer.then == "reset":
            linger = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        return answer.then == "keep"


async def _receive(stream: trio.SocketStream) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    lengths = [int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length:")]
    while len(body) < sum(lengths):
        piece = await stream.receive_some()
        if not piece:
            return None
        body += piece
    return Received(lines[0].split(" ")[1], head.decode(), body)


def respond(status: int, media_type: str, body: bytes, *headers: str) -> Answer:
    """A whole answer."""
    head = [f"HTTP/1.1 {status} X", f"content-type: {media_type}", f"content-length: {len(body)}"]
    return Answer(("\r\n".join([*head, *headers, "", ""]).encode() + body,), "keep")


def chunked(media_type: str, *pieces: bytes, ended: bool = True, then: Then = "keep") -> Answer:
    """A streamed answer, one HTTP chunk a piece."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return Answer((head.encode(), *chunks, *([b"0\r\n\r\n"] if ended else [])), then)


@pytest.fixture
async def upstream(nursery: trio.Nursery) -> Upstream:
    """One server."""
    return await open_upstream(nursery)


@pytest.fixture
async def elsewhere(nursery: trio.Nursery) -> Upstream:
    """Another server, that nobody should talk to."""
    return await open_upstream(nursery)


async def open_upstream(nursery: trio.Nursery) -> Upstream:
    """A server on a port of its own, for the length of the test."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Upstream(listener.socket.getsockname()[1])
    nursery.start_soon(trio.serve_listeners, server.serve, [listener])
    return server


@attrs.frozen(kw_only=True)
class Dialect:
    """What a server of one type says."""

    type: WorkerType
    chat_path: str
    media_type: str
    health: dict[str, Answer]
    first: bytes
    second: bytes
    end: bytes
    error_in_stream: bytes
    error_body: bytes

    @property
    def good(self) -> Answer:
        """`Hello world`, whole."""
        return chunked(self.media_type, self.first, self.second, self.end)


def _sse(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _openai_chunk(text: str | None, reason: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    return _sse({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _line(document: object) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _json(document: object) -> Answer:
    return respond(200, "application/json", json.dumps(document).encode())


OPENAI = Dialect(
    type=WorkerType.OPENAI,
    chat_path="/v1/chat/completions",
    media_type="text/event-stream",
    health={"/v1/models": _json({"object": "list", "data": [{"id": "m1"}, {"id": "m2"}]})},
    first=_openai_chunk("Hello"),
    second=_openai_chunk(" world"),
    end=_openai_chunk(None, "stop")
    + _sse({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    + b"data: [DONE]\n\n",
    error_in_stream=_sse({"error": {"message": "out of memory", "type": "server_error"}}),
    error_body=b'{"error": {"message": "it broke", "type": "x", "code": null}}',
)
OLLAMA = Dialect(
    type=WorkerType.OLLAMA,
    chat_path="/api/chat",
    media_type="application/x-ndjson",
    health={
        "/api/version": _json({"version": "0.9.0"}),
        "/api/tags": _json({"models": [{"name": "m1"}, {"name": "m2"}]}),
    },
    first=_line({"message": {"role": "assistant", "content": "Hello"}, "done": False}),
    second=_line({"message": {"role": "assistant", "content": " world"}, "done": False}),
    end=_line({"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}),
    error_in_stream=_line({"error": "out of memory"}),
    error_body=b'{"error": "it broke"}',
)


@pytest.fixture(params=[OPENAI, OLLAMA], ids=["openai", "ollama"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each dialect in turn."""
    value = request.param
    assert isinstance(value, Dialect)
    return value


@pytest.fixture
def settings_of() -> Callable[..., WorkerSettings]:
    """Worker settings of which a test says what matters to it."""

    def settings(kind: WorkerType, **fields: object) -> WorkerSettings:
        return WorkerSettings(
            **{"name": WorkerName("w"), "type": kind, "priority": 7} | fields  # type: ignore[arg-type]
        )

    return settings


@pytest.fixture
async def make_worker(
    settings_of: Callable[..., WorkerSettings],
) -> AsyncIterator[Callable[..., ChatProvider]]:
    """Make adapters that are closed at the end of the test."""
    made: list[ChatProvider] = []

    def make(kind: WorkerType, **fields: object) -> ChatProvider:
        made.append(make_adapter(settings_of(kind, **fields), AdapterParts()))
        return made[-1]

    yield make
    for adapter in made:
        await adapter.aclose()


@pytest.fixture
def worker(
    dialect: Dialect, upstream: Upstream, make_worker: Callable[..., ChatProvider]
) -> ChatProvider:
    """A worker that speaks `dialect` to `upstream`, with one key."""
    upstream.answers |= dialect.health
    return make_worker(dialect.type, base_url=upstream.base_url, api_keys=(Secret("sk-test"),))


@pytest.fixture
def question() -> ChatRequest:
    """A request like any other."""
    return ChatRequest(model=None, messages=(text_message(Role.USER, "Say hello to the world"),))


@attrs.frozen
class Bench:
    """A worker, the server it speaks to, and something to ask."""

    worker: ChatProvider
    upstream: Upstream
    dialect: Dialect
    question: ChatRequest

    def serve_good(self) -> None:
        """From now on, answer with `Hello world`."""
        self.upstream.answers[self.dialect.chat_path] = self.dialect.good

    def respond(self, status: int, media_type: str, body: bytes, *headers: str) -> None:
        """From now on, answer with this document."""
        answer = respond(status, media_type, body, *headers)
        self.upstream.answers[self.dialect.chat_path] = answer

    def stream(self, *pieces: bytes, then: Then = "keep") -> None:
        """From now on, answer with this stream; its body ends only if the connection is kept."""
        answer = chunked(self.dialect.media_type, *pieces, ended=then == "keep", then=then)
        self.upstream.answers[self.dialect.chat_path] = answer

    def send(self, *pieces: bytes, then: Then) -> None:
        """From now on, answer with these bytes."""
        self.upstream.answers[self.dialect.chat_path] = Answer(pieces, then)

    async def ask(self) -> list[AnswerEvent]:
        """All events of an answer; no batch is empty."""
        events: list[AnswerEvent] = []
        async with self.worker.open_chat(self.question, model="m1") as stream:
            async for batch in stream:
                assert batch
                events += batch
        return events


@pytest.fixture
def bench(
    worker: ChatProvider, upstream: Upstream, dialect: Dialect, question: ChatRequest
) -> Bench:
    """One for each dialect."""
    return Bench(worker, upstream, dialect, question)
