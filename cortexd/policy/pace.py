"""How fast one worker has been lately."""

from typing import Final

import attrs

HALF_LIFE_S: Final = 30.0
"""A measurement of so long ago has half the weight of one made now."""

MEMORY_S: Final = 300.0
"""What nothing newer than this is known of is not known."""


@attrs.define(eq=False)
class _RecentMean:
    """A mean in which a measurement's weight halves with every half-life."""

    mean: float = 0.0
    weight: float = 0.0
    at: float = 0.0

    def add(self, value: float, now: float) -> None:
        self.weight = 1.0 + self.weight * 0.5 ** (max(0.0, now - self.at) / HALF_LIFE_S)
        self.mean += (value - self.mean) / self.weight
        self.at = now

    def value(self, now: float) -> float | None:
        return self.mean if self.weight and now - self.at <= MEMORY_S else None


class Pace:
    """The recent times of one worker. `now` is on the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._ttft_s = _RecentMean()
        self._held_s = _RecentMean()

    def started(self, now: float, ttft_s: float) -> None:
        """An answer has begun, `ttft_s` after the worker was asked."""
        self._ttft_s.add(ttft_s, now)

    def held(self, now: float, seconds: float) -> None:
        """One of the worker's slots was held for so long, whatever came of it."""
        self._held_s.add(seconds, now)

    def ttft_s(self, now: float) -> float | None:
        """The recent mean time to a first token; `None` if there was none for minutes."""
        return self._ttft_s.value(now)

    def held_s(self, now: float) -> float | None:
        """The recent mean time for which a slot is held; `None` if there was none for minutes."""
        return self._held_s.value(now)
