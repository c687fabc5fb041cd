"""One client connection: the socket, its time limits and its end.

The connection's own task is the reader; it decides everything. The tasks of the requests only
write, mark what they want done and interrupt the reader, so nothing here waits in a task that may
have been cancelled. Rules of this file: whoever ends the connection calls `_end` or `abort`, which
are sync and may be called twice; after `run` has returned, or raised, the socket is closed.
"""

import math
import os
import socket
import struct
from contextlib import suppress
from enum import Enum, auto
from typing import Final

import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.utils import parse_socket_addr

from cortexd.runtime.http_host import Host, Patience
from cortexd.runtime.http_protocol import Http11

READ_BYTES: Final = 64 * 1024
HEAD_BYTES: Final = 8 * 1024
"""What most requests surely fit into; to make room is most of what a read costs."""

WRITE_BYTES: Final = 16 * 1024
PIPELINED_BYTES_MAX: Final = 64 * 1024
"""More than this, sent ahead while a response is running, is left to the kernel to hold back."""

WRITE_STALL_S_MAX: Final = 30.0
"""How long a client may take to make room for WRITE_BYTES; who needs longer has stopped reading."""

LAST_REQUEST_S: Final = 0.5
"""How long an idle connection stays open once the node stops.

A client in the midst of asking gets its answer, with word to go elsewhere, instead of a reset.
"""

LINGER_S_MAX: Final = 1.0
LINGER_BYTES_MAX: Final = 1024 * 1024
TAIL_S_MAX: Final = 1.0
"""How long the tasks of a closed connection may go on, to book what they have served."""

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
REQUEST_TIMEOUT: Final = 408


class Phase(Enum):
    """Where in the life of a connection we are; each has its own time limit."""

    IDLE = auto()  # before the first byte of a request
    HEAD = auto()
    BUSY = auto()  # from a complete head to the end of the response; the application's time


class Connection:
    """Serves the requests of one client, one after another.

    Errors: `OSError` from the constructor if the client has left already.
    """

    def __init__(self, stream: trio.SocketStream, host: Host, patience: Patience) -> None:
        sock = stream.socket
        self._client = parse_socket_addr(sock.family, sock.getpeername())
        self._server = parse_socket_addr(sock.family, sock.getsockname())
        self._stream = stream
        self._host = host
        self._patience = patience
        self._idle_s = patience.keep_alive_s
        self._phase = Phase.IDLE
        self._deadline = trio.current_time() + patience.header_s
        # Around the reader's wait, as long as it waits.
        self._waiting: trio.CancelScope | None = None
        self._is_ending = False
        self._has_more = False
        self._room = HEAD_BYTES
        self._sending = trio.Lock()

    async def run(self) -> None:
        """Until the connection has ended, by either side."""
        async with trio.open_nursery() as nursery:
            self._protocol = Http11(
                self._host,
                nursery,
                self._on_event,
                write=self._write,
                ends=(self._client, self._server),
            )
            try:
                await self._read()
                await self._protocol.handle(Closed())
                await self._part()
            finally:
                # Whatever is left of it now is left behind; this also wakes a writer in its shield.
                self.abort()
            nursery.cancel_scope.deadline = trio.current_time() + TAIL_S_MAX

    def stop(self) -> None:
        """Close after the response, or in a moment if no request has begun."""
        self._idle_s = LAST_REQUEST_S
        if self._phase is Phase.IDLE:
            self._enter(Phase.IDLE, self._idle_s)

    def abort(self) -> None:
        """Reset the connection, whatever it is doing."""
        self._is_ending = True
        if self._stream.socket.fileno() == -1:
            return
        with suppress(OSError):
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._stream.socket.close()

    async def _read(self) -> None:
        while not self._is_ending:
            if self._has_more:
                self._has_more = False
                await self._protocol.read_on()
                continue
            received = await self._receive()
            if received is not None:
                await self._take(received)
            elif trio.current_time() >= self._deadline:
                await self._expire()

    async def _receive(self) -> bytes | None:
        """The next bytes, none at the end of input, `None` if interrupted or out of time."""
        is_full = self._phase is Phase.BUSY and self._protocol.buffered_bytes > PIPELINED_BYTES_MAX
        self._waiting = waiting = trio.CancelScope(deadline=self._deadline)
        try:
            with waiting:
                if is_full:
                    await trio.sleep_forever()
                return await self._read_when_ready()
        except (OSError, trio.ClosedResourceError):
            return b""
        finally:
            self._waiting = None
        return None

    async def _read_when_ready(self) -> bytes:
        """As Trio's own reading, but it waits first: a client rarely speaks when asked."""
        while True:
            await trio.lowlevel.wait_readable(self._stream.socket)
            with suppress(BlockingIOError):
                received = os.read(self._stream.socket.fileno(), self._room)
                # A head has come with two reads, or is larger than any may be.
                is_full = len(received) == self._room
                self._room = READ_BYTES - HEAD_BYTES if is_full else HEAD_BYTES
                return received

    async def _take(self, received: bytes) -> None:
        if received and self._phase is Phase.IDLE:
            self._enter(Phase.HEAD, self._patience.header_s)
        await self._protocol.handle(RawData(received))
        if not received:
            self._end()  # a half-close counts as gone

    async def _expire(self) -> None:
        if self._phase is Phase.HEAD:
            await self._protocol.refuse(REQUEST_TIMEOUT)
        self._end()

    async def _on_event(self, event: Event) -> None:
        """What the protocol wants; called by the reader and by the tasks of the requests."""
        if isinstance(event, Closed):
            self._end()
        elif isinstance(event, Updated) and not event.idle:
            self._enter(Phase.BUSY, math.inf)
        elif isinstance(event, Updated) and self._protocol.buffered_bytes:
            self._has_more = True
            self._enter(Phase.HEAD, self._patience.header_s)
            self._interrupt()
        elif isinstance(event, Updated):
            self._enter(Phase.IDLE, self._idle_s)

    def _enter(self, phase: Phase, seconds: float) -> None:
        self._phase = phase
        self._deadline = trio.current_time() + seconds
        if self._waiting is not None:
            self._waiting.deadline = self._deadline

    def _end(self) -> None:
        self._is_ending = True
        self._interrupt()

    def _interrupt(self) -> None:
        """Have the reader see to what has changed."""
        if self._waiting is not None:
            self._waiting.cancel()

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        # Mostly there is room, and then there is nothing to wait for, nor anybody to wait behind.
        if not self._sending.locked():
            data = self._write_at_once(data)
        if data:
            await self._write_in_turn(data)

    def _write_at_once(self, data: bytes) -> bytes:
        """Hand the kernel what it takes; returns the rest."""
        try:
            return data[os.write(self._stream.socket.fileno(), data) :]
        except OSError:
            # No room, or nobody there: both are for the way that may wait.
            return data

    async def _write_in_turn(self, data: bytes) -> None:
        # A piece sent by half would garble all that comes after it, so it cannot be cancelled.
        with trio.CancelScope(shield=True):
            try:
                async with self._sending:
                    for start in range(0, len(data), WRITE_BYTES):
                        await self._write_piece(memoryview(data)[start : start + WRITE_BYTES])
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._end()  # it is the reader that tells the application

    async def _write_piece(self, piece: memoryview) -> None:
        with trio.move_on_after(WRITE_STALL_S_MAX) as stall:
            await self._stream.send_all(piece)
        if stall.cancelled_caught:
            self.abort()

    async def _part(self) -> None:
        """Close so that the client gets to read what it was sent last."""
        sock = self._stream.socket
        if self._protocol.ends_without_sign or sock.fileno() == -1:
            return
        if self._protocol.has_unread_input:
            # A close with input unread is a reset, which may overtake the answer.
            with suppress(OSError), trio.move_on_after(LINGER_S_MAX):
                sock.shutdown(socket.SHUT_WR)
                await self._discard_input()
        sock.close()

    async def _discard_input(self) -> None:
        left = LINGER_BYTES_MAX
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while left > 0 and (data := await self._stream.receive_some(READ_BYTES)):
                left -= len(data)
