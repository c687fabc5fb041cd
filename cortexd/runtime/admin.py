"""What operators can see and do, put together from the parts of the node."""

from importlib import metadata

from cortexd.config.masked import masked
from cortexd.domain.ids import WorkerName
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
    config, live, pool, watch = app.config, app.live, app.pool, app.watch
    cache, gauge, wall_clock = app.pipeline.cache, app.degradation.gauge, app.around.wall_clock
    alerts = watch.alerts.admin(wall_clock)
    levels = DegradationAdmin(state=app.degradation.state, wall_clock=wall_clock)

    def is_configured(name: WorkerName) -> bool:
        return any(worker.name == name for worker in live.value.workers)

    documents = AdminDocuments(
        probes=watch.probes,
        snapshot=app.tree.snapshot,
        in_flight=lambda: app.pipeline.cutoff.in_flight,
        node={"name": config.node.name, "version": metadata.version("cortexd")},
        cache=cache,
        is_configured=is_configured,
        sample=watch.measuring.board.sample,
        memory_bytes=lambda: gauge.resources().memory_bytes,
        processes=processes,
        dead_letters=app.dead_letters.document,
        alerts=alerts.summary,
        degradation=levels.document,
    )
    return AdminParts(
        documents=documents,
        metrics=watch.measuring.door,
        charts=watch.measuring.charts,
        load_monitor=watch.load_monitor.admin,
        fleet=app.fleet.admin,
        alerts=alerts,
        workers=WorkersAdmin(
            roster=pool.roster,
            board=pool.board,
            view=pool.view,
            recruit=pool.recruit,
            is_configured=is_configured,
            share=app.cluster.share,
        ),
        cluster=app.cluster.admin(config, watch.report, wall_clock),
        feed=app.events.feed,
        requests=app.events.recent.documents,
        configuration=ConfigurationAdmin(
            running=lambda: masked(live.value, [one.settings for one in pool.roster.value]),
            reload_now=app.reloader.reload,
        ),
        dead_letters=app.dead_letters.admin(app.doors),
        degradation=levels,
        health=HealthAdmin(
            probes=watch.probes,
            checks=pool.checks,
            dashboard=documents.dashboard,
            system=gauge.document,
        ),
        keys=app.client_keys.admin,
        audit=AuditLog(config.node.state_dir / AUDIT_LOG),
        wall_clock=wall_clock,
        credentials=app.client_keys.admin_credentials,
        chat=model_doors(app.doors)["/v1/chat/completions"],
        cache=CacheAdmin(
            cache=cache,
            is_enabled=lambda: live.value.cache.enabled,
            shared=app.sharing.answers,
        ),
    )
