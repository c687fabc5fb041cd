"""The node's health with all its details, and what the health checks have shown, for operators."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from cortexd.actors.health_monitor import HealthHistory
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.http.probes import NodeProbes
from cortexd.policy.health import HealthCheck, node_status

_DETAILS: Final[Mapping[str, str]] = {
    "pools": "pools",
    "metrics": "performance",
    "cache": "cache",
    "circuits": "circuits",
    "alerts": "alerts",
    "dlq": "dead_letter_queue",
}
"""What is added on request, and what the dashboard calls it."""


@attrs.frozen(kw_only=True)
class HealthAdmin:
    """What operators can ask about health.

    `dashboard`: the document that has the details. `system`: what the process uses.
    """

    probes: NodeProbes
    checks: HealthHistory
    dashboard: Callable[[], tuple[int, Any]]
    system: Callable[[], dict[str, Any]]

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """What clients are told, and with `?detailed=true` the rest as well."""
        detailed = read_query(request, "detailed").get("detailed", "false")
        if detailed not in {"true", "false"}:
            raise RequestRefused("must be true or false", "detailed", "invalid_value")
        status, document = self.probes.health()
        if detailed == "true":
            _, dashboard = self.dashboard()
            document |= {name: dashboard.get(section) for name, section in _DETAILS.items()}
            document |= {"system": self.system(), "cluster": None}
        return status, document

    async def history(self, request: DoorRequest) -> tuple[int, Any]:
        """The last health checks, the newest first."""
        read_query(request)
        items = [self._document(check) for check in reversed(self.checks.value)]
        return 200, {"items": items, "total": len(items), "next_cursor": None}

    def _document(self, check: HealthCheck) -> dict[str, Any]:
        # Intervals are kept on the monotonic clock: the other one may be set in between.
        ago_s = trio.current_time() - check.at
        checked_at = datetime.fromtimestamp(self.probes.wall_clock() - ago_s, UTC)
        node = node_status(available=check.available, workers=check.workers)
        return {
            "checked_at": checked_at.isoformat(),
            "worker": check.worker,
            "passed": check.failure is None,
            "reason": check.failure,
            "duration_ms": round(1000.0 * check.duration_s, 3),
            "worker_status": check.status.value,
            "status": node.value,
        }
