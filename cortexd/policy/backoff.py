"""How long to wait before a worker is asked again: three strategies, by the kind of the failure.

Source of the formulas: "Exponential Backoff And Jitter" in the AWS Architecture Blog, which calls
them full, equal and decorrelated jitter. Without jitter, all that failed together come again
together.
"""

import random
from collections.abc import Mapping
from typing import Final

import attrs

from cortexd.domain.failure import FailureKind

# The exponential is far over any cap by then, and a float does not grow for ever.
_DOUBLINGS_MAX: Final = 64


@attrs.frozen
class FullJitter:
    """Anything from zero to the capped exponential: best spread, for those who hit a limit."""

    base_s: float
    cap_s: float

    def wait_s(self, retry: int, _previous_s: float | None, chance: random.Random) -> float:
        """The seconds before this retry."""
        return chance.uniform(0.0, _exponential_s(self.base_s, self.cap_s, retry))


@attrs.frozen
class EqualJitter:
    """Half of the capped exponential, and up to as much again: never too soon for a sick server."""

    base_s: float
    cap_s: float

    def wait_s(self, retry: int, _previous_s: float | None, chance: random.Random) -> float:
        """The seconds before this retry."""
        half_s = _exponential_s(self.base_s, self.cap_s, retry) / 2.0
        return half_s + chance.uniform(0.0, half_s)


@attrs.frozen
class DecorrelatedJitter:
    """Anything from the base to a multiple of the wait before: `growth` times as long in the mean.

    The original draws from all of it and then cuts to the cap, so that many waits are the cap to
    the microsecond. Here the range is cut before the draw: no wait leaves it, and none is likelier.
    """

    base_s: float
    cap_s: float
    growth: float

    def wait_s(self, _retry: int, previous_s: float | None, chance: random.Random) -> float:
        """The seconds after a wait of `previous_s`, `None` for the first one."""
        before_s = self.base_s if previous_s is None else max(self.base_s, previous_s)
        # Half of what is drawn lies below the middle: twice the growth is the one in the mean.
        return chance.uniform(self.base_s, min(self.cap_s, before_s * self.growth * 2.0))


RATE_LIMIT: Final = FullJitter(base_s=2.0, cap_s=60.0)
NETWORK: Final = DecorrelatedJitter(base_s=0.5, cap_s=10.0, growth=1.5)
SERVER_ERROR: Final = EqualJitter(base_s=1.0, cap_s=20.0)

_STRATEGIES: Final[Mapping[FailureKind, FullJitter | DecorrelatedJitter]] = {
    FailureKind.RATE_LIMITED: RATE_LIMIT,
    FailureKind.UNREACHABLE: NETWORK,
    FailureKind.TIMED_OUT: NETWORK,
}


def backoff_s(
    kind: FailureKind, *, retry: int, previous_s: float | None, chance: random.Random
) -> float:
    """The seconds to wait before the retry of this number, from 1, after a failure of this kind.

    `previous_s`: the wait before the retry before, if there was one. What is neither a rate limit
    nor the network's fault is the server's. A gate that the worker itself has set may be later.
    """
    return _STRATEGIES.get(kind, SERVER_ERROR).wait_s(retry, previous_s, chance)


def _exponential_s(base_s: float, cap_s: float, retry: int) -> float:
    return min(cap_s, base_s * 2.0 ** min(retry - 1, _DOUBLINGS_MAX))
