"""How often a supervisor may restart its children.

Rules of this file: no clock; every method that needs the time is given it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

from supervisor_tree.errors import InvalidSpec
from supervisor_tree.validation import is_count, is_number

_EXPIRY_MARGIN_S: Final = 1.0


@attrs.frozen
class Failure:
    """One restart that was needed: when (Trio's clock, seconds), for whom, and why."""

    time: float
    child_id: str
    error: BaseException | None


class RestartIntensity:
    """A budget of `max_restarts` restarts in any `max_seconds` seconds, both ends included.

    Errors: InvalidSpec.
    """

    def __init__(self, *, max_restarts: int, max_seconds: float) -> None:
        if not is_count(max_restarts):
            raise InvalidSpec(f"max_restarts must be a whole number, not {max_restarts!r}")
        if not is_number(max_seconds) or not 0 < max_seconds < math.inf:
            raise InvalidSpec(f"max_seconds must be positive and finite, not {max_seconds!r}")
        self._max_restarts = max_restarts
        self._max_seconds = max_seconds
        self._failures: deque[Failure] = deque()

    @property
    def history(self) -> tuple[Failure, ...]:
        """The failures inside the window at the last charge, oldest first."""
        return tuple(self._failures)

    def charge(self, failure: Failure) -> bool:
        """Book one restart; false means that the budget is overdrawn."""
        self.forget(now=failure.time)
        self._failures.append(failure)
        return len(self._failures) <= self._max_restarts

    @property
    def expires_at(self) -> float:
        """When the oldest failure has left the window; infinity if there is none.

        The end of the window belongs to it, so this is the first moment after. A supervisor that
        woke at the end itself would find nothing to forget and wake again, for ever.
        """
        if not self._failures:
            return math.inf
        return math.nextafter(self._failures[0].time + self._max_seconds, math.inf)

    def forget(self, *, now: float) -> None:
        """Drop what has left the window, so that no old crash is kept in memory."""
        while now >= self.expires_at:
            self._failures.popleft()
