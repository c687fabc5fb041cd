"""What a series of probe results says about a worker, and what the workers say about the node."""

from collections.abc import Collection
from enum import Enum, unique

import attrs
from attrs import validators

from cortexd.domain.worker import WorkerHealth, WorkerStatus


@attrs.frozen(kw_only=True)
class HealthSettings:
    """[health] in cortexd.toml. Times in seconds.

    `unhealthy_after` bad probes in a row take a worker out, `healthy_after` good ones bring it
    back.
    """

    interval_seconds: float = attrs.field(default=30.0, validator=validators.gt(0))
    timeout_seconds: float = attrs.field(default=5.0, validator=validators.gt(0))
    unhealthy_after: int = attrs.field(default=2, validator=validators.ge(1))
    healthy_after: int = attrs.field(default=2, validator=validators.ge(1))


@attrs.frozen
class Probe:
    """The result of one health check: the models served, or why it failed."""

    models: tuple[str, ...] = ()
    failure: str | None = None


def judge(
    health: WorkerHealth, probe: Probe, *, now: float, settings: HealthSettings
) -> WorkerHealth:
    """The verdict after one more probe.

    The first probe decides alone, since nothing is known before it; after that a change of mind
    takes as many like results in a row as the settings ask for.
    """
    good = probe.failure is None
    good_in_a_row = health.good_in_a_row + 1 if good else 0
    bad_in_a_row = 0 if good else health.bad_in_a_row + 1
    if health.status is WorkerStatus.UNKNOWN:
        status = WorkerStatus.AVAILABLE if good else WorkerStatus.UNAVAILABLE
    elif good and good_in_a_row >= settings.healthy_after:
        status = WorkerStatus.AVAILABLE
    elif not good and bad_in_a_row >= settings.unhealthy_after:
        status = WorkerStatus.UNAVAILABLE
    else:
        status = health.status
    return WorkerHealth(
        status=status,
        reason=(probe.failure or health.reason) if status is WorkerStatus.UNAVAILABLE else None,
        models=probe.models if good else health.models,
        checked_at=now,
        bad_in_a_row=bad_in_a_row,
        good_in_a_row=good_in_a_row,
    )


def is_contested(health: WorkerHealth) -> bool:
    """Whether the last probe speaks against the verdict, so that the next should come soon."""
    available = health.status is WorkerStatus.AVAILABLE
    return health.bad_in_a_row > 0 if available else health.good_in_a_row > 0


@unique
class NodeStatus(Enum):
    """How the node is doing; the last two mean that it cannot serve."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    CRITICAL = "critical"
    NO_WORKERS = "no_workers"

    @property
    def can_serve(self) -> bool:
        """Whether a chat can be answered at all."""
        return self in {NodeStatus.HEALTHY, NodeStatus.DEGRADED}


def node_status(workers: Collection[WorkerStatus]) -> NodeStatus:
    """Degraded: fewer than half of the workers are available. Critical: none is."""
    if not workers:
        return NodeStatus.NO_WORKERS
    available = sum(status is WorkerStatus.AVAILABLE for status in workers)
    if available == 0:
        return NodeStatus.CRITICAL
    return NodeStatus.DEGRADED if available * 2 < len(workers) else NodeStatus.HEALTHY
