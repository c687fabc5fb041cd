"""A client at the three doors that can leave at any byte."""

import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httptools
import trio

from tests.load.plan import Plan, pieces_in

READ_BYTES: Final = 64 * 1024

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@attrs.frozen(kw_only=True)
class ClientDoor:
    """`terminator`: what no stream may have in it that is not whole."""

    name: str
    path: str
    terminator: bytes

    def request(self, model: str, plan: Plan, *, stream: bool) -> bytes:
        """The bytes of a request, which has the plan's name for its id."""
        message = {"role": "user", "content": plan.text}
        asked = {"model": model, "messages": [message], "stream": stream}
        body = json.dumps(asked | ({"max_tokens": 9} if self.name == "anthropic" else {})).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n"
            f"x-request-id: {plan.name}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def error_in(self, body: bytes) -> str:
        """The message of an error that is sent whole, in this dialect's shape."""
        document = json.loads(body)
        error: Any = document["error"]
        if self.name == "ollama":
            assert document == {"error": error}
            return str(error)
        assert set(document) == ({"type", "error"} if self.name == "anthropic" else {"error"})
        return str(error["message"])


DOORS: Final = (
    ClientDoor(name="openai", path="/v1/chat/completions", terminator=b"data: [DONE]"),
    ClientDoor(name="ollama", path="/api/chat", terminator=b'"done":true'),
    ClientDoor(name="anthropic", path="/v1/messages", terminator=b"message_stop"),
)


class Answer:
    """What has come in so far; httptools fills it in. `status`: 0 before there is one."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()
        self.is_whole = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take in what one read has brought."""
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_whole = True

    def check(self, door: ClientDoor, plan: Plan, *, stream: bool) -> None:
        """See that it is the answer of the plan: all pieces, in their order, and the end."""
        assert (self.status, self.is_whole) == (200, True), self.body[-400:]
        assert pieces_in(self.body) == list(range(plan.pieces)), self.body[-400:]
        assert b'"error"' not in self.body
        assert not stream or self.body.count(door.terminator) >= 1


@attrs.frozen
class Client:
    """One connection with one request."""

    stream: trio.SocketStream
    answer: Answer = attrs.Factory(Answer)

    async def hear(self, until: Callable[[Answer], bool] = lambda answer: answer.is_whole) -> None:
        """Read on until the answer is as far."""
        while not until(self.answer):
            received = await self.stream.receive_some(READ_BYTES)
            assert received, f"cut off: {self.answer.body[-400:]!r}"
            self.answer.feed(received)

    def leave_rudely(self) -> None:
        """Have the coming close be a reset."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


@asynccontextmanager
async def connected(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Client]:
    """A client, gone at the end of the block. `receive_buffer`: how much waits unread, in bytes."""
    sock = trio.socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with sock:
        await sock.connect(("127.0.0.1", port))
        yield Client(trio.SocketStream(sock))


async def ask(port: int, door: ClientDoor, model: str, plan: Plan, *, stream: bool) -> Answer:
    """The answer to a request, all of it, whatever it is."""
    async with connected(port) as client:
        await client.stream.send_all(door.request(model, plan, stream=stream))
        await client.hear()
    return client.answer
