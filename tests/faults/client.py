"""Clients that do what no client should, over raw sockets, so that no library mends it.

Each fault is a method; when to commit it is the test's decision. They speak OpenAI's dialect.
"""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Any, Final

import attrs
import trio

from tests.load import asking
from tests.load.asking import READ_BYTES
from tests.load.conftest import Node

HANGS_S: Final = 30.0
"""A limit for what hangs, not an expectation."""

TINY_BUFFER_BYTES: Final = 4096
CHAT_PATH: Final = "/v1/chat/completions"


class Farewell(Enum):
    """How a client leaves."""

    FIN = auto()
    RST = auto()
    HALF_CLOSE = auto()  # it will say no more, but still listens


class Answer(asking.Answer):
    """What has come in so far, with its headers; their names in lower case."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, str] = {}

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def said(self) -> str:
        """The text of a stream, as far as it has come."""
        lines = bytes(self.body).decode().split("\n")
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()


@attrs.frozen(eq=False)
class FaultyClient(asking.Client):
    """One connection with one request."""

    answer: Answer = attrs.Factory(Answer)

    async def send(self, raw: bytes) -> None:
        """Send these bytes as they are."""
        await self.stream.send_all(raw)

    async def trickle(self, raw: bytes, *, pause_s: float) -> None:
        """Send byte by byte, until all is sent or nobody takes any more."""
        with suppress(trio.BrokenResourceError):
            for byte in raw:
                await self.stream.send_all(bytes((byte,)))
                await trio.sleep(pause_s)

    async def pour(self, raw: bytes) -> None:
        """Send as much of it as is taken."""
        with suppress(trio.BrokenResourceError):
            await self.stream.send_all(raw)

    async def sip(self, *, bytes_each: int, pause_s: float) -> None:
        """Read a little now and then, until the server ends it."""
        with suppress(trio.BrokenResourceError):
            while await self.stream.receive_some(bytes_each):  # noqa: ASYNC110  slow on purpose
                await trio.sleep(pause_s)

    async def wait_cut(self) -> bytes:
        """What comes until the server closes or resets the connection, unparsed."""
        rest = bytearray()
        with suppress(trio.BrokenResourceError):
            while data := await self.stream.receive_some(READ_BYTES):
                rest += data
        return bytes(rest)

    def leave(self, farewell: Farewell) -> None:
        """Leave now, whatever is on its way."""
        match farewell:
            case Farewell.HALF_CLOSE:
                self.stream.socket.shutdown(socket.SHUT_WR)
                return
            case Farewell.RST:
                self.leave_rudely()
            case Farewell.FIN:
                # First of all, as the close is a reset where input is unread.
                self.stream.socket.shutdown(socket.SHUT_WR)
        self.stream.socket.close()


@asynccontextmanager
async def connected(port: int, *, reads_nothing: bool = False) -> AsyncIterator[FaultyClient]:
    """A client, gone at the end of the block.

    `reads_nothing`: it has next to no room for what it does not read.
    """
    receive_buffer = TINY_BUFFER_BYTES if reads_nothing else None
    async with asking.connected(port, receive_buffer=receive_buffer) as client:
        yield FaultyClient(client.stream)


async def connect_and_close(port: int, farewell: Farewell) -> None:
    """Come and go, and say nothing."""
    async with connected(port) as client:
        client.leave(farewell)


def chat(text: str, *, model: str = "m", request_id: str = "", **fields: Any) -> bytes:
    """The bytes of a chat request, streamed unless `fields` say otherwise."""
    message = {"role": "user", "content": text}
    body = json.dumps({"model": model, "messages": [message], "stream": True, **fields}).encode()
    return head(len(body), *([f"x-request-id: {request_id}"] if request_id else [])) + body


def head(body_bytes: int, *lines: str) -> bytes:
    """The head of a chat request whose body has so many bytes."""
    first = (
        f"POST {CHAT_PATH} HTTP/1.1",
        "host: test",
        "content-type: application/json",
        f"content-length: {body_bytes}",
    )
    return "\r\n".join((*first, *lines, "", "")).encode("ascii")


async def ask(port: int, request: bytes) -> Answer:
    """The answer to a request, all of it, whatever it is."""
    async with connected(port) as client:
        await client.send(request)
        await client.hear()
    return client.answer


async def until(node: Node, is_so: Callable[[], object]) -> None:
    """Look at the node again and again, without holding up its clients."""
    with trio.fail_after(HANGS_S):
        await trio.to_thread.run_sync(node.wait, is_so, abandon_on_cancel=True)
