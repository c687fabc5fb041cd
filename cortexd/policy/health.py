"""What a series of probe results says about a worker, and what the workers say about the node."""

from enum import Enum, unique

import attrs
from attrs import validators

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
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
    """The result of one health check: the models served, or why it failed, and of what kind.

    `duration_s`: how long it took. `is_certain`: one that failed takes the worker out alone.
    """

    models: tuple[str, ...] = ()
    failure: str | None = None
    kind: FailureKind | None = None
    duration_s: float = 0.0
    is_certain: bool = False


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
    elif not good and (probe.is_certain or bad_in_a_row >= settings.unhealthy_after):
        status = WorkerStatus.UNAVAILABLE
    else:
        status = health.status
    return WorkerHealth(
        status=status,
        reason=(probe.failure or health.reason) if status is WorkerStatus.UNAVAILABLE else None,
        failure=(probe.kind if not good else health.failure)
        if status is WorkerStatus.UNAVAILABLE
        else None,
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
    WARNING = "warning"
    DEGRADED = "degraded"
    CRITICAL = "critical"
    NO_WORKERS = "no_workers"

    @property
    def can_serve(self) -> bool:
        """Whether a chat can be answered at all."""
        return self not in {NodeStatus.CRITICAL, NodeStatus.NO_WORKERS}


def node_status(*, available: int, workers: int, warns: bool = False) -> NodeStatus:
    """Degraded: fewer than half of the workers are available. Critical: none is.

    `warns`: something else asks for an operator's attention.
    """
    if not workers:
        return NodeStatus.NO_WORKERS
    if not available:
        return NodeStatus.CRITICAL
    if available * 2 < workers:
        return NodeStatus.DEGRADED
    return NodeStatus.WARNING if warns else NodeStatus.HEALTHY


@attrs.frozen(kw_only=True)
class HealthCheck:
    """One health check and what it has shown. `at` is in monotonic seconds.

    `status`: the verdict on the worker after it; `available` of `workers` had a good one then.
    """

    at: float
    worker: WorkerName
    failure: str | None
    duration_s: float
    status: WorkerStatus
    available: int
    workers: int


@unique
class WorkerState(Enum):
    """How a worker is doing, all told: what its health checks say, its failures, and its slots."""

    AVAILABLE = "available"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"

    @property
    def takes_requests(self) -> bool:
        """Whether it is known to be well; one that is busy has a queue."""
        return self in {WorkerState.AVAILABLE, WorkerState.BUSY}
