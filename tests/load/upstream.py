"""A model server that plays the plan it finds in the request, in a thread of its own.

Raw sockets: it has to be cheap, and to do what no server should.
"""

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from tests.load.dialects import FRAMES, MODELS, Frames
from tests.load.plan import Plan, plan_in

READ_BYTES: Final = 64 * 1024
FLOOD_BYTES_MAX: Final = 2**30
HEADER_BYTES_MAX: Final = 10 * 2**20
CONNECT_S: Final = 0.2
SEEN_INTERVAL_S: Final = 0.01

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_GOLDEN_SHARE: Final = 0.618  # its multiples, without their whole part, lie evenly from 0 to 1


@attrs.define
class Record:
    """What has become of a request. `is_cut`: the client has closed the connection under it.

    `is_seen` is for the test to set: the client has what was sent.
    """

    sent_bytes: int = 0
    is_whole: bool = False
    is_cut: bool = False
    is_seen: bool = False


class Upstream:
    """`asked`: the requests by the name of their plan. `open`: the connections there are now.

    Both are written by the server's thread and may be read by any.
    """

    def __init__(self, *, backlog: int = 4096) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.asked: dict[str, Record] = {}
        self.open = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer for the length of the block; its end resets the connections there are."""
        started: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        thread = threading.Thread(target=trio.run, args=(self._serve, started))
        thread.start()
        stop = started.get()
        try:
            yield
        finally:
            stop()
            thread.join()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Have no room for connections: whoever connects waits. Wants a backlog of 0."""
        waiting: list[socket.socket] = []
        is_full = False
        try:
            while not is_full:
                waiting.append(socket.socket())
                waiting[-1].settimeout(CONNECT_S)
                try:
                    waiting[-1].connect(self._socket.getsockname())
                except TimeoutError:
                    is_full = True
            yield
        finally:
            for each in waiting:
                each.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    async def _serve(self, started: "queue.SimpleQueue[Callable[[], None]]") -> None:
        self._crowd = trio.Event()
        token = trio.lowlevel.current_trio_token()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._socket.dup()))
        with trio.CancelScope() as scope:
            started.put(lambda: token.run_sync_soon(scope.cancel))
            await trio.serve_listeners(self._converse, [listener])

    async def _converse(self, stream: trio.SocketStream) -> None:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open += 1
        try:
            while request := await _read_request(stream):
                if request.startswith(b"GET "):
                    await stream.send_all(_document(MODELS))
                elif not await self._answer(stream, request):
                    return
        except trio.BrokenResourceError:
            pass
        finally:
            self.open -= 1

    async def _answer(self, stream: trio.SocketStream, request: bytes) -> bool:
        """Play the plan; returns whether the connection is good for another one."""
        plan, frames = plan_in(request), FRAMES[request.split(b" ", 2)[1]]
        record = self.asked[plan.name] = Record()
        player = _Player(stream, record, plan, frames)
        phase = len(self.asked) * _GOLDEN_SHARE % 1.0
        try:
            if plan.flood is not None:
                await player.flood(plan.flood)
            elif plan.crowd:
                await player.stream(1)
                await self._gather(plan.crowd)
                await trio.sleep(phase * plan.gap_s)
                await player.stream(plan.pieces)
            elif plan.held_after is not None:
                await player.stream(plan.held_after)
                await player.wait_left()
            else:
                await player.stream(plan.pieces)
        except trio.BrokenResourceError:
            record.is_cut = True
        return record.is_whole

    async def _gather(self, crowd: int) -> None:
        if len(self.asked) >= crowd:
            self._crowd.set()
        await self._crowd.wait()


@attrs.define
class _Player:
    """Sends one answer."""

    _stream: trio.SocketStream
    _record: Record
    _plan: Plan
    _frames: Frames
    _sent: int = 0

    async def stream(self, until: int) -> None:
        """Send the pieces up to that number, and the end of the answer behind the last."""
        due = trio.current_time()
        for index in range(self._sent, until):
            begin = self._head + _framed(self._frames.begin) if index == 0 else b""
            is_last = index == self._plan.pieces - 1
            end = _framed(self._frames.end) + b"0\r\n\r\n" if is_last else b""
            piece = _framed(self._frames.piece(self._plan.piece(index)))
            await trio.sleep_until(due)
            # Before the send: on its way it may be read, and another request come back.
            self._record.is_whole = is_last
            await self._send(begin + piece + end)
            due += self._plan.gap_s
        self._sent = until

    async def wait_left(self) -> None:
        """Say nothing more. Raises when the client has closed the connection."""
        while await self._stream.receive_some(READ_BYTES):
            pass
        raise trio.BrokenResourceError

    async def flood(self, kind: str) -> None:
        """Send one of the answers without end: a gigabyte, or ten megabytes of header."""
        start, piece = self._floods()[kind]
        bytes_max = HEADER_BYTES_MAX if kind == "header" else FLOOD_BYTES_MAX
        await self._send(start)
        while (  # noqa: ASYNC110  it is set in another thread
            self._plan.is_patient and not self._record.is_seen
        ):
            await trio.sleep(SEEN_INTERVAL_S)
        many = piece * (READ_BYTES // len(piece))
        while self._record.sent_bytes < bytes_max:
            await self._send(many)

    def _floods(self) -> dict[str, tuple[bytes, bytes]]:
        frames = self._frames
        first = frames.begin + frames.piece(self._plan.piece(0))
        begun = self._head + _framed(first)
        unframed = self._head.replace(b"transfer-encoding: chunked", b"connection: close")
        return {
            "line": (unframed + frames.line, b"x"),
            "begun-line": (unframed + first + frames.line, b"x"),
            "header": (_OK + b"x-flood: ", b"x"),
            "informational": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            "extension": (self._head + b"5;", b"x"),
            "begun-extension": (begun + b"5;", b"x"),
            "trailer": (self._head + b"0\r\nx-flood: ", b"x"),
            "begun-trailer": (begun + b"0\r\nx-flood: ", b"x"),
            "ended-trailer": (begun + _framed(frames.end) + b"0\r\nx-flood: ", b"x"),
        }

    @property
    def _head(self) -> bytes:
        media_type = self._frames.media_type.encode()
        return _OK + b"content-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % media_type

    async def _send(self, data: bytes) -> None:
        await self._stream.send_all(data)
        self._record.sent_bytes += len(data)


async def _read_request(stream: trio.SocketStream) -> bytes:
    """A whole request, or nothing where the client has left. Nobody sends a second one ahead."""
    request = b""
    while piece := await stream.receive_some(READ_BYTES):
        request += piece
        head, end, body = request.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            return request
    return b""


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _document(body: bytes) -> bytes:
    head = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return _OK + head + body
