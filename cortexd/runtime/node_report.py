"""What a node tells the others of itself with each beat: read from what its parts publish."""

from collections.abc import Callable, Sequence
from importlib import metadata

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.alert import Condition
from cortexd.domain.cluster import ClusterState, ClusterView, NodeReport, Verdict, WorkerReport
from cortexd.domain.worker import WorkerStatus
from cortexd.runtime.worker_identity import identity


def _none() -> Sequence[Condition]:
    return ()


@attrs.frozen(kw_only=True, eq=False)
class ReportParts:
    """Where it is read; nothing of it waits. `place`: see `runtime/worker_identity.py`.

    `conditions`: what the node's alert rules find wrong with it now.
    """

    view: Published[ClusterView]
    pool: Published[PoolView]
    address: str | None
    place: str
    status: Callable[[], str]
    level: Callable[[], str]
    in_flight: Callable[[], int]
    requests_per_second: Callable[[], float]
    conditions: Callable[[], Sequence[Condition]] = _none

    def report(self) -> NodeReport:
        """The report of this moment."""
        now, is_in_one = trio.current_time(), self.view.value.state is not ClusterState.OFF
        return NodeReport(
            address=self.address,
            version=metadata.version("cortexd"),
            in_flight=self.in_flight(),
            requests_per_second=round(self.requests_per_second(), 3),
            status=self.status(),
            degradation_level=self.level(),
            workers=tuple(self._worker(member, now) for member in self.pool.value.members),
            conditions=tuple(self.conditions()) if is_in_one else (),
        )

    def _worker(self, member: PoolMember, now: float) -> WorkerReport:
        worker, health = member.worker, member.health
        checked_at = health.checked_at
        verdict = None
        if checked_at is not None:
            verdict = Verdict(
                is_good=health.status is WorkerStatus.AVAILABLE and not health.bad_in_a_row,
                models=health.models,
                age_s=round(max(0.0, now - checked_at), 3),
            )
        return WorkerReport(
            name=worker.name,
            type=worker.settings.type.value,
            is_active=worker.is_active,
            state=member.state(now).value,
            breaker=worker.breaker.state(now).value,
            identity=identity(worker.settings, place=self.place),
            is_preferred=worker.settings.node == self.view.value.node,
            verdict=verdict,
        )
