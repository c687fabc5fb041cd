"""What operators can see and do, put together from the parts of the node."""

from importlib import metadata

from cortexd.config.masked import masked
from cortexd.domain.ids import WorkerName
from cortexd.http.admin.alerts import AlertOperations
from cortexd.http.admin.cache import CacheAdmin
from cortexd.http.admin.configuration import ConfigurationAdmin
from cortexd.http.admin.degradation import DegradationAdmin
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.admin.health import HealthAdmin
from cortexd.http.admin.routes import AdminParts
from cortexd.http.admin.workers import WorkersAdmin
from cortexd.http.data_routes import model_doors
from cortexd.observability.audit_log import FILE_NAME as AUDIT_LOG
from cortexd.observability.audit_log import AuditLog
from cortexd.runtime.application import Application
from cortexd.runtime.gauges import processes


def admin_parts(app: Application) -> AdminParts:
    """All that the admin listener serves."""
    config, live, roster, wall_clock = app.config, app.live, app.roster, app.wall_clock
    alerts = AlertOperations(
        alerts=app.alert_book, channels=app.alerts.channels, wall_clock=wall_clock
    )
    levels = DegradationAdmin(state=app.degradation, wall_clock=wall_clock)

    def is_configured(name: WorkerName) -> bool:
        return any(worker.name == name for worker in live.value.workers)

    documents = AdminDocuments(
        probes=app.doors.probes,
        snapshot=app.snapshot,
        in_flight=lambda: app.cutoff.in_flight,
        node={"name": config.node.name, "version": metadata.version("cortexd")},
        cache=app.cache,
        is_configured=is_configured,
        sample=app.measuring.board.sample,
        memory_bytes=lambda: app.gauge.resources().memory_bytes,
        processes=processes,
        dead_letters=app.dead_letters.document,
        alerts=alerts.summary,
        degradation=levels.document,
    )
    return AdminParts(
        documents=documents,
        metrics=app.measuring.door,
        charts=app.measuring.charts,
        load_monitor=app.load_monitor.admin,
        fleet=app.fleet.admin,
        alerts=alerts,
        workers=WorkersAdmin(
            roster=roster,
            board=app.board,
            view=app.view,
            recruit=app.recruits,
            is_configured=is_configured,
            share=app.cluster.share,
        ),
        cluster=app.cluster.admin(config, app.report, wall_clock),
        feed=app.feed,
        requests=app.recent.documents,
        configuration=ConfigurationAdmin(
            running=lambda: masked(live.value, [one.settings for one in roster.value]),
            reload_now=app.reloader.reload,
        ),
        dead_letters=app.dead_letters.admin(app.doors, app.emit),
        degradation=levels,
        health=HealthAdmin(
            probes=app.doors.probes,
            checks=app.checks,
            dashboard=documents.dashboard,
            system=app.gauge.document,
        ),
        keys=app.client_keys.admin,
        audit=AuditLog(config.node.state_dir / AUDIT_LOG),
        wall_clock=wall_clock,
        credentials=app.client_keys.admin_credentials,
        chat=model_doors(app.doors)["/v1/chat/completions"],
        cache=CacheAdmin(
            cache=app.cache,
            is_enabled=lambda: live.value.cache.enabled,
            shared=app.sharing.answers,
        ),
    )
