"""The node put together: every part made once, each knowing only what it is given."""

import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata

import attrs

from cortexd.actors.published import Published
from cortexd.actors.roster import Roster
from cortexd.actors.worker_pool import HealthBoard, PoolView, pool_view
from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.admin.routes import admin_routes
from cortexd.http.data_routes import DoorParts, data_routes
from cortexd.http.probes import NodeProbes
from cortexd.http.quart_app import Route, build_app
from cortexd.observability.event_log import log_event
from cortexd.pipeline.build import PipelineParts, build_pipeline
from cortexd.pipeline.deadline import Cutoff
from cortexd.runtime.drain import Drain, DrainingDoor
from cortexd.runtime.http_listener import HttpListener, ListenerSettings
from cortexd.runtime.listening import Listening
from cortexd.runtime.workers import hire
from supervisor_tree import Service, Tree

RETRY_AFTER_S_MAX = 10.0
"""A worker that is down is asked again at the health interval, but clients need not wait longer."""


@attrs.frozen(kw_only=True, eq=False)
class Application:
    """What the supervision tree runs. All of it outlives every actor."""

    config: Config
    chance: random.Random
    emit: Emit
    roster: Roster
    board: HealthBoard
    view: Published[PoolView]
    tree: Published[Tree | None]
    drain: Drain
    engines: Mapping[str, Callable[[], Service]]
    data_door: Callable[[], Service]
    admin_door: Callable[[], Service]


def build_application(config: Config, listening: Listening) -> Application:
    """Make all parts and tie them together. Nothing runs yet."""
    staff = hire(config)
    roster: Roster = Published(staff.workers)
    board: HealthBoard = Published({})
    view = Published(pool_view(roster, board, config.pool.strategy))
    tree: Published[Tree | None] = Published(None)
    drain, cutoff = Drain(), Cutoff()
    probes = NodeProbes(
        view=view,
        uptime_s=partial(_elapsed, time.monotonic()),
        is_draining=drain.ordered.is_set,
        wall_clock=time.time,
    )
    pipeline = build_pipeline(
        PipelineParts(
            emit=log_event,
            cutoff=cutoff,
            view=view,
            aliases=config.routing.aliases,
            retry_after_s=min(config.health.interval_seconds, RETRY_AFTER_S_MAX),
        )
    )
    doors = DoorParts(
        service=pipeline,
        aliases=config.routing.aliases,
        probes=probes,
        new_id=lambda: uuid.uuid4().hex,
        wall_clock=time.time,
        clock=time.monotonic,
        version=metadata.version("cortexd"),
    )
    documents = AdminDocuments(
        probes=probes,
        snapshot=lambda: tree.value.snapshot() if tree.value else None,
        in_flight=lambda: cutoff.in_flight,
    )
    data = _door(config, listening.data, data_routes(doors))
    return Application(
        config=config,
        chance=random.Random(),  # noqa: S311  spreads probes, guards no secret
        emit=log_event,
        roster=roster,
        board=board,
        view=view,
        tree=tree,
        drain=drain,
        engines=staff.engines,
        data_door=partial(
            DrainingDoor, data, drain=drain, drain_s=config.node.drain_seconds, cutoff=cutoff
        ),
        admin_door=_door(config, listening.admin, admin_routes(documents, listening.token)),
    )


def _door(
    config: Config, sockets: Sequence[socket.socket], routes: Sequence[Route]
) -> Callable[[], HttpListener]:
    limits = config.data
    app = build_app(routes, max_body_bytes=limits.max_body_bytes, body_seconds=limits.body_seconds)
    settings = ListenerSettings(
        max_connections=limits.max_connections,
        keep_alive_seconds=limits.keep_alive_seconds,
        header_seconds=limits.header_seconds,
        max_body_bytes=limits.max_body_bytes,
    )
    return partial(HttpListener, app, sockets, settings)


def _elapsed(since: float) -> float:
    return time.monotonic() - since
