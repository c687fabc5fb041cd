"""What load balancers, Kubernetes and curious people ask: alive, ready, healthy."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolView
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.degradation import degradation_level
from cortexd.policy.health import node_status


@attrs.frozen(kw_only=True)
class NodeProbes:
    """The three answers, read from what the actors have published.

    `uptime_s` and `is_draining` come from the node; `wall_clock` gives seconds since the epoch.
    """

    view: Published[PoolView]
    uptime_s: Callable[[], float]
    is_draining: Callable[[], bool]
    wall_clock: Callable[[], float]

    def livez(self) -> tuple[int, Any]:
        """The loop turns, or this would not be answered."""
        return 200, {"status": "alive"}

    def readyz(self) -> tuple[int, Any]:
        """Whether to send traffic here: not draining, and a worker is available."""
        if self.is_draining():
            return 503, {"status": "draining"}
        status = node_status(self._statuses())
        return (200 if status.can_serve else 503), {"status": status.value}

    def health(self) -> tuple[int, Any]:
        """The node and each of its workers, with the reason where one is unavailable."""
        statuses = self._statuses()
        status = node_status(statuses)
        available = sum(one is WorkerStatus.AVAILABLE for one in statuses)
        members = self.view.value.members
        return (200 if status.can_serve else 503), {
            "status": status.value,
            "degradation_level": degradation_level(available, len(statuses)).value,
            "timestamp": datetime.fromtimestamp(self.wall_clock(), UTC).isoformat(),
            "uptime_seconds": round(self.uptime_s(), 3),
            "workers": {member.worker.name: member.health.status.value for member in members},
            "reasons": {
                member.worker.name: member.health.reason
                for member in members
                if member.health.reason is not None
            },
        }

    def _statuses(self) -> list[WorkerStatus]:
        return [member.health.status for member in self.view.value.members]
