"""What the node tells the service manager that has started it.

The protocol is that of sd_notify(3): datagrams of `NAME=VALUE` lines to the socket whose address is
in `NOTIFY_SOCKET`. Where nobody has asked for them, nothing is sent.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import trio

NANOSECONDS_PER_MICROSECOND: Final = 1000
MICROSECONDS: Final = 1_000_000

STATUS_INTERVAL_S: Final = 5.0
"""How often the line that `systemctl status` shows is written anew."""

BEATS_PER_TIMEOUT: Final = 3
"""One beat may be late, and the next one as well, before a watchdog bites."""


class ServiceManager:
    """The one who has started the process, if it is one that wants to be told.

    Telling never waits and never fails: a manager that does not listen is no concern of the node.
    """

    def __init__(self, address: str | None = None, *, watchdog_s: float | None = None) -> None:
        self._address = _as_bound(address) if address else None
        self._socket = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self.watchdog_s = watchdog_s
        """How long it waits for a sign of life before it kills the process; `None`: for ever."""

    @property
    def listens(self) -> bool:
        """Whether there is anybody to tell."""
        return self._socket is not None

    def ready(self) -> None:
        """Say that the node serves, for the first time or again after a reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` has to follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // NANOSECONDS_PER_MICROSECOND
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that the node has begun to stop."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line that is shown to people."""
        self._tell(f"STATUS={' '.join(text.split())}")

    def alive(self) -> None:
        """Give a sign of life. To be called from the event loop, since that is what may stall."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if self._socket is not None and self._address is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)


def service_manager(environment: Mapping[str, str]) -> ServiceManager:
    """The service manager that these variables tell of."""
    watchdog_us = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return ServiceManager(
        environment.get("NOTIFY_SOCKET"),
        watchdog_s=int(watchdog_us) / MICROSECONDS if watchdog_us.isdigit() and is_ours else None,
    )


async def beat(manager: ServiceManager, status: Callable[[], str]) -> None:
    """Give signs of life, and say how the node is, until cancelled."""
    interval_s = STATUS_INTERVAL_S
    if manager.watchdog_s is not None:
        interval_s = min(interval_s, manager.watchdog_s / BEATS_PER_TIMEOUT)
    told, due = "", trio.current_time()
    while True:
        manager.alive()
        if trio.current_time() >= due and (text := status()) != told:
            manager.status(text)
            told, due = text, trio.current_time() + STATUS_INTERVAL_S
        await trio.sleep(interval_s)


def _as_bound(address: str) -> str:
    """An address in the abstract namespace is written with `@` in place of its NUL."""
    return f"\0{address[1:]}" if address.startswith("@") else address
