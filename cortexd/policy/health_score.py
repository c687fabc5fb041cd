"""How well a worker is doing, as one number from 0 to 100.

The score is the least of what four things allow:

- **success**, the recent share of attempts it has answered: 100 from 95 % on, 80 at 90 %, 60 at
  80 %, 40 at 60 %, 0 at none. An attempt loses half of its weight every two minutes, and eight
  good ones are taken for granted, so that a single failure does not condemn who is hardly known.
- **speed**, the recent mean time to a first token: 100 up to 1 s, 80 at 2 s, 60 at 5 s, 40 at 15 s,
  20 from 60 s on. Of who has not been asked for minutes, nothing is held against it.
- its **health check**: 0 where it is unavailable, 50 before the first check.
- its **circuit breaker** and its **keys**: 20 while the breaker is open, 50 while it is half open,
  and 0 while no key is any good.

Between those points, the first two go in straight lines. A request that a worker refuses, a queue
of ours that is full, and a client that leaves say nothing about it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.traffic import Traffic

BEST: Final = 100

_BY_SUCCESS: Final = ((0.0, 0.0), (0.6, 40.0), (0.8, 60.0), (0.9, 80.0), (0.95, 100.0))
_BY_TTFT_S: Final = ((1.0, 100.0), (2.0, 80.0), (5.0, 60.0), (15.0, 40.0), (60.0, 20.0))

_AT_MOST_BY_STATUS: Final = {
    WorkerStatus.AVAILABLE: 100.0,
    WorkerStatus.UNKNOWN: 50.0,
    WorkerStatus.UNAVAILABLE: 0.0,
}
_AT_MOST_BY_BREAKER: Final = {
    BreakerState.CLOSED: 100.0,
    BreakerState.HALF_OPEN: 50.0,
    BreakerState.OPEN: 20.0,
}


def health_score(traffic: Traffic, health: WorkerHealth, now: float) -> int:
    """The score as of now. `now` is on the monotonic clock."""
    ttft_s = traffic.pace.ttft_s(now)
    return round(
        min(
            _along(_BY_SUCCESS, traffic.standing.success_share(now)),
            BEST if ttft_s is None else _along(_BY_TTFT_S, ttft_s),
            _AT_MOST_BY_STATUS[health.status],
            _AT_MOST_BY_BREAKER[traffic.breaker.state(now)],
            0.0 if traffic.keys.is_dead(now) else BEST,
        )
    )


def _along(points: Sequence[tuple[float, float]], x: float) -> float:
    """The height of the line through the points at `x`; level before the first and after the last.

    The points go from left to right.
    """
    if x <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left)
    return points[-1][1]
