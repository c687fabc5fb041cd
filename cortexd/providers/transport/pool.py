"""Which connection a request gets, and which ones are closed.

Rules of this file: nothing waits, and nothing is closed here. Time comes in as `now`; what is to be
closed goes out as a list, which the caller closes.
"""

from collections import deque
from typing import Final, Generic, Protocol, TypeVar

from cortexd.domain.connections import ConnectionStatistics

# Many servers close a connection that was idle for 5 s: be the first to let go.
IDLE_S_MAX: Final = 4.0

# A balancer in front of a worker may have got more machines, which only new connections find.
LIFETIME_S_MAX: Final = 60.0


class Poolable(Protocol):
    """What the pool asks of a connection."""

    @property
    def opened_at(self) -> float:
        """When it was opened, on the clock of `now`."""
        ...

    def has_input(self) -> bool:
        """Whether it has something to read, its end included."""
        ...

    def is_current(self) -> bool:
        """Whether its host still has the address that it goes to."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=Poolable)


class PoolFull(Exception):
    """As many connections are in use as there may be."""


class Pool(Generic[ConnectionT]):
    """The connections to one worker.

    `in_use_max` is no queue: the slots of the worker are what requests wait for, and this bound
    only holds should somebody forget about them. It cannot leak, as what it counts is the
    connections themselves, which `release` and `drop` take out by identity.
    """

    def __init__(self, *, in_use_max: int, idle_max: int) -> None:
        self._in_use_max = in_use_max
        self._idle_max = idle_max
        self._idle: deque[tuple[ConnectionT, float]] = deque()  # with the time it became idle
        self._in_use: set[ConnectionT] = set()
        self._connecting = 0
        self._opened = 0
        self._reused = 0
        self._stale_retries = 0
        self._is_closed = False

    def statistics(self) -> ConnectionStatistics:
        """The numbers of this moment."""
        return ConnectionStatistics(
            open=len(self._in_use) + len(self._idle),
            idle=len(self._idle),
            in_use=len(self._in_use),
            connecting=self._connecting,
            opened=self._opened,
            reused=self._reused,
            stale_retries=self._stale_retries,
        )

    def take(self, *, now: float) -> tuple[ConnectionT | None, list[ConnectionT]]:
        """The idle connection that was used last and is still good, if any; and those to close.

        Errors: `PoolFull`.
        """
        self._check_room()
        unfit = self._take_forgotten(now)
        while self._idle:
            connection, _ = self._idle.pop()
            if not (_is_outdated(connection, now) or connection.has_input()):
                self._in_use.add(connection)
                self._reused += 1
                return connection, unfit
            unfit.append(connection)
        return None, unfit

    def begin_connecting(self) -> None:
        """A connection is being made, until `end_connecting`.

        Errors: `PoolFull`.
        """
        self._check_room()
        self._connecting += 1

    def end_connecting(self, connection: ConnectionT | None) -> None:
        """It has been made, and is in use; or it has not."""
        self._connecting -= 1
        if connection is not None:
            self._opened += 1
            self._in_use.add(connection)

    def release(self, connection: ConnectionT, *, now: float) -> list[ConnectionT]:
        """The connection is good for another request. What comes back is to be closed."""
        self._in_use.discard(connection)
        if self._is_closed or _is_outdated(connection, now):
            return [connection]
        self._idle.append((connection, now))
        unfit = self._take_forgotten(now)
        while len(self._idle) > self._idle_max:
            unfit.append(self._idle.popleft()[0])
        return unfit

    def drop(self, connection: ConnectionT) -> None:
        """The connection is good for nothing; its user closes it."""
        self._in_use.discard(connection)

    def count_stale_retry(self) -> None:
        """A request is sent again, as its connection was closed while it was idle."""
        self._stale_retries += 1

    def close(self) -> list[ConnectionT]:
        """Keep nothing from now on. What comes back is to be closed."""
        self._is_closed = True
        idle = [connection for connection, _ in self._idle]
        self._idle.clear()
        return idle

    def _check_room(self) -> None:
        if len(self._in_use) + self._connecting >= self._in_use_max:
            raise PoolFull

    def _take_forgotten(self, now: float) -> list[ConnectionT]:
        # Last in, first out: those at the left have been idle longest. What is outdated may stand
        # anywhere, and is found when it is taken, or here 4 s later.
        forgotten = []
        while self._idle and now - self._idle[0][1] > IDLE_S_MAX:
            forgotten.append(self._idle.popleft()[0])
        return forgotten


def _is_outdated(connection: Poolable, now: float) -> bool:
    return now - connection.opened_at > LIFETIME_S_MAX or not connection.is_current()
