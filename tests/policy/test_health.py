"""Verdicts on workers and on the node."""

import pytest

from cortexd.domain.worker import WorkerHealth, WorkerStatus
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


def test_a_bad_one_that_is_certain_decides_alone() -> None:
    """Nothing would be learned by asking again."""
    certain = Probe(failure="it has left", is_certain=True)
    assert _after(GOOD, GOOD, certain, unhealthy_after=3).status is UNAVAILABLE


def test_an_unavailable_worker_has_a_reason_and_keeps_its_models() -> None:
    """The reason goes with the verdict; what it served is still known."""
    down = _after(GOOD, BAD, BAD)

    assert (down.reason, down.models, down.checked_at) == ("connection refused", ("m",), 2.0)
    assert _after(BAD, GOOD, GOOD).reason is None


@pytest.mark.parametrize(
    ("available", "workers", "warns", "status"),
    [
        (0, 0, False, NodeStatus.NO_WORKERS),
        (0, 0, True, NodeStatus.NO_WORKERS),
        (0, 3, False, NodeStatus.CRITICAL),
        (0, 3, True, NodeStatus.CRITICAL),
        (1, 3, False, NodeStatus.DEGRADED),
        (1, 3, True, NodeStatus.DEGRADED),
        (1, 2, False, NodeStatus.HEALTHY),
        (1, 2, True, NodeStatus.WARNING),
        (3, 3, False, NodeStatus.HEALTHY),
        (3, 3, True, NodeStatus.WARNING),
    ],
)
def test_the_node_is_as_well_as_its_workers(
    available: int, workers: int, status: NodeStatus, *, warns: bool
) -> None:
    """Fewer than half is degraded, none is critical; a warning is the least of all troubles."""
    assert node_status(available=available, workers=workers, warns=warns) is status


@pytest.mark.parametrize("status", NodeStatus)
def test_only_a_node_without_an_available_worker_cannot_serve(status: NodeStatus) -> None:
    """The status that the probes answer with 503."""
    assert status.can_serve is (status.value not in {"critical", "no_workers"})
