"""Why a worker is not asked, and what a client is told if that is so of all."""

import random
from collections.abc import Callable, Sequence

import pytest

from cortexd.domain.ids import KeyIndex
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.obstacles import Obstacle, obstacle, out_of_reach
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.traffic import Traffic, new_traffic

NOW = 100.0


def break_it(traffic: Traffic) -> None:
    """Open the breaker."""
    for _ in range(5):
        traffic.breaker.failed(traffic.breaker.begin(NOW), NOW, "as told")


def limit_it(traffic: Traffic) -> None:
    """Limit all keys."""
    for key in range(2):
        traffic.keys.limited(KeyIndex(key), NOW, 10.0)


def kill_it(traffic: Traffic) -> None:
    """Take all keys from it, one way or another."""
    traffic.keys.rejected(KeyIndex(0), NOW)
    traffic.keys.exhausted(KeyIndex(1), NOW, 100.0)


@pytest.mark.parametrize(
    ("spoil", "status", "is_active", "expected"),
    [
        ((), WorkerStatus.AVAILABLE, True, None),
        ((), WorkerStatus.UNKNOWN, True, None),
        ((), WorkerStatus.UNAVAILABLE, True, Obstacle.UNHEALTHY),
        ((), WorkerStatus.AVAILABLE, False, Obstacle.DEACTIVATED),
        ((break_it,), WorkerStatus.AVAILABLE, True, Obstacle.BREAKER_OPEN),
        ((limit_it,), WorkerStatus.AVAILABLE, True, Obstacle.RATE_LIMITED),
        ((kill_it,), WorkerStatus.AVAILABLE, True, Obstacle.NO_HEALTHY_KEY),
        ((kill_it, limit_it), WorkerStatus.AVAILABLE, True, Obstacle.NO_HEALTHY_KEY),
        ((break_it, limit_it), WorkerStatus.AVAILABLE, True, Obstacle.RATE_LIMITED),
        ((break_it, kill_it), WorkerStatus.UNAVAILABLE, False, Obstacle.DEACTIVATED),
    ],
)
def test_the_most_lasting_obstacle_is_named(
    spoil: Sequence[Callable[[Traffic], None]],
    status: WorkerStatus,
    is_active: bool,  # noqa: FBT001  a column of the table
    expected: Obstacle | None,
) -> None:
    """One worker, one reason."""
    traffic = new_traffic(
        keys=2,
        breaker=BreakerSettings(),
        retry=RetrySettings(),
        chance=random.Random(1),  # noqa: S311  jitter is no secret
    )
    for each in spoil:
        each(traffic)
    assert obstacle(traffic, WorkerHealth(status=status), NOW, is_active=is_active) is expected


@pytest.mark.parametrize(
    ("obstacles", "status", "code"),
    [
        ((), 503, "no_worker_available"),
        ((Obstacle.UNHEALTHY,), 503, "no_worker_available"),
        ((Obstacle.NO_HEALTHY_KEY,), 503, "no_healthy_key"),
        ((Obstacle.RATE_LIMITED,), 429, "rate_limit_exceeded"),
        ((Obstacle.RATE_LIMITED, Obstacle.NO_HEALTHY_KEY), 429, "rate_limit_exceeded"),
        ((Obstacle.NO_HEALTHY_KEY, Obstacle.UNHEALTHY), 503, "no_worker_available"),
        ((Obstacle.RATE_LIMITED, Obstacle.BREAKER_OPEN), 503, "no_worker_available"),
    ],
)
def test_what_a_client_is_told(obstacles: Sequence[Obstacle], status: int, code: str) -> None:
    """The status of the one reason, if there is one, and that of a node out of workers if not."""
    told = out_of_reach("m", obstacles, [], retry_after_s=7.0)
    assert (told.status, told.code, told.retry_after_s) == (status, code, 7.0)


@pytest.mark.parametrize(("waits_s", "expected"), [([], 7.0), ([9.0, 3.0], 3.0), ([-1.0], 0.0)])
def test_the_time_to_come_back_is_that_of_the_first_to_recover(
    waits_s: list[float], expected: float
) -> None:
    """Unless nobody knows any."""
    told = out_of_reach("m", [Obstacle.BREAKER_OPEN], waits_s, retry_after_s=7.0)
    assert told.retry_after_s == expected
