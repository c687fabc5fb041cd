"""Looking up the addresses of a host, in a thread of its own.

The system's `getaddrinfo` waits for as long as it likes, half a minute with common settings, and
nothing can stop it. So it does not take part in Trio's pool of threads, where database and files
would come to wait behind it, and belongs to no task: whoever asks may leave.
"""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import trio

Answer: TypeAlias = tuple[str, ...] | OSError
"""The addresses of a host, best first; or why there are none."""

StartLookUp: TypeAlias = Callable[[str, Callable[[Answer], None]], None]
"""Begins to look up a host, and returns at once; the answer is told later, in Trio's thread."""


def start_look_up(host: str, tell: Callable[[Answer], None]) -> None:
    """Ask the system; see `StartLookUp`."""
    token = trio.lowlevel.current_trio_token()

    def deliver(answer: Answer) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(tell, answer)

    try:
        trio.lowlevel.start_thread_soon(
            lambda: look_up(host), lambda outcome: deliver(outcome.unwrap()), "look-up"
        )
    except RuntimeError:
        # The system gives us no more threads.
        deliver(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))


def look_up(host: str) -> Answer:
    """Ask the system, and wait for it."""
    try:
        # As bytes: Python would encode a text once more.
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except OSError as exc:
        return exc
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
