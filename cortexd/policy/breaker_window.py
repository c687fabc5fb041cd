"""The calls of the last seconds, counted.

Rules of this file: one bucket a second, so the memory is bounded; the totals are kept and never
added up anew, so that a call costs the same however long the window is.
"""

import math

import attrs


@attrs.define
class _Bucket:
    """The calls that ended in the same second."""

    calls: int = 0
    failures: int = 0
    slow: int = 0


class CallWindow:
    """The second that is running and the `seconds - 1` before it."""

    __slots__ = ("_buckets", "_second", "calls", "failures", "slow")

    def __init__(self, seconds: int) -> None:
        self._buckets = [_Bucket() for _ in range(seconds)]
        self._second = 0
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def add(self, now: float, *, failed: bool = False, slow: bool = False) -> None:
        """Count a call that has ended."""
        self.forget(now)
        bucket = self._buckets[self._second % len(self._buckets)]
        bucket.calls += 1
        bucket.failures += failed
        bucket.slow += slow
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def forget(self, now: float) -> None:
        """Leave out what has become too old; to be called before the totals are read."""
        second = math.floor(now)
        for later in range(1, min(second - self._second, len(self._buckets)) + 1):
            place = (self._second + later) % len(self._buckets)
            old = self._buckets[place]
            self.calls -= old.calls
            self.failures -= old.failures
            self.slow -= old.slow
            self._buckets[place] = _Bucket()
        self._second = max(self._second, second)

    def clear(self) -> None:
        """Begin anew."""
        self._buckets = [_Bucket() for _ in self._buckets]
        self.calls = self.failures = self.slow = 0
