"""The node put together: every part made once, each knowing only what it is given."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from typing import Any

import attrs

from cortexd.actors.alert_manager import Alerts
from cortexd.actors.health_monitor import HealthHistory
from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms, RegisteredWorker, Roster
from cortexd.actors.worker_pool import HealthBoard, PoolView, pool_view
from cortexd.config.schema import Config
from cortexd.domain.cluster import NodeReport
from cortexd.domain.events import Emit
from cortexd.http.data_routes import DoorParts
from cortexd.http.probes import NodeProbes
from cortexd.observability.event_feed import EventFeed
from cortexd.observability.event_sinks import EventSinks
from cortexd.observability.recent_exchanges import RecentExchanges
from cortexd.pipeline.build import PipelineParts, build_pipeline
from cortexd.pipeline.caching import CachingParts
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.flights import Flights
from cortexd.pipeline.live_service import LiveService
from cortexd.pipeline.routing import RoutingParts
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.degradation_state import DegradationState
from cortexd.runtime.alerts import NodeAlerts, link_trouble, node_alerts, warnings_of
from cortexd.runtime.client_keys import NodeClientKeys, node_client_keys
from cortexd.runtime.cluster import MemberParts, NodeCluster, joining, node_cluster
from cortexd.runtime.dead_letters import NodeDeadLetters, node_dead_letters
from cortexd.runtime.drain import Drain
from cortexd.runtime.fleet import FleetSurroundings, NodeFleet, node_fleet
from cortexd.runtime.gauges import Gauges
from cortexd.runtime.live_settings import LiveAliases, LiveParts, live_settings
from cortexd.runtime.load_monitor import NodeLoadMonitor, node_load_monitor
from cortexd.runtime.loop_lag import LoopLag
from cortexd.runtime.metrics import Measuring, counters, measuring
from cortexd.runtime.node_report import ReportParts
from cortexd.runtime.pressure import PressureGauge
from cortexd.runtime.readings import NodeReader, ReadingParts
from cortexd.runtime.recruiting import recruiting
from cortexd.runtime.reload import Reloader, ReloadParts
from cortexd.runtime.service_manager import ServiceManager
from cortexd.runtime.sharing import NodeSharing, node_sharing
from cortexd.runtime.supervision_feed import SUPERVISION_KINDS
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.workers import hire, recruit
from cortexd.storage.database import Database
from supervisor_tree import NodeSnapshot, Service, Tree

RETRY_AFTER_S_MAX = 10.0
"""A worker that is down is asked again at the health interval, but clients need not wait longer."""


@attrs.frozen(kw_only=True, eq=False)
class Application:
    """What the supervision tree runs, but for the doors. All of it outlives every actor."""

    config: Config
    manager: ServiceManager
    alerts: NodeAlerts
    cluster: NodeCluster
    sharing: NodeSharing
    fleet: NodeFleet
    measuring: Measuring
    load_monitor: NodeLoadMonitor
    feed: EventFeed
    chance: random.Random
    emit: Emit
    live: Published[Config]
    roster: Roster
    leaving: Roster
    board: HealthBoard
    view: Published[PoolView]
    checks: HealthHistory
    tree: Published[Tree | None]
    drain: Drain
    cutoff: Cutoff
    cache: AnswerCache
    flights: Flights
    databases: tuple[Database, ...]
    dead_letters: NodeDeadLetters
    client_keys: NodeClientKeys
    degradation: Published[DegradationState]
    lag: LoopLag
    gauge: PressureGauge
    engines: Mapping[str, Callable[[], Service]]
    doors: DoorParts
    reloader: Reloader
    alert_book: Alerts
    recent: RecentExchanges
    recruits: Callable[[Mapping[str, Any]], RegisteredWorker]
    report: Callable[[], NodeReport]
    snapshot: Callable[[], NodeSnapshot | None]
    wall_clock: Callable[[], float]


def build_application(config: Config, around: Surroundings) -> Application:
    """Make all parts and tie them together. Nothing runs yet."""
    chance = around.chance
    feed = EventFeed(around.wall_clock, more_kinds=SUPERVISION_KINDS)
    recent, counted = RecentExchanges(around.wall_clock), counters(config)
    emit = EventSinks((around.emit, feed.observe, recent.observe, *counted.sinks)).emit
    live = Published(config)
    cluster = node_cluster(config, around, emit)
    sharing = node_sharing(config, cluster, around)
    terms = HiringTerms(breaker=config.breaker, retry=config.retry, chance=chance)
    duty = None if cluster.link is None else cluster.duty
    staff = hire(config, terms, around.adapters, duty)
    roster: Roster = Published(staff.workers)
    leaving: Roster = Published(())
    board: HealthBoard = Published({})
    checks: HealthHistory = Published(())
    view = Published(pool_view(roster, board, config.pool.strategy))
    tree: Published[Tree | None] = Published(None)
    drain, cutoff = Drain(), Cutoff()

    def snapshot() -> NodeSnapshot | None:
        return tree.value.snapshot() if tree.value else None

    flights = Flights()
    cache = AnswerCache(config.cache.max_bytes, stale_s=config.degradation.stale_seconds)
    dead_letters = node_dead_letters(config, around, emit)
    client_keys = node_client_keys(live, around, emit, sharing.client_keys)
    databases: tuple[Database, ...] = (dead_letters.database, client_keys.database)
    degradation = Published(DegradationState())
    alerts: Alerts = Published({})
    lag = LoopLag()
    gauge = PressureGauge(
        config.degradation,
        lag,
        lambda: cutoff.in_flight,
        connections_max=config.data.max_connections,
    )
    probes = NodeProbes(
        view=view,
        uptime_s=partial(_elapsed, around.clock, around.clock()),
        is_draining=drain.ordered.is_set,
        wall_clock=around.wall_clock,
        degradation=degradation,
        pressure=gauge.pressure,
        pressure_max=config.degradation.pressure_critical,
        loop_still_s=lag.still_s,
        dead_letters=lambda: dead_letters.stats.value.waiting,
        has_warnings=warnings_of(alerts, cluster),
    )

    def pipeline_of(config: Config) -> ChatService:
        return build_pipeline(
            PipelineParts(
                emit=emit,
                chance=chance,
                cutoff=cutoff,
                degradation=degradation,
                austerity=config.degradation,
                caching=CachingParts(
                    settings=config.cache,
                    cache=cache,
                    flights=flights,
                    aliases=config.routing.aliases,
                    chance=chance,
                    ttl_factor=config.degradation.cache_ttl_factor,
                    shared=sharing.answers,
                ),
                routing=RoutingParts(
                    view=view,
                    aliases=config.routing.aliases,
                    retry_after_s=min(config.health.interval_seconds, RETRY_AFTER_S_MAX),
                    strain_max=config.retry.budget_ratio,
                    chance=chance,
                ),
                retry=config.retry,
                dead_letters=dead_letters.parts(config, chance, emit),
                limits=sharing.limits,
            )
        )

    pipeline = LiveService(pipeline_of(config))
    doors = DoorParts(
        service=pipeline,
        aliases=LiveAliases(live),
        probes=probes,
        new_id=around.new_id,
        wall_clock=around.wall_clock,
        clock=around.clock,
        version=metadata.version("cortexd"),
    )

    recruits = recruiting(live, around.environ, around.adapters, chance, around.known)
    fleet = node_fleet(
        FleetSurroundings(config=config, roster=roster, recruit=recruits, around=around, emit=emit)
    )
    databases = (*databases, *fleet.databases)
    reloader = Reloader(
        ReloadParts(
            read=around.read_config,
            live=live,
            roster=roster,
            recruit=lambda settings, terms: recruit(settings, terms, around.adapters, chance),
            reloadables=live_settings(
                LiveParts(roster=roster, cache=cache, pipeline=pipeline, pipeline_of=pipeline_of)
            ),
            is_draining=drain.ordered.is_set,
            emit=emit,
        )
    )

    def troubles() -> Mapping[str, str]:
        opened = (*databases, *([measured.database] if measured.database else []))
        return {each.name: each.trouble for each in opened if each.trouble}

    watch = node_alerts(
        config,
        alerts=alerts,
        read=NodeReader(
            ReadingParts(
                view=view,
                degradation=degradation,
                snapshot=snapshot,
                load=counted.tally.counts,
                dead_letters=lambda: dead_letters.stats.value.waiting,
                memory_bytes=lambda: gauge.resources().memory_bytes,
                troubles=troubles,
                link_trouble=link_trouble(cluster),
                lease_s=config.cluster.lease_seconds,
                fleet=fleet.read,
            )
        ).read,
        cluster=cluster,
        emit=emit,
    )
    gauges = Gauges(
        view=view,
        degradation=degradation,
        cache=cache,
        lag=lag,
        pressure=gauge,
        in_flight=lambda: cutoff.in_flight,
        uptime_s=probes.uptime_s,
        snapshot=snapshot,
        fleet=fleet.readings,
    )
    measured = measuring(config, counted=counted, gauges=gauges, around=around, emit=emit)
    load_monitor = node_load_monitor(counted.tally, gauges, around.wall_clock)
    report = ReportParts(
        view=cluster.view,
        pool=view,
        address=config.cluster.address,
        place=cluster.place,
        status=lambda: probes.status().value,
        level=lambda: degradation.value.level.value,
        in_flight=lambda: cutoff.in_flight,
        requests_per_second=lambda: measured.board.sample.value.requests_per_second,
        conditions=lambda: watch.reported.value,
    ).report
    cluster = joining(
        cluster,
        config,
        MemberParts(
            report=report,
            roster=roster,
            recruit=recruits,
            stopping=drain.ordered,
            new_id=around.new_id,
            emit=emit,
        ),
    )
    return Application(
        config=config,
        manager=around.manager,
        alerts=watch,
        cluster=cluster,
        sharing=sharing,
        fleet=fleet,
        measuring=measured,
        load_monitor=load_monitor,
        chance=chance,
        emit=emit,
        live=live,
        feed=feed,
        roster=roster,
        leaving=leaving,
        board=board,
        view=view,
        checks=checks,
        tree=tree,
        drain=drain,
        cutoff=cutoff,
        cache=cache,
        flights=flights,
        databases=databases,
        dead_letters=dead_letters,
        client_keys=client_keys,
        degradation=degradation,
        lag=lag,
        gauge=gauge,
        engines=staff.engines,
        doors=doors,
        reloader=reloader,
        alert_book=alerts,
        recent=recent,
        recruits=recruits,
        report=report,
        snapshot=snapshot,
        wall_clock=around.wall_clock,
    )


def _elapsed(clock: Callable[[], float], since: float) -> float:
    return clock() - since
