"""The doors on their sockets: how the tree makes them, as often as it must."""

import socket
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from cortexd.config.schema import Config
from cortexd.http.admin.routes import admin_routes
from cortexd.http.data_routes import data_routes
from cortexd.http.quart_app import Route, build_app
from cortexd.runtime.admin import admin_parts
from cortexd.runtime.application import Application
from cortexd.runtime.drain import DrainingDoor
from cortexd.runtime.http_listener import HttpListener, ListenerSettings
from cortexd.runtime.listening import Listening
from supervisor_tree import Service


@attrs.frozen(kw_only=True)
class Doors:
    """How each is made: for clients, and for operators."""

    data: Callable[[], Service]
    admin: Callable[[], Service]


def doors_on(listening: Listening, app: Application) -> Doors:
    """The doors to `app` on open sockets."""
    gate = app.client_keys.client_gate(always=listening.is_public)
    data = _door(app.config, listening.data, data_routes(app.doors, gate))
    operators = admin_routes(admin_parts(app), listening.token)
    return Doors(
        data=partial(
            DrainingDoor,
            data,
            flights=app.pipeline.flights,
            drain=app.drain,
            drain_s=app.config.node.drain_seconds,
            cutoff=app.pipeline.cutoff,
        ),
        admin=_door(app.config, listening.admin, operators, own_origin_only=True),
    )


def _door(
    config: Config,
    sockets: Sequence[socket.socket],
    routes: Sequence[Route],
    *,
    own_origin_only: bool = False,
) -> Callable[[], HttpListener]:
    limits = config.data
    app = build_app(
        routes,
        max_body_bytes=limits.max_body_bytes,
        body_seconds=limits.body_seconds,
        own_origin_only=own_origin_only,
    )
    settings = ListenerSettings(
        max_connections=limits.max_connections,
        keep_alive_seconds=limits.keep_alive_seconds,
        header_seconds=limits.header_seconds,
        max_body_bytes=limits.max_body_bytes,
    )
    return partial(HttpListener, app, sockets, settings)
