"""The node put together: every part made once, each knowing only what it is given."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata

import attrs

from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms, Roster
from cortexd.actors.worker_pool import HealthBoard, PoolView, pool_view
from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.admin.routes import AdminParts
from cortexd.http.data_routes import DoorParts
from cortexd.http.probes import NodeProbes
from cortexd.observability.event_sinks import EventSinks
from cortexd.pipeline.build import PipelineParts, build_pipeline
from cortexd.pipeline.caching import CachingParts
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.flights import Flights
from cortexd.pipeline.routing import RoutingParts
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.degradation import DegradationLevel
from cortexd.runtime.drain import Drain
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.workers import hire
from supervisor_tree import Service, Tree

RETRY_AFTER_S_MAX = 10.0
"""A worker that is down is asked again at the health interval, but clients need not wait longer."""


@attrs.frozen(kw_only=True, eq=False)
class Application:
    """What the supervision tree runs, but for the doors. All of it outlives every actor."""

    config: Config
    chance: random.Random
    emit: Emit
    roster: Roster
    board: HealthBoard
    view: Published[PoolView]
    tree: Published[Tree | None]
    drain: Drain
    cutoff: Cutoff
    cache: AnswerCache
    flights: Flights
    engines: Mapping[str, Callable[[], Service]]
    doors: DoorParts
    admin: AdminParts


def build_application(config: Config, around: Surroundings) -> Application:
    """Make all parts and tie them together. Nothing runs yet."""
    chance = around.chance
    emit = EventSinks((around.emit,)).emit
    terms = HiringTerms(breaker=config.breaker, retry=config.retry, chance=chance)
    staff = hire(config, terms, around.adapters)
    roster: Roster = Published(staff.workers)
    board: HealthBoard = Published({})
    view = Published(pool_view(roster, board, config.pool.strategy))
    tree: Published[Tree | None] = Published(None)
    drain, cutoff = Drain(), Cutoff()
    cache, flights = AnswerCache(config.cache.max_bytes), Flights()
    probes = NodeProbes(
        view=view,
        uptime_s=partial(_elapsed, around.clock, around.clock()),
        is_draining=drain.ordered.is_set,
        wall_clock=around.wall_clock,
    )
    pipeline = build_pipeline(
        PipelineParts(
            emit=emit,
            chance=chance,
            cutoff=cutoff,
            level=Published(DegradationLevel.HEALTHY),
            caching=CachingParts(
                settings=config.cache,
                cache=cache,
                flights=flights,
                aliases=config.routing.aliases,
                chance=chance,
            ),
            routing=RoutingParts(
                view=view,
                aliases=config.routing.aliases,
                retry_after_s=min(config.health.interval_seconds, RETRY_AFTER_S_MAX),
                strain_max=config.retry.budget_ratio,
                chance=chance,
            ),
            retry=config.retry,
        )
    )
    doors = DoorParts(
        service=pipeline,
        aliases=config.routing.aliases,
        probes=probes,
        new_id=around.new_id,
        wall_clock=around.wall_clock,
        clock=around.clock,
        version=metadata.version("cortexd"),
    )
    documents = AdminDocuments(
        probes=probes,
        snapshot=lambda: tree.value.snapshot() if tree.value else None,
        in_flight=lambda: cutoff.in_flight,
    )
    return Application(
        config=config,
        chance=chance,
        emit=emit,
        roster=roster,
        board=board,
        view=view,
        tree=tree,
        drain=drain,
        cutoff=cutoff,
        cache=cache,
        flights=flights,
        engines=staff.engines,
        doors=doors,
        admin=AdminParts(documents=documents),
    )


def _elapsed(clock: Callable[[], float], since: float) -> float:
    return clock() - since
