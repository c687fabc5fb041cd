"""A server that does with each connection what a test says, and clients of it."""

import os
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.transport.client import HttpClient
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.upstream_failure import unreadable_error

STREAM_TYPE = "text/event-stream"
READ_BYTES = 256 * 1024


@attrs.define
class Wire:
    """One connection, as the server sees it. `turn`: how many were accepted before it."""

    turn: int
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    socket: trio.socket.SocketType
    _unread: bytes = b""

    async def read_request(self) -> bytes:
        """A whole request, or nothing where the client has left."""
        data = self._unread
        while b"\r\n\r\n" not in data:
            if not (piece := await self.stream.receive_some(READ_BYTES)):
                return b""
            data += piece
        top, _, body = data.partition(b"\r\n\r\n")
        length = int(top.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            if not (piece := await self.stream.receive_some(READ_BYTES)):
                return b""
            body += piece
        self._unread = body[length:]
        return top + b"\r\n\r\n" + body[:length]

    async def send(self, *pieces: bytes) -> None:
        """Send them, in as many segments."""
        for piece in pieces:
            await self.stream.send_all(piece)
            await trio.lowlevel.checkpoint()

    async def flood(self, piece: bytes, bytes_max: int) -> None:
        """Send the piece over and over."""
        for _ in range(bytes_max // len(piece)):
            await self.stream.send_all(piece)

    async def wait_closed(self) -> None:
        """Read until the client is gone."""
        while await self.stream.receive_some(READ_BYTES):
            pass

    def reset(self) -> None:
        """Have the coming close break the connection."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)


Conduct: TypeAlias = Callable[[Wire], Awaitable[None]]


async def _hang_up(_: Wire) -> None:
    await trio.lowlevel.checkpoint()


@attrs.define
class Peer:
    """A server; after `conduct` has returned it closes the connection without a word."""

    base_url: str
    server_tls: ssl.SSLContext | None = None
    conduct: Conduct = _hang_up
    requests: list[bytes] = attrs.Factory(list)
    accepted: int = 0
    open: int = 0
    _changed: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)

    def answer(self, *answers: bytes) -> None:
        """From now on, answer every connection's requests with these, then hang up."""

        async def conduct(wire: Wire) -> None:
            for each in answers:
                if await self.read(wire):
                    await wire.send(each)

        self.conduct = conduct

    def answer_all(self, answer: bytes) -> None:
        """From now on, answer every request with this, and hold the connection."""

        async def conduct(wire: Wire) -> None:
            while await self.read(wire):
                await wire.send(answer)

        self.conduct = conduct

    @staticmethod
    def head(*lines: str, status: str = "200 OK") -> bytes:
        """The head of a streamed answer."""
        first = [f"HTTP/1.1 {status}", f"content-type: {STREAM_TYPE}"]
        return "\r\n".join([*first, *lines, "", ""]).encode()

    @classmethod
    def sized(cls, body: bytes, *lines: str, status: str = "200 OK") -> bytes:
        """A whole answer that says how long it is."""
        return cls.head(f"content-length: {len(body)}", *lines, status=status) + body

    @classmethod
    def chunked(cls, *chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
        """A whole answer in chunks."""
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        return cls.head("transfer-encoding: chunked") + framed + end

    async def read(self, wire: Wire) -> bytes:
        """Read a request, and note it."""
        if request := await wire.read_request():
            self.requests.append(request)
        return request

    async def serve(self, stream: trio.SocketStream) -> None:
        """Treat one connection."""
        turn = self.accepted
        self.accepted += 1
        self.open += 1
        self._changed.unpark_all()
        secured = (
            None
            if self.server_tls is None
            else trio.SSLStream(stream, self.server_tls, server_side=True)
        )
        try:
            await self.conduct(Wire(turn, secured or stream, stream.socket))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.open -= 1
            self._changed.unpark_all()
            stream.socket.close()

    async def wait_open(self, count: int) -> None:
        """Wait until so many connections are open."""
        with trio.fail_after(20.0):
            while self.open != count:
                await self._changed.park()


@pytest.fixture
async def peer(nursery: trio.Nursery) -> Peer:
    """A server on TCP."""
    return await open_peer(nursery)


@pytest.fixture
async def other_peer(nursery: trio.Nursery) -> Peer:
    """A server that nobody should talk to."""
    return await open_peer(nursery)


async def open_peer(nursery: trio.Nursery) -> Peer:
    """Serve on a port of its own until the test is over."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=512)
    port = listeners[0].socket.getsockname()[1]
    peer = Peer(f"http://127.0.0.1:{port}")
    nursery.start_soon(trio.serve_listeners, peer.serve, listeners)
    return peer


@pytest.fixture
async def unix_peer(nursery: trio.Nursery, tmp_path: Path) -> tuple[Peer, Path]:
    """A server on a Unix socket."""
    path = tmp_path / "engine"
    listening = trio.socket.socket(trio.socket.AF_UNIX)
    await listening.bind(os.fspath(path))
    listening.listen(16)
    peer = Peer("http://engine")
    nursery.start_soon(trio.serve_listeners, peer.serve, [trio.SocketListener(listening)])
    return peer, path


def explain(answer: FailedAnswer) -> UpstreamError:
    """The decoder of no dialect: the status decides, the body is quoted."""
    return unreadable_error(answer.body, status=answer.status)


@pytest.fixture
def endpoint_of() -> Callable[..., Endpoint]:
    """Endpoints of which a test says what matters to it."""

    def make(base_url: str, **fields: object) -> Endpoint:
        usual: dict[str, object] = {"connect_s": 10.0, "slots": 8, "idle_connections_max": 8}
        return Endpoint(worker=WorkerName("w"), base_url=base_url, **usual | fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
async def make_client(
    endpoint_of: Callable[..., Endpoint],
) -> AsyncIterator[Callable[..., HttpClient]]:
    """Make clients that are closed at the end of the test; by then they use no connection."""
    made: list[HttpClient] = []

    def make(base_url: str, **fields: object) -> HttpClient:
        made.append(HttpClient(endpoint_of(base_url, **fields), explain))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()
        left = client.statistics()
        assert (left.open, left.connecting) == (0, 0)


@attrs.frozen
class Rig:
    """A server, and a client of it."""

    peer: Peer
    client: HttpClient

    async def ask(self, body: bytes = b"{}", **headers: str) -> bytes:
        """The body of an answer, in full; no piece of it is empty."""
        received = bytearray()
        async with self.client.stream("/chat", headers, body, media_type=STREAM_TYPE) as pieces:
            async for piece in pieces:
                assert piece
                received += piece
        return bytes(received)

    async def fail(self, body: bytes = b"{}") -> tuple[FailureKind, str]:
        """What a request fails with."""
        with trio.fail_after(20.0), pytest.raises(WorkerFailed) as caught:
            await self.ask(body)
        return caught.value.kind, caught.value.detail


@pytest.fixture
def rig(peer: Peer, make_client: Callable[..., HttpClient]) -> Rig:
    """Over TCP."""
    return Rig(peer, make_client(peer.base_url))


@pytest.fixture
def make_rig(make_client: Callable[..., HttpClient]) -> Callable[..., Rig]:
    """Another client of some server."""

    def make(peer: Peer, **fields: object) -> Rig:
        return Rig(peer, make_client(peer.base_url, **fields))

    return make
