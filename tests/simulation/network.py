"""Connections in memory: what the node dials, and what its probes go by.

A server answers with a timetable of what arrives when. The client's side plays it: a read waits for
what is due next, and brings all that has arrived until then, as a socket does. Nothing has a task.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from enum import Enum, unique
from typing import Final, Protocol

import attrs
import httpx
import trio

from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.connection import ConnectionLost
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.response_parser import (
    MalformedResponse,
    ResponseParser,
    TruncatedResponse,
)
from tests.fakes.dialect import Received

HEAD_END: Final = b"\r\n\r\n"


@unique
class End(Enum):
    """How a peer ends a connection."""

    CLOSE = "closed"
    RESET = "reset"


@attrs.frozen
class Arrival:
    """Bytes, or the end, that reach the client `after_s` the request was sent."""

    after_s: float
    what: bytes | End


class Refused(Exception):
    """Nobody listens."""


class Peer(Protocol):
    """A server, as the network knows it."""

    async def connect(self) -> None:
        """Let a client in; may take for ever. Raises `Refused`."""
        ...

    def take(self, request: Received, connection: "MemoryConnection") -> Iterable[Arrival] | None:
        """What arrives after this request; `None`: it is never read to its end."""
        ...


class MemoryConnection:
    """The `Connection` of the transport, and what the tests want to know of it."""

    def __init__(self, peer: Peer) -> None:
        self.opened_at = trio.current_time()
        self.is_sound = True
        self.is_closed = False
        self.requests = 0
        self._peer = peer
        self._request = bytearray()
        self._arrivals: deque[tuple[float, bytes | End]] = deque()

    @property
    def awaits_nothing(self) -> bool:
        """Whether all that the peer has to say has been read, or nobody will read it."""
        return self.is_closed or not any(isinstance(what, bytes) for _, what in self._arrivals)

    async def send(self, data: bytes) -> None:
        """Hand a request to the peer, unless it has gone."""
        self.is_sound = False
        await trio.lowlevel.checkpoint()
        if self.is_closed or self.has_input():
            return
        self._request += data
        request = _take_request(self._request)
        if request is not None:
            self.requests += 1
            timetable = self._peer.take(request, self)
            if timetable is None:
                await trio.sleep_forever()
            now = trio.current_time()
            # The peer's plan to close an idle connection is overtaken by the request.
            self._arrivals = deque((now + each.after_s, each.what) for each in timetable or ())
        self.is_sound = True

    async def receive(self) -> bytes:
        """What has arrived, as soon as anything has; nothing at the end."""
        await trio.lowlevel.checkpoint()
        if self.is_closed:
            raise ConnectionLost("it has been closed here")
        if not self._arrivals:
            await trio.sleep_forever()
        await trio.sleep_until(self._arrivals[0][0])
        read = bytearray()
        while self._has_arrived():
            what = self._arrivals[0][1]
            if isinstance(what, End):
                if read:
                    break
                if what is End.RESET:
                    raise ConnectionLost("connection reset by peer")
                return b""
            read += what
            self._arrivals.popleft()
        return bytes(read)

    def has_input(self) -> bool:
        """Whether there is something to read."""
        return self._has_arrived()

    def is_current(self) -> bool:
        """Hosts stay where they are."""
        return True

    def close(self) -> None:
        """Close it at once."""
        self.is_closed = True

    def _has_arrived(self) -> bool:
        return bool(self._arrivals) and self._arrivals[0][0] <= trio.current_time()


@attrs.define(eq=False)
class Network:
    """All hosts there are. `connections`: all that have been made, for whoever counts them."""

    hosts: Mapping[str, Peer]
    connections: list[MemoryConnection] = attrs.Factory(list)

    async def dial(self, endpoint: Endpoint) -> MemoryConnection:
        """Connect to the host of `endpoint`. Raises `WorkerFailed`."""
        with trio.move_on_after(endpoint.connect_s):
            try:
                return await self._connect(endpoint)
            except Refused as exc:
                raise endpoint.failed(FailureKind.UNREACHABLE, "no connection: refused") from exc
        raise endpoint.failed(FailureKind.UNREACHABLE, "no connection: timed out")

    def new_transport(self, endpoint: Endpoint) -> httpx.AsyncBaseTransport:
        """What a probe of this endpoint goes by."""
        return _ProbeTransport(self, endpoint)

    async def connect_probe(self, endpoint: Endpoint) -> MemoryConnection:
        """Connect for a probe. Raises what httpx would."""
        with trio.move_on_after(endpoint.connect_s):
            try:
                return await self._connect(endpoint)
            except Refused as exc:
                raise httpx.ConnectError("connection refused") from exc
        raise httpx.ConnectTimeout("timed out")

    async def _connect(self, endpoint: Endpoint) -> MemoryConnection:
        peer = self.hosts[endpoint.origin.host]
        await peer.connect()
        connection = MemoryConnection(peer)
        self.connections.append(connection)
        return connection


class _ProbeTransport(httpx.AsyncBaseTransport):
    """One request, on a connection of its own."""

    def __init__(self, network: Network, endpoint: Endpoint) -> None:
        self._network = network
        self._endpoint = endpoint
        self._connection: MemoryConnection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and wait for the head of the response."""
        self._connection = connection = await self._network.connect_probe(self._endpoint)
        lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        await connection.send("\r\n".join([*lines, "", ""]).encode())
        parser = ResponseParser()
        ahead = b""
        while parser.head is None:
            ahead = await _read(connection, parser)
        return httpx.Response(
            parser.head.status,
            headers=dict(parser.head.headers),
            stream=_ProbeBody(connection, parser, ahead),
            extensions={"network_stream": _NetworkStream(connection)},
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await trio.lowlevel.checkpoint()
        if self._connection is not None:
            self._connection.close()


class _ProbeBody(httpx.AsyncByteStream):
    def __init__(self, connection: MemoryConnection, parser: ResponseParser, ahead: bytes) -> None:
        self._connection = connection
        self._parser = parser
        self._ahead = ahead

    async def __aiter__(self) -> AsyncIterator[bytes]:
        piece = self._ahead
        while True:
            if piece:
                yield piece
            if self._parser.is_whole:
                return
            piece = await _read(self._connection, self._parser)


class _NetworkStream:
    """What the probes' client cuts off."""

    def __init__(self, connection: MemoryConnection) -> None:
        self._connection = connection

    def get_extra_info(self, name: str) -> "_NetworkStream":
        """The socket."""
        assert name == "socket"
        return self

    def shutdown(self, _: int) -> None:
        """Cut it off."""
        self._connection.close()


async def _read(connection: MemoryConnection, parser: ResponseParser) -> bytes:
    try:
        data = await connection.receive()
        if data:
            return parser.feed(data)
        parser.end_input()
    except ConnectionLost as exc:
        raise httpx.ReadError(str(exc)) from exc
    except (MalformedResponse, TruncatedResponse) as exc:
        raise httpx.RemoteProtocolError(str(exc) or "cut off") from exc
    return b""


def _take_request(buffer: bytearray) -> Received | None:
    """The request that `buffer` holds, once it is whole, taken out of it."""
    end = buffer.find(HEAD_END)
    if end < 0:
        return None
    first, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = int(headers.get("content-length", "0"))
    start = end + len(HEAD_END)
    if len(buffer) < start + length:
        return None
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    body = bytes(buffer[start : start + length])
    del buffer[: start + length]
    return Received(method, path, query, headers, body)
