"""Compares what two pieces of work cost, and holds the result against a budget.

Rules of this file: costs are CPU time, so that other processes on the machine do not count, and are
only ever compared with a cost measured right before, because the machine's own speed changes.
"""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

import attrs

Work = Callable[[], Awaitable[object]]


@attrs.frozen(kw_only=True)
class Comparison:
    """How many times as much as its reference something cost, in several rounds.

    Without `ratio_max` it has no budget: it is there to be read.
    """

    subject: str
    ratios: Sequence[float]
    ratio_max: float | None = None

    @property
    def ratio(self) -> float:
        """The median, which a disturbed round does not move."""
        return statistics.median(self.ratios)

    @property
    def is_within_budget(self) -> bool:
        """Whether it costs no more than it may."""
        return self.ratio_max is None or self.ratio <= self.ratio_max


async def cpu_seconds(work: Work) -> float:
    """Run some work and tell how much CPU time it took, its own garbage collection included."""
    gc.collect()
    begin = time.process_time()
    await work()
    return time.process_time() - begin


def render(comparisons: Sequence[Comparison]) -> str:
    """Make a table of comparisons, one a line."""
    width = max(len(each.subject) for each in comparisons)
    lines = [f"{'':{width}}   median    lowest - highest    budget"]
    lines += (
        f"{each.subject:{width}}  {each.ratio:7.3f}x"
        f"  {min(each.ratios):8.3f} - {max(each.ratios):<8.3f}  {_verdict(each)}"
        for each in comparisons
    )
    return "\n".join(lines)


def _verdict(comparison: Comparison) -> str:
    if comparison.ratio_max is None:
        return f"{'none':>8}"
    return f"{comparison.ratio_max:7.3f}x  {'ok' if comparison.is_within_budget else 'over'}"
