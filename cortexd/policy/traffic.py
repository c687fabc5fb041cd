"""What is known of the traffic with one worker: how it fares, and what may be asked of it."""

import random

import attrs

from cortexd.policy.circuit_breaker import BreakerSettings, CircuitBreaker
from cortexd.policy.key_health import KeyRing
from cortexd.policy.pace import Pace
from cortexd.policy.retry_budget import RetryBudget, RetrySettings
from cortexd.policy.standing import Standing


@attrs.frozen(eq=False)
class Traffic:
    """Five accounts of the same worker. They outlive every actor, and whoever attempts keeps them.

    Keeping them by message would make the judgement on a worker as late as the mailbox is long.
    """

    breaker: CircuitBreaker
    keys: KeyRing
    budget: RetryBudget
    pace: Pace
    standing: Standing

    def ready_at(self, now: float) -> float | None:
        """When the worker may be asked; `None` if nobody can tell."""
        key_at = self.keys.ready_at(now)
        return None if key_at is None else max(key_at, self.breaker.retry_at(now) or now)


def new_traffic(
    *, keys: int, breaker: BreakerSettings, retry: RetrySettings, chance: random.Random
) -> Traffic:
    """The accounts of a worker that has just been hired. `keys`: how many API keys it has."""
    return Traffic(
        breaker=CircuitBreaker(breaker, chance=chance),
        keys=KeyRing(max(1, keys)),
        budget=RetryBudget(retry),
        pace=Pace(),
        standing=Standing(),
    )
