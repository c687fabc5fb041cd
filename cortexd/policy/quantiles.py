"""Quantiles of values that are all at hand, by nearest rank: always one of the values."""

import math
from collections.abc import Sequence


def quantile(ordered: Sequence[float], q: float) -> float:
    """The least of the values that the share `q` of them, from 0 to 1, does not exceed.

    `ordered`: at least one value, the smallest first.
    """
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]
