"""One connection of a failing upstream: how it reads requests, and answers them well."""

import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import h11
import trio

from tests.fakes.dialect import Received
from tests.fakes.server import Reply

if TYPE_CHECKING:
    from tests.faults.upstream import Upstream

READ_BYTES: Final = 64 * 1024
LAST_CHUNK: Final = b"0\r\n\r\n"

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@attrs.define(eq=False)
class Wire:
    """One connection, as a fault sees it. `is_over`: it is closed when the fault returns.

    `turn`: how many requests it had before this one.
    """

    stream: trio.abc.Stream
    upstream: "Upstream"
    socket: trio.socket.SocketType
    turn: int = 0
    is_over: bool = False

    async def send(self, *pieces: bytes) -> None:
        """Send them, in as many segments."""
        for piece in pieces:
            await self.stream.send_all(piece)
            self.upstream.sent_bytes += len(piece)

    async def wait_left(self) -> None:
        """Say nothing until the client is gone."""
        while await self.stream.receive_some(READ_BYTES):
            pass
        self.is_over = True

    async def wait_released(self) -> None:
        """Wait until the test says that its client has what was sent."""
        await self.upstream.released.wait()

    def hang_up(self, *, reset: bool = False) -> None:
        """Have the connection closed, with an RST if so wished."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.is_over = True


Fault: TypeAlias = Callable[[Wire, Reply], Awaitable[None]]
"""Answers a chat. It gets what the fake would have said."""

Greeting: TypeAlias = Callable[[trio.SocketStream], Awaitable[trio.abc.Stream]]
"""What comes before the first request. Errors: `trio.BrokenResourceError` if nothing comes."""


async def begin(wire: Wire, reply: Reply) -> None:
    """Send the head and the pieces, but no end."""
    length = f"content-length: {reply.length or sum(map(len, reply.pieces))}"
    framing = "transfer-encoding: chunked" if reply.is_streamed else length
    fields = [f"{name}: {value}" for name, value in reply.headers.items()]
    await wire.send("\r\n".join([f"HTTP/1.1 {reply.status} X", *fields, framing, "\r\n"]).encode())
    await wire.send(*(chunk(piece) if reply.is_streamed else piece for piece in reply.pieces))


async def play(wire: Wire, reply: Reply) -> None:
    """Answer as the fake would, which breaks off where its scene does."""
    await begin(wire, reply)
    if reply.ending in {None, "error"}:
        await wire.send(LAST_CHUNK if reply.is_streamed else b"")
    elif reply.ending == "hang":
        await wire.wait_left()
    else:
        wire.hang_up(reset=reply.ending == "reset")


def chunk(data: bytes) -> bytes:
    """The data as one chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def plain(stream: trio.SocketStream) -> trio.abc.Stream:
    """Nothing comes before the first request."""
    await trio.lowlevel.checkpoint()
    return stream


def secured(context: ssl.SSLContext) -> Greeting:
    """A TLS handshake comes first."""

    async def greet(stream: trio.SocketStream) -> trio.abc.Stream:
        tls = trio.SSLStream(stream, context, server_side=True)
        await tls.do_handshake()
        return tls

    return greet


async def receive(stream: trio.abc.Stream) -> Received | None:
    """A whole request, `None` where the client has left. Nobody sends a second one ahead."""
    parser = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(bytes(await stream.receive_some(READ_BYTES)))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif head is None or not isinstance(event, h11.EndOfMessage):
            return None
        else:
            path, _, query = head.target.decode().partition("?")
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return Received(head.method.decode(), path, query, headers, body)
