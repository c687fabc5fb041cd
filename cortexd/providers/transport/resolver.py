"""Which addresses a host has now, for everybody who connects.

Each Trio run has one `Resolver`, and Trio itself asks it: so `trio.open_tcp_stream` tries addresses
as it always does, whoever calls it, httpx included, and TLS and Host still go by the name. What a
custom resolver gets and must return is said in Trio's reference, "Low-level networking".

Rules of this file: names come out of the operator's settings, so they are few, and are remembered
until the run ends. A look-up belongs to no task; nobody's leaving ends it, and it is for all who
want to know. For each name there is one at a time.
"""

import socket
from collections import deque
from functools import partial
from math import inf
from socket import AddressFamily, SocketKind
from typing import Final, Literal, TypeAlias

import attrs
import trio

from cortexd.providers.transport.address_book import KnownName
from cortexd.providers.transport.look_up import Answer, StartLookUp, start_look_up

AddressInfo: TypeAlias = (
    tuple[Literal[AddressFamily.AF_INET], SocketKind, int, str, tuple[str, int]]
    | tuple[
        Literal[AddressFamily.AF_INET6],
        SocketKind,
        int,
        str,
        tuple[str, int, int, int] | tuple[int, bytes],
    ]
)
"""What `getaddrinfo` returns for an address; see Python's `socket`."""

LOOK_UPS_MAX: Final = 16
"""So many names are looked up at a time; further ones wait for their turn."""

PATIENCE_S: Final = 0.2
"""After so long, who knows addresses that were good not long ago goes by them."""


class Resolver(trio.abc.HostnameResolver):
    """Remembers the addresses of hosts, and keeps them fresh as long as somebody asks."""

    def __init__(self, start_look_up: StartLookUp = start_look_up) -> None:
        self._start_look_up = start_look_up
        self._book: dict[str, KnownName] = {}
        self._look_ups: dict[str, _LookUp] = {}
        self._queue: deque[str] = deque()
        self._running = 0

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses to connect to, the best first.

        With addresses that are good, or were not long ago, it does not wait for longer than
        `PATIENCE_S`; else it may for as long as the system does.

        Errors: `OSError` where there are none: how the look-up has failed.
        Cancellation: at any time; others who wait for the same name are not concerned.
        """
        name = self._book.setdefault(host, KnownName())
        now = trio.current_time()
        is_usable = name.is_usable(now)
        if is_usable and not name.is_due(now):
            await trio.lowlevel.checkpoint()
            return name.addresses(now)
        look_up = self._look_up(host)
        with trio.move_on_at(look_up.asked_at + PATIENCE_S if is_usable else inf):
            await look_up.done.wait()
        return name.addresses(trio.current_time())

    def is_current(self, host: str, address: str) -> bool:
        """Whether the host still has this address, as far as is known.

        Where it is time to look the host up again, that begins here; this answer does not wait.
        """
        name = self._book.get(host)
        if name is None:
            return True
        if name.is_due(trio.current_time()):
            self._look_up(host)
        return name.has(address)

    async def getaddrinfo(  # noqa: PLR0913, PLR0917  Trio's signature
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        """What Trio asks for a name that has to be looked up; see `addresses`.

        Any other question than where to connect to is none of ours, and goes to the system.
        """
        if host is None or family or flags:
            return await trio.to_thread.run_sync(
                socket.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True
            )
        return [
            entry
            for address in await self.addresses(host.decode("ascii"))
            # It only puts an address into the form that a socket wants, and never waits.
            for entry in socket.getaddrinfo(
                address, port, family, type, proto, socket.AI_NUMERICHOST
            )
        ]

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """The name of an address: as without us."""
        return await trio.to_thread.run_sync(
            socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True
        )

    def _look_up(self, host: str) -> "_LookUp":
        """The look-up that is under way, or a new one."""
        look_up = self._look_ups.get(host)
        if look_up is None:
            look_up = self._look_ups[host] = _LookUp(trio.current_time())
            self._queue.append(host)
            self._start_next()
        return look_up

    def _start_next(self) -> None:
        while self._queue and self._running < LOOK_UPS_MAX:
            self._running += 1
            host = self._queue.popleft()
            self._start_look_up(host, partial(self._note, host))

    def _note(self, host: str, answer: Answer) -> None:
        self._running -= 1
        now = trio.current_time()
        if isinstance(answer, OSError):
            self._book[host].note_failure(answer, now=now)
        else:
            self._book[host].note_answer(answer, now=now)
        self._look_ups.pop(host).done.set()
        self._start_next()


@attrs.frozen(eq=False)
class _LookUp:
    asked_at: float
    done: trio.Event = attrs.Factory(trio.Event)


_of_this_run: Final = trio.lowlevel.RunVar[Resolver]("cortexd's resolver")


def resolver_of_run() -> Resolver:
    """The resolver of this Trio run, which Trio asks from the first call on."""
    try:
        return _of_this_run.get()
    except LookupError:
        return install(Resolver())


def install(resolver: Resolver) -> Resolver:
    """Have this Trio run go by `resolver`, until it ends."""
    _of_this_run.set(resolver)
    trio.socket.set_custom_hostname_resolver(resolver)
    return resolver
