"""Who looks at the node while it works: metrics, load monitor, alerts, probes, and its cluster."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs

from cortexd.config.schema import Config
from cortexd.domain.cluster import NodeReport
from cortexd.http.probes import NodeProbes
from cortexd.runtime.alerts import NodeAlerts, link_trouble, node_alerts
from cortexd.runtime.cluster import NodeCluster
from cortexd.runtime.dead_letters import NodeDeadLetters
from cortexd.runtime.degradation import NodeDegradation
from cortexd.runtime.drain import Drain
from cortexd.runtime.events import NodeEvents
from cortexd.runtime.fleet import NodeFleet
from cortexd.runtime.gauges import Gauges
from cortexd.runtime.load_monitor import NodeLoadMonitor, node_load_monitor
from cortexd.runtime.metrics import Measuring, measuring
from cortexd.runtime.node_report import ReportParts
from cortexd.runtime.pipeline import NodePipeline
from cortexd.runtime.pool import NodePool
from cortexd.runtime.readings import NodeReader, ReadingParts
from cortexd.runtime.running_tree import RunningTree
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.database import Database


@attrs.frozen(kw_only=True, eq=False)
class NodeWatch:
    """They read what the parts of the node publish, and no part knows of them.

    `report`: what the other nodes of a cluster are told with each beat.
    """

    measuring: Measuring
    load_monitor: NodeLoadMonitor
    alerts: NodeAlerts
    probes: NodeProbes
    report: Callable[[], NodeReport]


@attrs.frozen(kw_only=True, eq=False)
class Watched:
    """What of the node they look at. `databases`: all but the one in which metrics are kept."""

    config: Config
    around: Surroundings
    events: NodeEvents
    cluster: NodeCluster
    fleet: NodeFleet
    pool: NodePool
    degradation: NodeDegradation
    pipeline: NodePipeline
    dead_letters: NodeDeadLetters
    databases: Sequence[Database]
    drain: Drain
    tree: RunningTree


def node_watch(node: Watched) -> NodeWatch:
    """Make them all; nobody looks yet."""
    config, around, counted = node.config, node.around, node.events.counters
    gauges = _gauges(node)
    measured = measuring(config, counted=counted, gauges=gauges, around=around)
    alerts = node_alerts(
        config,
        read=_reader(node, measured.database).read,
        cluster=node.cluster,
        emit=around.emit,
    )
    probes = _probes(node, alerts, gauges.uptime_s)
    return NodeWatch(
        measuring=measured,
        load_monitor=node_load_monitor(counted.tally, gauges, around.wall_clock),
        alerts=alerts,
        probes=probes,
        report=ReportParts(
            view=node.cluster.view,
            pool=node.pool.view,
            address=config.cluster.address,
            place=node.cluster.place,
            status=lambda: probes.status().value,
            level=lambda: node.degradation.state.value.level.value,
            in_flight=lambda: node.pipeline.cutoff.in_flight,
            requests_per_second=lambda: measured.board.sample.value.requests_per_second,
            conditions=lambda: alerts.reported.value,
        ).report,
    )


def _gauges(node: Watched) -> Gauges:
    clock = node.around.clock
    return Gauges(
        view=node.pool.view,
        degradation=node.degradation.state,
        cache=node.pipeline.cache,
        lag=node.degradation.lag,
        pressure=node.degradation.gauge,
        in_flight=lambda: node.pipeline.cutoff.in_flight,
        uptime_s=partial(_elapsed, clock, clock()),
        snapshot=node.tree.snapshot,
        fleet=node.fleet.readings,
    )


def _reader(node: Watched, metrics_database: Database | None) -> NodeReader:
    databases = (*node.databases, *([metrics_database] if metrics_database else []))

    def troubles() -> Mapping[str, str]:
        return {each.name: each.trouble for each in databases if each.trouble}

    return NodeReader(
        ReadingParts(
            view=node.pool.view,
            degradation=node.degradation.state,
            snapshot=node.tree.snapshot,
            load=node.events.counters.tally.counts,
            dead_letters=lambda: node.dead_letters.stats.value.waiting,
            memory_bytes=lambda: node.degradation.gauge.resources().memory_bytes,
            troubles=troubles,
            link_trouble=link_trouble(node.cluster),
            lease_s=node.config.cluster.lease_seconds,
            fleet=node.fleet.read,
        )
    )


def _probes(node: Watched, alerts: NodeAlerts, uptime_s: Callable[[], float]) -> NodeProbes:
    return NodeProbes(
        view=node.pool.view,
        uptime_s=uptime_s,
        is_draining=node.drain.ordered.is_set,
        wall_clock=node.around.wall_clock,
        degradation=node.degradation.state,
        pressure=node.degradation.gauge.pressure,
        pressure_max=node.config.degradation.pressure_critical,
        loop_still_s=node.degradation.lag.still_s,
        dead_letters=lambda: node.dead_letters.stats.value.waiting,
        has_warnings=alerts.has_warnings,
    )


def _elapsed(clock: Callable[[], float], since: float) -> float:
    return clock() - since
