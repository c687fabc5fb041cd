"""A listener on a loopback port, doors made of functions, and a client that speaks raw bytes."""

import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import pytest
import trio

from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.quart_app import Route, build_app
from cortexd.runtime.http_listener import HttpListener, ListenerSettings
from cortexd.runtime.listening_sockets import open_sockets

Answer: TypeAlias = Callable[[DoorRequest, Responder], Awaitable[None]]

SAFETY_S = 10.0
"""How long a test waits for anything; a limit for what hangs, not an expectation."""


@attrs.frozen
class FunctionDoor:
    """A door that is one function."""

    function: Answer

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Call it."""
        await self.function(request, respond)


@attrs.frozen
class Reply:
    """A response as the client got it; `complete` if its body had an end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool

    @property
    def error(self) -> Any:
        """The error object of OpenAI's shape."""
        return json.loads(self.body)["error"]


@attrs.define(eq=False)
class Client:
    """One connection."""

    stream: trio.SocketStream
    received: bytes = b""

    async def send(self, raw: bytes) -> None:
        """Send these bytes as they are."""
        await self.stream.send_all(raw)

    async def get(self, path: str, *headers: str) -> None:
        """Ask for a path."""
        lines = [f"GET {path} HTTP/1.1", "Host: test", *headers, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1"))

    async def post(self, path: str, body: bytes, *headers: str) -> None:
        """Send a body to a path."""
        framing = f"Content-Length: {len(body)}"
        lines = [f"POST {path} HTTP/1.1", "Host: test", framing, *headers, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1") + body)

    async def until(self, mark: bytes) -> bytes:
        """All up to and with `mark`; what there was, if the connection ends before."""
        while mark not in self.received:
            if not await self._more():
                found, self.received = self.received, b""
                return found
        found, _, self.received = self.received.partition(mark)
        return found + mark

    async def reply(self) -> Reply:
        """The next response."""
        with trio.fail_after(SAFETY_S):
            head = (await self.until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            assert head[0].startswith("HTTP/1.1 "), head
            status = int(head[0].split(" ")[1])
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in head[1:])
                if name
            }
            if headers.get("transfer-encoding") == "chunked":
                return Reply(status, headers, *await self._chunks())
            length = int(headers.get("content-length", 0)) if status >= 200 else 0
            while len(self.received) < length and await self._more():
                pass
            body, self.received = self.received[:length], self.received[length:]
            return Reply(status, headers, body, len(body) == length)

    async def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while size := int((await self.until(b"\r\n")).rstrip() or b"-1", 16):
            if size < 0:
                return body, False
            body += (await self.until(b"\r\n"))[:-2]
        await self.until(b"\r\n")
        return body, True

    async def ended(self) -> bytes:
        """What comes until the server ends the connection."""
        with trio.fail_after(SAFETY_S):
            while await self._more():
                pass
        rest, self.received = self.received, b""
        return rest

    async def ended_cleanly(self) -> bool:
        """Whether nothing more comes and the end is no reset."""
        with trio.fail_after(SAFETY_S):
            try:
                return not self.received and await self.stream.receive_some() == b""
            except trio.BrokenResourceError:
                return False

    async def _more(self) -> bool:
        try:
            data = bytes(await self.stream.receive_some())
        except trio.BrokenResourceError:
            return False
        self.received += data
        return bool(data)

    def reset(self) -> None:
        """Leave with a RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


@attrs.define(eq=False)
class Served:
    """A running listener and what became of it."""

    listener: HttpListener
    sockets: list[socket.socket]
    stopped: trio.Event = attrs.field(factory=trio.Event)
    clients: list[Client] = attrs.field(factory=list)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def connect(self) -> Client:
        """A new connection."""
        address = self.sockets[0].getsockname()
        if isinstance(address, str):
            stream = await trio.open_unix_socket(address)
        else:
            stream = await trio.open_tcp_stream(*address[:2])
        return self._client_on(stream)

    def connect_unseen(self) -> Client:
        """A new connection that nobody has accepted yet: the kernel makes it without waiting."""
        sock = socket.create_connection(self.sockets[0].getsockname())
        return self._client_on(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))

    def _client_on(self, stream: trio.SocketStream) -> Client:
        self.clients.append(Client(stream))
        return self.clients[-1]

    async def wait_stopped(self) -> None:
        """Until `run` has returned."""
        with trio.fail_after(SAFETY_S):
            await self.stopped.wait()

    async def wait_open(self, count: int) -> None:
        """Until this many connections are open."""
        with trio.fail_after(SAFETY_S):
            while self.listener.statistics().open_connections != count:  # noqa: ASYNC110  only asking tells
                await trio.sleep(0.01)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the listener."""
        with self.scope:
            await self.listener.run(task_status=task_status)
        self.stopped.set()


async def echo(request: DoorRequest, respond: Responder) -> None:
    """Say what was asked, with a length."""
    body = json.dumps([request.method, request.path, len(request.body)]).encode()
    await respond.start(200, [("content-length", str(len(body)))])
    await respond.send(body)
    await respond.finish()


@pytest.fixture
def listening() -> Iterator[list[socket.socket]]:
    """The owner's sockets: one on loopback, with a port of the kernel's choice."""
    sockets = open_sockets(["127.0.0.1:0"], reuse_port=False)
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture
async def make_host() -> AsyncIterator[Callable[..., Served]]:
    """A host made by the test itself, from a listener and its sockets; not yet running."""
    hosts: list[Served] = []

    def make(listener: HttpListener, sockets: list[socket.socket]) -> Served:
        hosts.append(Served(listener, sockets))
        return hosts[-1]

    yield make
    for client in (client for host in hosts for client in host.clients):
        client.stream.socket.close()


@pytest.fixture
def serve(
    nursery: trio.Nursery, listening: list[socket.socket], make_host: Callable[..., Served]
) -> Any:
    """Start a listener with `{"GET /path": function}`; it always has `/echo`."""

    async def start(
        answers: Mapping[str, Answer] | None = None,
        *,
        max_connections: int = 100,
        keep_alive_s: float = 30.0,
        header_s: float = 30.0,
        body_s: float = 30.0,
        body_bytes_max: int = 1_000_000,
        sockets: Sequence[socket.socket] | None = None,
    ) -> Served:
        answers = {"GET /echo": echo, "POST /echo": echo, **(answers or {})}
        routes = [
            Route(method=method, path=path, door=FunctionDoor(function))
            for (method, path), function in ((key.split(), value) for key, value in answers.items())
        ]
        app = build_app(routes, max_body_bytes=body_bytes_max, body_seconds=body_s)
        settings = ListenerSettings(
            max_connections=max_connections,
            keep_alive_seconds=keep_alive_s,
            header_seconds=header_s,
            max_body_bytes=body_bytes_max,
        )
        own = list(sockets or listening)
        served = make_host(HttpListener(app, own, settings), own)
        await nursery.start(served.run)
        return served

    return start


@attrs.define(eq=False)
class Patient:
    """A door that streams at the test's command and notes how it ends."""

    says_first: bool = True
    entered: trio.Event = attrs.field(factory=trio.Event)
    go_on: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)
    was_cancelled: bool = False

    async def __call__(self, request: DoorRequest, respond: Responder) -> None:
        """Start, wait for the test, say the last word."""
        assert request.method
        try:
            if self.says_first:
                await respond.start(200, [("content-type", "text/event-stream")])
                await respond.send(b"data: first\n\n")
            self.entered.set()
            await self.go_on.wait()
            if not self.says_first:
                await respond.start(200, [])
            await respond.send(b"data: last\n\n")
            await respond.finish()
        except trio.Cancelled:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()

    async def wait_entered(self) -> None:
        """Until a request is inside."""
        with trio.fail_after(SAFETY_S):
            await self.entered.wait()

    async def wait_cancelled(self) -> None:
        """Until it has been cancelled: within a second, as invariant 3 has it."""
        with trio.fail_after(1.0):
            await self.ended.wait()
        assert self.was_cancelled


@pytest.fixture
def patient() -> Patient:
    """A door that has sent its first word."""
    return Patient()


@pytest.fixture
def silent() -> Patient:
    """A door that has not answered yet."""
    return Patient(says_first=False)
