"""How often one worker has answered lately."""

from typing import Final

import attrs

from cortexd.domain.failure import FailureKind

HALF_LIFE_S: Final = 120.0
"""An attempt of so long ago has half the weight of one made now."""

GOOD_FOR_GRANTED: Final = 8.0
"""So many good attempts each worker starts with, and falls back on in time."""

_SAYS_NOTHING: Final = frozenset({FailureKind.REFUSED, FailureKind.BUSY})
"""The request was at fault, or our own queue."""


@attrs.define(eq=False)
class Standing:
    """The recent attempts of one worker. `now` is on the monotonic clock, in seconds."""

    _good: float = 0.0
    _bad: float = 0.0
    _at: float = 0.0

    def answered(self, now: float) -> None:
        """It has given a whole answer."""
        self._fade(now)
        self._good += 1.0

    def failed(self, now: float, kind: FailureKind) -> None:
        """It has not, and this is why."""
        if kind not in _SAYS_NOTHING:
            self._fade(now)
            self._bad += 1.0

    def success_share(self, now: float) -> float:
        """The share of recent attempts that were answered, from 0 to 1."""
        self._fade(now)
        good = self._good + GOOD_FOR_GRANTED
        return good / (good + self._bad)

    def _fade(self, now: float) -> None:
        if now > self._at:
            left = 0.5 ** ((now - self._at) / HALF_LIFE_S)
            self._good *= left
            self._bad *= left
            self._at = now
