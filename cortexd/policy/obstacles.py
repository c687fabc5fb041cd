"""Why a worker that serves a model is not asked, and what a client is told if that is so of all."""

from collections.abc import Sequence
from enum import Enum, unique
from typing import Final

from cortexd.domain.errors import NoWorkerAvailable
from cortexd.domain.failure import FailureKind
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.traffic import Traffic


@unique
class Obstacle(Enum):
    """The value completes "skipped, …"."""

    DEACTIVATED = "deactivated"
    UNHEALTHY = "unhealthy"
    BREAKER_OPEN = "breaker open"
    RATE_LIMITED = "rate limited"
    NO_HEALTHY_KEY = "no healthy key"

    @property
    def passes(self) -> bool:
        """Whether it is known when it will have gone."""
        return self in {Obstacle.BREAKER_OPEN, Obstacle.RATE_LIMITED}


LASTING: Final = frozenset(
    {
        Obstacle.DEACTIVATED,
        Obstacle.UNHEALTHY,
        Obstacle.BREAKER_OPEN,
        Obstacle.NO_HEALTHY_KEY,
    }
)
"""What makes a worker unavailable; a rate limit only makes it wait for a moment."""

_KEYS = {Obstacle.RATE_LIMITED, Obstacle.NO_HEALTHY_KEY}


def obstacle(
    traffic: Traffic, health: WorkerHealth, now: float, *, is_active: bool
) -> Obstacle | None:
    """What stands in the way of asking a worker now; the most lasting obstacle, if several do."""
    if not is_active:
        return Obstacle.DEACTIVATED
    if health.status is WorkerStatus.UNAVAILABLE:
        return Obstacle.UNHEALTHY
    if not traffic.keys.is_ready(now):
        return Obstacle.NO_HEALTHY_KEY if traffic.keys.is_dead(now) else Obstacle.RATE_LIMITED
    return None if traffic.breaker.admits(now) else Obstacle.BREAKER_OPEN


def out_of_reach(
    model: str | None,
    obstacles: Sequence[Obstacle],
    waits_s: Sequence[float],
    *,
    retry_after_s: float,
) -> NoWorkerAvailable:
    """What is told to a client whose request nobody can take.

    `waits_s`: how long it takes until some of them can be asked again; `retry_after_s` is said
    where none is known.
    """
    wait_s = max(0.0, min(waits_s)) if waits_s else retry_after_s
    name = repr(model or "a chat")
    if obstacles and _KEYS.issuperset(obstacles):
        if Obstacle.RATE_LIMITED not in obstacles:
            consequence = FailureKind.BAD_KEY.value
            why = "the gateway has no API key left that its provider takes"
        else:
            consequence = FailureKind.RATE_LIMITED.value
            why = "the provider's rate limit is reached"
        return NoWorkerAvailable(
            f"no worker that serves {name} can be asked now: {why}; "
            "try again after the time in retry-after",
            retry_after_s=wait_s,
            status=consequence.status,
            code=consequence.code,
        )
    return NoWorkerAvailable(
        f"no worker that serves {name} is available now; try again after the time in retry-after",
        retry_after_s=wait_s,
    )
