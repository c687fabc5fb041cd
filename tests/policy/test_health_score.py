"""The score of a worker: the least of what success, speed, health, breaker and keys allow."""

import pytest

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import FIRST_KEY
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.health_score import health_score
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.standing import HALF_LIFE_S
from cortexd.policy.traffic import Traffic, new_traffic
from tests.parts import CHANCE

WELL = WorkerHealth(status=WorkerStatus.AVAILABLE)
ILL = WorkerHealth(status=WorkerStatus.UNAVAILABLE)


@pytest.fixture
def traffic() -> Traffic:
    """That of a worker nobody has asked yet."""
    return new_traffic(keys=1, breaker=BreakerSettings(), retry=RetrySettings(), chance=CHANCE)


def _attempts(traffic: Traffic, good: int, bad: int, *, now: float = 0.0) -> None:
    for _ in range(good):
        traffic.standing.answered(now)
    for _ in range(bad):
        traffic.standing.failed(now, FailureKind.SERVER_ERROR)


def test_nothing_is_held_against_who_has_not_been_asked(traffic: Traffic) -> None:
    """Full score as soon as its health check is good; half of it before the first one."""
    assert health_score(traffic, WELL, 0.0) == 100
    assert health_score(traffic, WorkerHealth(), 0.0) == 50
    assert health_score(traffic, ILL, 0.0) == 0


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [(0, 0, 100), (0, 1, 78), (92, 0, 100), (92, 25, 60), (992, 10_000, 6), (987, 5, 100)],
)
def test_success(traffic: Traffic, good: int, bad: int, expected: int) -> None:
    """The more of the recent attempts have failed, the lower it is."""
    _attempts(traffic, good, bad)
    assert health_score(traffic, WELL, 0.0) == expected


def test_failures_are_forgotten(traffic: Traffic) -> None:
    """What failed long ago does not count, and nothing needs to be asked for that."""
    _attempts(traffic, 0, 8)
    assert health_score(traffic, WELL, 0.0) == 33
    assert health_score(traffic, WELL, HALF_LIFE_S) == 47
    assert health_score(traffic, WELL, 20 * HALF_LIFE_S) == 100


@pytest.mark.parametrize("kind", [FailureKind.REFUSED, FailureKind.BUSY])
def test_what_says_nothing_of_the_worker(traffic: Traffic, kind: FailureKind) -> None:
    """A request that was at fault, and a queue of ours that was full, are not held against it."""
    for _ in range(50):
        traffic.standing.failed(0.0, kind)
    assert health_score(traffic, WELL, 0.0) == 100


@pytest.mark.parametrize(
    ("ttft_s", "expected"),
    [(0.1, 100), (1.0, 100), (1.5, 90), (2.0, 80), (5.0, 60), (10.0, 50), (15.0, 40), (600.0, 20)],
)
def test_speed(traffic: Traffic, ttft_s: float, expected: int) -> None:
    """Slow first tokens lower it."""
    traffic.pace.started(0.0, ttft_s)
    assert health_score(traffic, WELL, 0.0) == expected


def test_the_least_counts(traffic: Traffic) -> None:
    """Being quick makes up for no failure, nor the other way round."""
    traffic.pace.started(0.0, 0.01)
    _attempts(traffic, 92, 25)
    assert health_score(traffic, WELL, 0.0) == 60


def test_an_open_breaker(traffic: Traffic) -> None:
    """It is low while the breaker is open, and middling while the worker is on trial."""
    for _ in range(5):
        traffic.breaker.failed(traffic.breaker.begin(0.0), 0.0, "told so")
    assert health_score(traffic, WELL, 1.0) == 20
    retry_at = traffic.breaker.retry_at(1.0)
    assert retry_at is not None
    assert health_score(traffic, WELL, retry_at) == 50


def test_no_good_key(traffic: Traffic) -> None:
    """A worker without any good key is of no use."""
    traffic.keys.rejected(FIRST_KEY, 0.0)
    assert health_score(traffic, WELL, 0.0) == 0
