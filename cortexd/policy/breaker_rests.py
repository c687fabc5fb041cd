"""How long an open circuit breaker rests: longer with each opening in series."""

import math
import random
from typing import Final

JITTER: Final = 0.2
"""Rests are spread by this share, so that nodes do not come back to a worker in step."""


class RestSeries:
    """A rest of `first_s`, then twice that, and so on up to `last_s`; each of them give or take.

    Health shortens the series again: by one doubling, at the next opening, for each `first_s` that
    the breaker was closed before without a break. What flaps faster than that rests ever longer.
    """

    __slots__ = ("_chance", "_first_s", "_last_s", "_length", "_length_max")

    def __init__(self, *, first_s: float, last_s: float, chance: random.Random) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._chance = chance
        self._length = 0
        # Longer than that, and it would take more health to get away from than the rest is worth.
        self._length_max = 1 + max(0, math.ceil(math.log2(last_s / first_s)))

    def next_s(self, *, closed_s: float) -> float:
        """The seconds of the rest that begins, after `closed_s` of having been closed."""
        healed = int(min(closed_s / self._first_s, self._length))
        self._length = min(self._length - healed + 1, self._length_max)
        rest_s = min(self._first_s * 2.0 ** (self._length - 1), self._last_s)
        return rest_s * self._chance.uniform(1.0 - JITTER, 1.0 + JITTER)

    def clear(self) -> None:
        """Begin anew."""
        self._length = 0
