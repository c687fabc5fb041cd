"""Counters and histograms that cost a fraction of a microsecond to move.

Those of prometheus_client take a lock each time, for programs of many threads, and look for the
right bucket one by one. All that moves these is in one thread.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from cortexd.observability.metric_catalog import Metric


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int = 1) -> None:
        """Let it grow."""
        self.value += amount


class Spread:
    """How many values fell between which bounds, and what they are together."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value; one that is on a bound belongs below it."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


T = TypeVar("T")


class Tallies(Generic[T]):
    """The tallies of one metric, by the values of its labels."""

    def __init__(self, metric: Metric, make: Callable[[], T]) -> None:
        self.metric = metric
        self._make = make
        self._tallies: dict[tuple[str, ...], T] = {}

    def of(self, *labels: str) -> T:
        """The tally of these values of the labels; from now on it is among those shown."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = self._make()
        return tally

    def forget(self, first: str) -> None:
        """Drop all tallies whose first label is this."""
        for labels in [labels for labels in self._tallies if labels[0] == first]:
            del self._tallies[labels]

    def items(self) -> Iterator[tuple[tuple[str, ...], T]]:
        """The tallies with the values of their labels."""
        yield from self._tallies.items()
