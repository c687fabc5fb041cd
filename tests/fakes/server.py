"""A real HTTP/1.1 server on loopback, in a thread of its own, for clients of every kind.

It speaks just enough HTTP, and strictly: a POST without a length, or of something else than JSON,
is refused, because the providers' front ends refuse it, too.
"""

import contextlib
import queue
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

import attrs
import trio

from tests.fakes.dialect import Received
from tests.fakes.scene import How

START_S_MAX: Final = 20.0
HEAD_BYTES_MAX: Final = 65_536
READ_BYTES: Final = 65_536

BEFORE_ERROR_S: Final = 0.05
"""So that the error mostly comes in a read of its own, as it does when a real server fails."""


@attrs.frozen
class Reply:
    """An answer. `pieces` are the body; a streamed one is chunked, a piece to a chunk.

    `ending`: what happens after the pieces instead of the body's proper end. Of a body that is not
    streamed, `length` may then promise more than the pieces hold.
    """

    status: int
    headers: dict[str, str]
    pieces: tuple[bytes, ...]
    is_streamed: bool = False
    ending: How | None = None
    length: int = 0


Answer: TypeAlias = Callable[[Received], Reply]


@contextlib.contextmanager
def serving(answer: Answer, left: Callable[[Received], None]) -> Iterator[str]:
    """Serve until the block ends; gives the base address.

    `left` is called with a request whose client went away before its answer was over. An error in
    `answer` becomes a 500, and is raised at the end of the block.
    """
    failures: list[Exception] = []

    def answer_or_remember(request: Received) -> Reply:
        try:
            return answer(request)
        except Exception as exc:  # noqa: BLE001  whatever it is, the test shall see it
            failures.append(exc)
            return Reply(500, {}, (b"this fake is broken",))

    started: queue.Queue[tuple[int, trio.CancelScope, trio.lowlevel.TrioToken]] = queue.Queue()

    async def run() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        with trio.CancelScope() as scope:
            port = listener.socket.getsockname()[1]
            started.put((port, scope, trio.lowlevel.current_trio_token()))
            await trio.serve_listeners(partial(_serve, answer_or_remember, left), [listener])

    with ThreadPoolExecutor(1, thread_name_prefix="fake") as pool:
        server = pool.submit(trio.run, run)
        port, scope, token = started.get(timeout=START_S_MAX)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            token.run_sync_soon(scope.cancel)
            server.result(START_S_MAX)
            for failure in failures:
                raise failure


async def _serve(
    answer: Answer, left: Callable[[Received], None], stream: trio.SocketStream
) -> None:
    """Answer the requests of one connection."""
    buffer = bytearray()
    with contextlib.suppress(trio.BrokenResourceError):
        while (request := await _receive(stream, buffer)) is not None:
            reply = _fault(request) or answer(request)
            if not await _send(stream, reply):
                left(request)
                break
            if reply.ending is not None:
                break
    await trio.aclose_forcefully(stream)


async def _receive(stream: trio.SocketStream, buffer: bytearray) -> Received | None:
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        piece = await stream.receive_some(READ_BYTES)
        if not piece or len(buffer) > HEAD_BYTES_MAX:
            return None
        buffer += piece
    first, *lines = bytes(buffer[:end]).decode("ascii").split("\r\n")
    del buffer[: end + 4]
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = int(headers.get("content-length", "0"))
    while len(buffer) < length:
        piece = await stream.receive_some(READ_BYTES)
        if not piece:
            return None
        buffer += piece
    body = bytes(buffer[:length])
    del buffer[:length]
    return Received(method, path, query, headers, body)


def _fault(request: Received) -> Reply | None:
    if "host" not in request.headers:
        return Reply(400, {}, (b"no host",))
    if request.method != "POST":
        return None
    if "content-length" not in request.headers:
        return Reply(411, {}, (b"no length",), ending="close")
    if request.header("content-type").partition(";")[0] != "application/json":
        return Reply(415, {}, (b"not JSON",))
    return None


async def _send(stream: trio.SocketStream, reply: Reply) -> bool:
    """Send the whole reply; false if the client went away before its end."""
    head = [f"HTTP/1.1 {reply.status} X", *(f"{k}: {v}" for k, v in reply.headers.items())]
    if reply.is_streamed:
        head.append("transfer-encoding: chunked")
    else:
        head.append(f"content-length: {reply.length or sum(map(len, reply.pieces))}")
    try:
        await stream.send_all("\r\n".join([*head, "", ""]).encode())
        for place, piece in enumerate(reply.pieces):
            if reply.ending == "error" and place == len(reply.pieces) - 1:
                await trio.sleep(BEFORE_ERROR_S)
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if reply.is_streamed else piece
            await stream.send_all(chunk)
        if reply.is_streamed and reply.ending in (None, "error"):
            await stream.send_all(b"0\r\n\r\n")
        if reply.ending == "hang":
            while await stream.receive_some(READ_BYTES):
                pass
            return False
    except trio.BrokenResourceError:
        return False
    if reply.ending == "reset":
        linger = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
    return True
