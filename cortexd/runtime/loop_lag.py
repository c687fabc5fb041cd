"""How late the event loop is: a task that wants to wake up twice a second, and notes when it did.

The only thing in a node that knows whether the others are being held up.
"""

from collections import deque
from typing import Final

import attrs
import trio

from cortexd.policy.pressure import LAG_S_MAX

BEAT_S: Final = 0.5
SAMPLES: Final = 20
"""How many beats the mean is of: ten seconds of them, when all is well."""

WORST_S: Final = 5.0
"""For so long the worst beat is remembered."""


@attrs.frozen
class _Beat:
    at: float
    lag_s: float


class LoopLag:
    """The measurements; they outlive the task that makes them."""

    def __init__(self) -> None:
        self._beats: deque[_Beat] = deque(maxlen=SAMPLES)

    async def measure(self) -> None:
        """Beat for ever."""
        due = trio.current_time()
        while True:
            now = trio.current_time()
            self._beats.append(_Beat(now, max(0.0, now - due)))
            due = now + BEAT_S
            await trio.sleep_until(due)

    def mean_s(self) -> float:
        """How late it has been lately: one pause counts little however long, many count."""
        return sum(min(beat.lag_s, LAG_S_MAX) for beat in self._beats) / SAMPLES

    def worst_s(self) -> float:
        """How late it was at worst in the last seconds, or is now."""
        now = trio.current_time()
        recent = (beat.lag_s for beat in self._beats if now - beat.at <= WORST_S)
        return max(max(recent, default=0.0), self.still_s() - BEAT_S)

    def still_s(self) -> float:
        """For how long it has not been seen to turn; 0 before the first beat."""
        return trio.current_time() - self._beats[-1].at if self._beats else 0.0
