"""The endpoints of the admin listener, a line each; all but the login want an operator."""

from collections.abc import Callable
from typing import Any

import attrs

from cortexd.domain.client_key import KeyScope
from cortexd.domain.secret import Secret
from cortexd.http.admin.alerts import AlertOperations
from cortexd.http.admin.audited import Audited
from cortexd.http.admin.authentication import AdminCredentials, AdminGate
from cortexd.http.admin.cache import CacheAdmin
from cortexd.http.admin.cluster import ClusterAdmin
from cortexd.http.admin.configuration import ConfigurationAdmin
from cortexd.http.admin.dashboard.routes import dashboard_routes
from cortexd.http.admin.dead_letters import DeadLettersAdmin
from cortexd.http.admin.degradation import DegradationAdmin
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.admin.events import EventsDoor
from cortexd.http.admin.fleet import FleetAdmin
from cortexd.http.admin.health import HealthAdmin
from cortexd.http.admin.keys import KeysAdmin
from cortexd.http.admin.load_monitor import LoadMonitorAdmin
from cortexd.http.admin.logins import LoginDoor, LogoutDoor, SessionDoor
from cortexd.http.admin.metrics import MetricsCharts, MetricsDoor
from cortexd.http.admin.operation import Operation
from cortexd.http.admin.workers import WorkersAdmin
from cortexd.http.doors.door import Door
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.openapi.admin_document import admin_openapi_document
from cortexd.http.quart_app import Route
from cortexd.ports import AuditTrail, Feed


@attrs.frozen(kw_only=True)
class AdminParts:
    """What the admin doors need: a field for each resource."""

    documents: AdminDocuments
    alerts: AlertOperations
    workers: WorkersAdmin
    feed: Feed
    requests: Callable[[], list[dict[str, Any]]]
    configuration: ConfigurationAdmin
    cache: CacheAdmin
    cluster: ClusterAdmin
    keys: KeysAdmin
    chat: Door
    credentials: Callable[[Secret], AdminCredentials]
    audit: AuditTrail
    wall_clock: Callable[[], float]
    degradation: DegradationAdmin
    health: HealthAdmin
    dead_letters: DeadLettersAdmin
    metrics: MetricsDoor | None
    charts: MetricsCharts
    fleet: FleetAdmin
    load_monitor: LoadMonitorAdmin


def admin_routes(parts: AdminParts, token: Secret) -> tuple[Route, ...]:
    """What operators can ask for."""
    documents, workers = parts.documents, parts.workers
    described = admin_openapi_document(documents.node["version"])
    credentials = parts.credentials(token)
    gate = AdminGate(credentials)
    login = Audited(LoginDoor(credentials), parts.audit, parts.wall_clock)

    def guarded(method: str, path: str, door: Door) -> Route:
        changes = method != "GET"
        kept = Audited(door, parts.audit, parts.wall_clock) if changes else door
        return Route(method=method, path=path, door=kept, gate=gate)

    def measuring(path: str, door: Door) -> Route:
        # Who collects the metrics needs to see nothing else.
        metrics_gate = AdminGate(credentials, KeyScope.METRICS)
        return Route(method="GET", path=path, door=door, gate=metrics_gate)

    return (
        *([] if parts.metrics is None else [measuring("/metrics", parts.metrics)]),
        guarded("GET", "/admin/metrics/history", Operation(parts.charts.read)),
        guarded("GET", "/admin/load-monitor", Operation(parts.load_monitor.show)),
        guarded("POST", "/admin/load-monitor/start", Operation(parts.load_monitor.start)),
        guarded("POST", "/admin/load-monitor/stop", Operation(parts.load_monitor.stop)),
        guarded("GET", "/admin/dashboard", JsonDoor(documents.dashboard)),
        guarded("GET", "/admin/breakers", JsonDoor(documents.breakers)),
        guarded("POST", "/admin/breakers/<name>/reset", Operation(workers.reset_breaker)),
        guarded("GET", "/admin/health", Operation(parts.health.show)),
        guarded("GET", "/admin/health/history", Operation(parts.health.history)),
        guarded("GET", "/admin/degradation", Operation(parts.degradation.show)),
        guarded("PUT", "/admin/degradation", Operation(parts.degradation.put)),
        guarded("GET", "/admin/fleet", Operation(parts.fleet.show)),
        guarded("GET", "/admin/fleet/activity", Operation(parts.fleet.activity)),
        *(
            guarded("POST", f"/admin/fleet/agents/<name>/{verb}", Operation(handle))
            for verb, handle in parts.fleet.commands.items()
        ),
        guarded("GET", "/admin/tree", JsonDoor(documents.tree)),
        guarded("GET", "/admin/workers", Operation(workers.list)),
        guarded("POST", "/admin/workers", Operation(workers.add)),
        guarded("GET", "/admin/workers/<name>", Operation(workers.show)),
        guarded("DELETE", "/admin/workers/<name>", Operation(workers.remove)),
        guarded("POST", "/admin/workers/<name>/activate", Operation(workers.activate)),
        guarded("POST", "/admin/workers/<name>/deactivate", Operation(workers.deactivate)),
        guarded("POST", "/admin/workers/<name>/check", Operation(workers.check)),
        guarded("GET", "/admin/cluster", Operation(parts.cluster.show)),
        guarded("GET", "/admin/events", EventsDoor(parts.feed, credentials.has_left)),
        guarded("GET", "/admin/alerts", Operation(parts.alerts.listed)),
        guarded(
            "POST", "/admin/alerts/<alert_id>/acknowledge", Operation(parts.alerts.acknowledge)
        ),
        guarded("GET", "/admin/requests", JsonDoor(lambda: (200, _listed(parts.requests())))),
        guarded("GET", "/admin/config", Operation(parts.configuration.show)),
        guarded("POST", "/admin/reload", Operation(parts.configuration.reload)),
        guarded("GET", "/admin/dlq", Operation(parts.dead_letters.list)),
        guarded("POST", "/admin/dlq/purge", Operation(parts.dead_letters.purge)),
        guarded("GET", "/admin/dlq/<id>", Operation(parts.dead_letters.show)),
        guarded("DELETE", "/admin/dlq/<id>", Operation(parts.dead_letters.delete)),
        guarded("POST", "/admin/dlq/<id>/retry", Operation(parts.dead_letters.retry)),
        Route(method="POST", path="/admin/login", door=login),
        guarded("POST", "/admin/logout", LogoutDoor(credentials)),
        guarded("GET", "/admin/session", SessionDoor(credentials)),
        guarded("GET", "/admin/keys", Operation(parts.keys.list)),
        guarded("POST", "/admin/keys", Operation(parts.keys.create)),
        guarded("DELETE", "/admin/keys/<id>", Operation(parts.keys.revoke)),
        # Changes nothing, so that the audit trail has no use for it.
        Route(method="POST", path="/admin/chat", door=parts.chat, gate=gate),
        guarded("GET", "/admin/openapi.json", JsonDoor(lambda: (200, described))),
        guarded("GET", "/admin/cache", Operation(parts.cache.show)),
        guarded("POST", "/admin/cache/purge", Operation(parts.cache.purge)),
        *dashboard_routes(gate),
    )


def _listed(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "total": len(items), "next_cursor": None}
