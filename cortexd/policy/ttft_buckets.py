"""Times to a first token, counted in buckets that are fine enough for quantiles.

Each bucket is a tenth wider than the one before, so that a quantile is off by less than 5 %,
whatever its size, and costs the same whether ten answers were measured or a million.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

FIRST_S: Final = 0.001
"""What is shorter is in the first bucket."""

LAST_S: Final = 3600.0
"""What is longer is in the last one."""

_GROWTH: Final = 1.1
_LOG_GROWTH: Final = math.log(_GROWTH)

BUCKETS: Final = 2 + math.ceil(math.log(LAST_S / FIRST_S) / _LOG_GROWTH)


def bucket_of(seconds: float) -> int:
    """The place of the bucket that this time belongs to."""
    if seconds <= FIRST_S:
        return 0
    return min(BUCKETS - 1, 1 + int(math.log(seconds / FIRST_S) / _LOG_GROWTH))


def quantile_s(counts: Sequence[int], q: float) -> float | None:
    """The time that a share `q` of those counted did not exceed; `None` if there were none."""
    total = sum(counts)
    if not total:
        return None
    wanted = max(1, math.ceil(q * total))
    place = next(place for place, seen in enumerate(accumulate(counts)) if seen >= wanted)
    # The middle of a bucket, as ratios go.
    return FIRST_S if place == 0 else FIRST_S * _GROWTH ** (place - 0.5)
