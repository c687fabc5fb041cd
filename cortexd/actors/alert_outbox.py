"""What one channel has yet to tell people; it outlives the channel's incarnations.

Rules of this file: nothing in here waits but `wait_filled` and `wait_settled`, so whoever puts
something in is never held up; the queue is bounded, and what is dropped is counted and told.
"""

from collections import deque
from typing import Final

import trio

from cortexd.domain.alert import AlertDigest, Notice, Severity

WAITING_MAX: Final = 64
"""So many notices wait for a channel; beyond that the oldest go."""


class AlertOutbox:
    """The notices for one channel, from `least` severity on.

    What is taken out stays in until it is `delivered` or `given_up`, so a channel that crashes in
    between takes the same again.
    """

    def __init__(self, least: Severity) -> None:
        self._least = least
        self._waiting: deque[Notice] = deque()
        self._taken: tuple[Notice, ...] = ()
        self._lost = 0
        self._lost_told = 0
        self._attempts = 0
        self._filled = trio.Event()
        self._settled = trio.Event()
        self._is_held = False
        self.delivered_count = 0
        self.failure: str | None = None
        """Why the last attempt failed; `None` once one has gone well."""

    @property
    def queued(self) -> int:
        """How many notices are still to be told."""
        return len(self._taken) + len(self._waiting)

    @property
    def unsettled(self) -> tuple[Notice, ...]:
        """Those that are still to be told, oldest first."""
        return (*self._taken, *self._waiting)

    @property
    def lost(self) -> int:
        """How many were never told, and will not be."""
        return self._lost

    @property
    def attempts(self) -> int:
        """How often what is taken now has been tried."""
        return self._attempts

    def put(self, notice: Notice) -> None:
        """Add a notice, unless it is not severe enough for this channel. Never waits."""
        if not self.takes(notice):
            return
        if len(self._waiting) == WAITING_MAX:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(notice)
        self._filled.set()

    def takes(self, notice: Notice) -> bool:
        """Whether it is severe enough for this channel."""
        return notice.severity.rank >= self._least.rank

    def withdraw(self) -> None:
        """Leave to somebody else what is in here; an attempt under way is not tried again."""
        self._waiting.clear()
        self._taken = ()

    def hold(self, *, is_held: bool) -> None:
        """Have nothing more taken for the time being, or let it go on."""
        if self._is_held and not is_held:
            self._filled.set()
        self._is_held = is_held

    async def wait_settled(self) -> None:
        """Wait until something that was taken is delivered or given up."""
        await self._settled.wait()

    async def wait_filled(self) -> None:
        """Wait until there is something to tell."""
        while self._is_held or not self.queued:
            self._filled = trio.Event()
            await self._filled.wait()

    def take(self, now: float) -> AlertDigest:
        """What to tell next: what was taken before and not settled, or else all that waits."""
        if not self._taken:
            self._taken = tuple(self._waiting)
            self._waiting.clear()
            self._attempts = 0
        self._attempts += 1
        self._lost_told = self._lost
        return AlertDigest(
            notices=self._taken,
            ages_s=tuple(now - notice.at for notice in self._taken),
            lost=self._lost,
        )

    def delivered(self) -> None:
        """People have been told what was taken."""
        self.delivered_count += len(self._taken)
        self._lost -= self._lost_told
        self.failure = None
        self._settle()

    def failed(self, reason: str) -> None:
        """It did not work, and is to be tried again."""
        self.failure = reason

    def given_up(self, reason: str) -> int:
        """It will not be tried again; gives how many notices are lost by that."""
        lost = len(self._taken)
        self._lost += lost
        self.failure = reason
        self._settle()
        return lost

    def _settle(self) -> None:
        self._taken = ()
        self._settled.set()
        self._settled = trio.Event()
