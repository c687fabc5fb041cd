"""How many retries a worker is sent, measured by the requests it gets.

Source of the idea: `RetryBudget` of Finagle, and the chapter on cascading failures in Google's book
on site reliability. Where everything fails, retries must not multiply the load.
"""

from collections import deque
from typing import Final

import attrs
from attrs import validators

WINDOW_S: Final = 10


@attrs.frozen(kw_only=True)
class RetrySettings:
    """[retry] in cortexd.toml.

    `max_attempts`: of one request, over all workers and keys. `budget_ratio` of a worker's requests
    may be retries, and `budget_floor_per_second` besides, so that a quiet worker has some, too.
    """

    max_attempts: int = attrs.field(default=3, validator=validators.ge(1))
    budget_ratio: float = attrs.field(default=0.2, validator=validators.ge(0))
    budget_floor_per_second: float = attrs.field(default=1.0, validator=validators.ge(0))


@attrs.define
class _Second:
    """What happened in one second of the clock."""

    number: int
    requests: int = 0
    retries: int = 0


class RetryBudget:
    """The retries that one worker may still be sent.

    At each granted retry, those of the last ten seconds, with this one, are no more than the ratio
    of the requests of the same seconds plus ten times the floor. The seconds are whole ones of the
    clock, the running one included. A retry is no request: whoever withdraws does not deposit.
    """

    def __init__(self, settings: RetrySettings) -> None:
        self.configure(settings)
        self._seconds: deque[_Second] = deque()
        self._requests = 0
        self._retries = 0

    def configure(self, settings: RetrySettings) -> None:
        """Go by other settings from now on; what was counted stays."""
        self._ratio = settings.budget_ratio
        self._floor = settings.budget_floor_per_second * WINDOW_S

    def deposit(self, now: float) -> None:
        """A request is being sent."""
        self._second(now).requests += 1
        self._requests += 1

    def withdraw(self, now: float) -> bool:
        """Whether a retry may be sent now; if so, it counts as sent."""
        second = self._second(now)
        if self._retries + 1 > self._ratio * self._requests + self._floor:
            return False
        second.retries += 1
        self._retries += 1
        return True

    def _second(self, now: float) -> _Second:
        """The running second; what is older than the window is forgotten."""
        number = int(now)
        seconds = self._seconds
        while seconds and seconds[0].number <= number - WINDOW_S:
            old = seconds.popleft()
            self._requests -= old.requests
            self._retries -= old.retries
        if not seconds or seconds[-1].number != number:
            seconds.append(_Second(number))
        return seconds[-1]
