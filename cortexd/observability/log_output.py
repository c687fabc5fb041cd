"""Where log lines go, without ever waiting: a reader that has stopped must not stop the node.

The descriptor itself is left as it is, since others may share it. A pipe or a terminal is opened a
second time, in non-blocking mode; a socket, such as the journal's, takes a flag for each call; a
file never makes one wait (open(2), send(2)).
"""

import os
import select
import socket
import stat
import threading
import time
from collections import deque
from typing import Final

BACKLOG_BYTES_MAX: Final = 1024 * 1024
"""What is kept for a reader that is slow. Behind it, lines are lost, and counted."""

FLUSH_S_MAX: Final = 1.0
"""How long the last lines wait for their reader when the process ends."""


class LogOutput:
    """A text stream for loggers, usable from every thread.

    What cannot be written now is kept, and goes out in front of what comes later. Lost lines are
    told of in a line of their own, as soon as there is room for it.
    """

    def __init__(self, descriptor: int, *, backlog_bytes_max: int = BACKLOG_BYTES_MAX) -> None:
        self._descriptor = descriptor
        self._socket: socket.socket | None = None
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        elif not stat.S_ISREG(mode):
            self._descriptor = _opened_anew(descriptor)
        self._is_own = self._descriptor != descriptor
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._backlog_bytes_max = backlog_bytes_max
        self._lost = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Write it now, or keep it, or lose it; never wait."""
        data = text.encode(errors="backslashreplace")
        with self._lock:
            if not self._backlog or self._send_backlog():
                data = self._send(data)
            if data:
                self._keep(data)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what could be written has been."""

    def close(self) -> None:
        """Give what is left a moment to go out, and write nothing any more."""
        self.drain()
        if self._socket is not None:
            self._socket.close()
        elif self._is_own:
            os.close(self._descriptor)
            self._is_own = False

    def drain(self) -> None:
        """Wait, a moment at most, until nothing is left to go out."""
        give_up_at = time.monotonic() + FLUSH_S_MAX
        with self._lock:
            while self._backlog and not self._send_backlog():
                left_s = give_up_at - time.monotonic()
                if left_s <= 0 or not select.select([], [self._descriptor], [], left_s)[1]:
                    return

    def isatty(self) -> bool:
        """Whether people read along."""
        return os.isatty(self._descriptor)

    def _send_backlog(self) -> bool:
        """Whether all that was kept has gone out."""
        while self._backlog:
            piece = self._backlog.popleft()
            self._backlog_bytes -= len(piece)
            if rest := self._send(piece):
                self._backlog.appendleft(rest)
                self._backlog_bytes += len(rest)
                return False
        if self._lost:
            told = b'{"level":"warning","event":"log lines lost","lost":%d}\n' % self._lost
            if rest := self._send(told):
                self._backlog.append(rest)
                self._backlog_bytes += len(rest)
            self._lost = 0
        return not self._backlog

    def _send(self, data: bytes) -> bytes:
        """Hand over what is taken; returns the rest."""
        try:
            if self._socket is not None:
                return data[self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            return data
        except OSError:
            # Nobody is there any more, or the disk is full: a log is no reason to end.
            return b""

    def _keep(self, data: bytes) -> None:
        if self._backlog_bytes + len(data) > self._backlog_bytes_max:
            self._lost += 1
            return
        self._backlog.append(data)
        self._backlog_bytes += len(data)


def _opened_anew(descriptor: int) -> int:
    """The same file through a description of its own; as it is, where that is not allowed."""
    path = f"/proc/self/fd/{descriptor}"
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(path, flags)
    except OSError:
        return descriptor
