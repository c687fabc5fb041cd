"""Verdicts on workers and on the node."""

import pytest

from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.degradation import degradation_level
from cortexd.policy.health import (
    HealthSettings,
    NodeStatus,
    Probe,
    is_contested,
    judge,
    node_status,
)

GOOD = Probe(models=("m",))
BAD = Probe(failure="connection refused")
AVAILABLE, UNAVAILABLE = WorkerStatus.AVAILABLE, WorkerStatus.UNAVAILABLE


def _after(*probes: Probe, **settings: int) -> WorkerHealth:
    health = WorkerHealth()
    for now, probe in enumerate(probes):
        health = judge(health, probe, now=float(now), settings=HealthSettings(**settings))
    return health


@pytest.mark.parametrize(
    ("probes", "status", "contested"),
    [
        ([GOOD], AVAILABLE, False),
        ([BAD], UNAVAILABLE, False),
        ([GOOD, BAD], AVAILABLE, True),
        ([GOOD, BAD, GOOD, BAD], AVAILABLE, True),
        ([GOOD, BAD, BAD], UNAVAILABLE, False),
        ([BAD, GOOD], UNAVAILABLE, True),
        ([BAD, GOOD, GOOD], AVAILABLE, False),
        ([BAD, GOOD, BAD, GOOD], UNAVAILABLE, True),
    ],
)
def test_the_first_probe_decides_alone_and_later_ones_two_by_two(
    probes: list[Probe], status: WorkerStatus, *, contested: bool
) -> None:
    """One odd result never changes a verdict, but it is looked into."""
    health = _after(*probes)

    assert (health.status, is_contested(health)) == (status, contested)


def test_the_numbers_of_probes_are_settings() -> None:
    """Three bad ones where three are asked for."""
    assert _after(GOOD, BAD, BAD, unhealthy_after=3).status is AVAILABLE
    assert _after(GOOD, BAD, BAD, BAD, unhealthy_after=3).status is UNAVAILABLE


def test_an_unavailable_worker_has_a_reason_and_keeps_its_models() -> None:
    """The reason goes with the verdict; what it served is still known."""
    down = _after(GOOD, BAD, BAD)

    assert (down.reason, down.models, down.checked_at) == ("connection refused", ("m",), 2.0)
    assert _after(BAD, GOOD, GOOD).reason is None


@pytest.mark.parametrize(
    ("available", "workers", "status"),
    [
        (0, 0, NodeStatus.NO_WORKERS),
        (0, 3, NodeStatus.CRITICAL),
        (1, 3, NodeStatus.DEGRADED),
        (1, 2, NodeStatus.HEALTHY),
        (3, 3, NodeStatus.HEALTHY),
    ],
)
def test_the_node_is_as_well_as_its_workers(
    available: int, workers: int, status: NodeStatus
) -> None:
    """Fewer than half is degraded, none is critical."""
    statuses = [AVAILABLE] * available + [UNAVAILABLE] * (workers - available)

    assert node_status(statuses) is status


@pytest.mark.parametrize(
    ("available", "workers", "level"),
    [
        (5, 5, "healthy"),
        (4, 5, "healthy"),
        (3, 5, "minor_issues"),
        (1, 2, "minor_issues"),
        (1, 3, "major_issues"),
        (1, 6, "critical"),
        (0, 6, "emergency"),
        (0, 0, "emergency"),
    ],
)
def test_the_degradation_level_follows_the_share_of_available_workers(
    available: int, workers: int, level: str
) -> None:
    """The five levels with their least shares 0.8, 0.5, 0.2 and more than none."""
    assert degradation_level(available, workers).value == level
