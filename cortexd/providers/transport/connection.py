"""One connection to a worker: bytes out, bytes in, and whether it is still good."""

import os
import select
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import trio

from cortexd.providers.transport.reasons import reason

READ_BYTES_MAX: Final = 32 * 1024
"""While its client does not read, a stream holds several copies of what one read has brought."""

PIECE_BYTES: Final = 8 * 1024
"""What the next piece of a stream surely fits into."""


class ConnectionLost(Exception):
    """The peer or the network has ended the connection; the text says how."""


class Connection(Protocol):
    """Nothing here has a time limit, that is the caller's; closing never waits."""

    @property
    def opened_at(self) -> float:
        """When it was opened, on Trio's clock."""
        ...

    @property
    def is_sound(self) -> bool:
        """Whether all that was to be sent has left."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of it, as far as the peer takes it.

        That it takes no more is not an error here: it may have answered before it hung up, and
        what it said is still to be read. If it said nothing, reading tells.
        """
        ...

    async def receive(self) -> bytes | bytearray:
        """What one read brings; nothing at the end of input.

        Errors: `ConnectionLost`.
        """
        ...

    def has_input(self) -> bool:
        """Whether there is something to read, without reading it.

        On an idle connection that is an end, an error, or what nobody has asked for.
        """
        ...

    def is_current(self) -> bool:
        """Whether its host still has the address that it goes to, as far as is known."""
        ...

    def close(self) -> None:
        """Close it at once; may be called again."""
        ...


class SocketConnection:
    """The `Connection` over a socket, perhaps with TLS on it."""

    def __init__(
        self,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        socket: trio.socket.SocketType,
        is_current: Callable[[], bool],
    ) -> None:
        self.is_current = is_current
        """Whether its host still has the address that it goes to; see `Connection`."""

        self.opened_at = trio.current_time()
        self.is_sound = True
        """Whether all that was to be sent has left."""

        self._stream = stream
        self._is_plain = isinstance(stream, trio.SocketStream)
        self._socket = socket
        self._descriptor = socket.fileno()
        self._room = PIECE_BYTES
        self._poll = select.poll()
        self._poll.register(socket.fileno(), select.POLLIN)

    async def send(self, data: bytes) -> None:
        """Send all of it, as far as the peer takes it; see `Connection`."""
        self.is_sound = False
        try:
            if rest := self._write_at_once(data) if self._is_plain else data:
                await self._stream.send_all(rest)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        self.is_sound = True

    def _write_at_once(self, data: bytes) -> bytes:
        """Hand the kernel what it takes, which mostly is all; returns the rest."""
        try:
            return data[os.write(self._descriptor, data) :]
        except OSError:
            # No room, or nobody there: both are for the way that may wait.
            return data

    def receive(self) -> Coroutine[Any, Any, bytes | bytearray]:
        """What one read brings; nothing at the end of input.

        Over TLS, an end without a good-bye is a loss: anybody on the way could have made it.

        Errors: `ConnectionLost`.
        """
        # Not a coroutine of its own: each one on the way is woken up with each piece.
        return self._read_when_ready() if self._is_plain else self._read_tls()

    async def _read_tls(self) -> bytes | bytearray:
        try:
            return await self._stream.receive_some(READ_BYTES_MAX)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise ConnectionLost(reason(exc)) from exc

    async def _read_when_ready(self) -> bytes:
        """As Trio's own reading, but it waits first: a stream is rarely there before it is asked.

        A read that brought less than it had room for has emptied the socket, and to find that out
        once more would cost a system call and an exception for each piece. Room is given as it is
        needed: most of what a read costs is to make it.
        """
        while True:
            if self._descriptor < 0:
                raise ConnectionLost("it has been closed here")
            try:
                if self._room == PIECE_BYTES:
                    await trio.lowlevel.wait_readable(self._descriptor)
                else:
                    await trio.lowlevel.checkpoint()
                data = os.read(self._descriptor, self._room)
            except BlockingIOError:
                self._room = PIECE_BYTES
                continue
            except (OSError, trio.ClosedResourceError) as exc:
                raise ConnectionLost(reason(exc)) from exc
            self._room = READ_BYTES_MAX if len(data) == self._room else PIECE_BYTES
            return data

    def has_input(self) -> bool:
        """Whether there is something to read, without reading it; see `Connection`."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close the socket at once; may be called again.

        There is no good-bye of TLS: sending it could wait for a peer that does not read, and it
        matters to nobody, as each request says itself how long it is.
        """
        self._descriptor = -1
        self._socket.close()
