"""What a circuit breaker has been through, for operators."""

import math
from collections import deque
from typing import Final

import attrs

from cortexd.policy.breaker_states import BreakerState

HISTORY_MAX: Final = 50
"""So many changes are remembered."""


@attrs.frozen(kw_only=True)
class BreakerChange:
    """A transition that has happened. `open_s`: how long the worker is to rest, if it opened."""

    before: BreakerState
    after: BreakerState
    reason: str
    open_s: float | None = None


@attrs.frozen
class PastChange:
    """A transition, and when it was, in monotonic seconds."""

    at: float
    change: BreakerChange


@attrs.frozen(kw_only=True)
class BreakerRecord:
    """The breaker as operators see it.

    `calls` and `failures` are those in the window. `opened`: how often. `uptime_share`: of the time
    since the breaker was first used, the share (0 to 1) in which it was not open. `history` has the
    oldest change first.
    """

    state: BreakerState
    calls: int
    failures: int
    failures_in_a_row: int
    last_failure: str | None
    uptime_share: float
    opened: int
    history: tuple[PastChange, ...]


class BreakerHistory:
    """The last changes, and the time spent open.

    A rest ends when its time is over, even where nobody has noticed yet.
    """

    __slots__ = ("_changes", "_open_s", "_open_since", "_open_until", "_since", "opened")

    def __init__(self) -> None:
        self._changes: deque[PastChange] = deque(maxlen=HISTORY_MAX)
        self._since: float | None = None
        self._open_since = self._open_until = -math.inf
        self._open_s = 0.0
        self.opened = 0

    def begin(self, now: float) -> None:
        """Count the time from now on, unless it is being counted."""
        if self._since is None:
            self._since = now

    def add(self, change: BreakerChange, at: float) -> None:
        """Remember a change."""
        self._changes.append(PastChange(at, change))
        if change.before is BreakerState.OPEN:
            self._open_s += min(at, self._open_until) - self._open_since
        if change.open_s is not None:
            self._open_since, self._open_until = at, at + change.open_s
            self.opened += 1

    def changes(self) -> tuple[PastChange, ...]:
        """The changes, oldest first."""
        return tuple(self._changes)

    def uptime_share(self, now: float) -> float:
        """The share of the time counted that was not spent open; 1 before any has passed."""
        if self._since is None or now <= self._since:
            return 1.0
        open_s = self._open_s
        if self._changes and self._changes[-1].change.after is BreakerState.OPEN:
            open_s += min(now, self._open_until) - self._open_since
        return max(0.0, 1.0 - open_s / (now - self._since))
