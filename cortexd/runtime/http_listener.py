"""Accepts connections and keeps hold of them, so that it can stop whatever the clients do.

The only way into the daemon over HTTP. Hypercorn speaks the protocol, but does not serve: its own
server can neither contain the failure of one connection nor reach the sockets that it has accepted.
"""

import logging
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Final

import attrs
import structlog
import trio
from attrs import validators
from hypercorn.config import Config

from cortexd.http.guard import HEADER_BYTES_MAX, AsgiApp
from cortexd.http.host_errors import OVER_CONNECTED
from cortexd.runtime.http_connection import Connection
from cortexd.runtime.http_host import Context, Host, Patience
from cortexd.runtime.listening_sockets import BACKLOG_CONNECTIONS_MAX

log = structlog.get_logger(__name__)

USER_TIMEOUT_MS: Final = 30_000
"""How long the kernel lets sent bytes go without an acknowledgement."""
KEEP_ALIVE_PROBE_S: Final = 30
"""After this much silence the kernel asks whether the other machine is still there."""

TURNED_AWAY_AT_ONCE_MAX: Final = 64
TURN_AWAY_S_MAX: Final = 1.0
CAP_LOG_INTERVAL_S: Final = 10.0


@attrs.frozen(kw_only=True)
class ListenerSettings:
    """The limits of one listener."""

    max_connections: int = attrs.field(default=4096, validator=validators.ge(1))
    keep_alive_seconds: float = attrs.field(default=75.0, validator=validators.gt(0))
    header_seconds: float = attrs.field(default=5.0, validator=validators.gt(0))
    max_body_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=validators.ge(0))


@attrs.frozen(kw_only=True)
class ListenerStatistics:
    """The connections that are open, and how many were turned away since the start."""

    open_connections: int
    turned_away: int


class HttpListener:
    """A service that serves `app` on `sockets` for one incarnation.

    The sockets stay their owner's, who closes them when the node stops for good: until then the
    kernel keeps new connections for the next incarnation. Lifespan events are not sent.
    """

    def __init__(
        self, app: AsgiApp, sockets: Sequence[socket.socket], settings: ListenerSettings
    ) -> None:
        self._sockets = sockets
        files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._connections_max = connections_cap(settings.max_connections, files_max=files_max)
        self._patience = Patience(
            keep_alive_s=settings.keep_alive_seconds, header_s=settings.header_seconds
        )
        self._host = Host(
            app=app,
            config=_hypercorn_config(),
            context=Context(),
            body_bytes_max=settings.max_body_bytes,
        )
        self._accepting = trio.CancelScope()
        self._connections: set[Connection] = set()
        self._turning_away = 0
        self._turned_away = 0
        self._cap_log_at = -CAP_LOG_INTERVAL_S

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `request_stop`, and then until the last response has ended.

        Cancellation: resets every connection.
        """
        async with trio.open_nursery() as connections:
            with ExitStack() as held:
                # Held open past the listeners, which `serve_listeners` closes when it is cancelled.
                # Made before them: to duplicate a socket resets the mode of all its duplicates.
                behind = [held.enter_context(sock.dup()) for sock in self._sockets]
                listeners = [_listener(sock) for sock in self._sockets]
                task_status.started()
                with self._accepting:
                    await trio.serve_listeners(self._serve, listeners, handler_nursery=connections)
                for stream in _connected_already(behind):
                    connections.start_soon(self._serve_last, stream)

    def request_stop(self) -> None:
        """Accept nothing more, let running responses finish, and idle connections end soon."""
        self._accepting.cancel()
        self._host.context.stop()
        for connection in self._connections:
            connection.stop()

    def abort_connections(self) -> None:
        """Reset every connection, so that `run` returns whatever the clients do."""
        for connection in self._connections:
            connection.abort()

    def statistics(self) -> ListenerStatistics:
        """How full it is."""
        return ListenerStatistics(
            open_connections=len(self._connections), turned_away=self._turned_away
        )

    async def _serve_last(self, stream: trio.SocketStream) -> None:
        async with stream:
            await self._serve(stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        if len(self._connections) >= self._connections_max:
            await self._turn_away(stream)
            return
        try:
            _set_options(stream.socket)
            connection = Connection(stream, self._host, self._patience)
        except OSError:
            return  # it was gone before it could be served
        self._connections.add(connection)
        if self._accepting.cancel_called:
            connection.stop()
        try:
            await connection.run()
        except* Exception:  # the one place where a failure of a connection is contained
            log.exception("connection failed")
        finally:
            self._connections.discard(connection)

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        self._turned_away += 1
        self._log_cap()
        if self._turning_away >= TURNED_AWAY_AT_ONCE_MAX:
            return
        self._turning_away += 1
        try:
            with trio.move_on_after(TURN_AWAY_S_MAX), suppress(trio.BrokenResourceError):
                await stream.send_all(_OVER_CONNECTED_BYTES)
                await stream.send_eof()
                # A close with the request unread would reset the answer away.
                while await stream.receive_some():
                    pass
        finally:
            self._turning_away -= 1

    def _log_cap(self) -> None:
        now = trio.current_time()
        if now >= self._cap_log_at + CAP_LOG_INTERVAL_S:
            self._cap_log_at = now
            cap, so_far = self._connections_max, self._turned_away
            log.warning("too many connections", max_connections=cap, turned_away=so_far)


def connections_cap(wanted: int, *, files_max: int) -> int:
    """At most half of the files the process may open: the workers need the other half."""
    if files_max == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, files_max // 2 - 1))


def _hypercorn_config() -> Config:
    config = Config()
    # Passed on as it is: without a logger of ours, Hypercorn would install handlers on it.
    config.errorlog = logging.getLogger("hypercorn.error")
    config.accesslog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = HEADER_BYTES_MAX
    # It would cut streams that run as well; bodies have their own limit in the application.
    config.read_timeout = None
    return config


def _listener(sock: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock.dup()))


def _connected_already(sockets: Sequence[socket.socket]) -> Iterator[trio.SocketStream]:
    """Those who wait in the kernel's queues. A close would reset them, unserved.

    No more than a queue holds: who comes while it is being emptied must not keep us here.
    """
    for sock in sockets:
        with suppress(OSError):
            for _ in range(BACKLOG_CONNECTIONS_MAX):
                accepted, _ = sock.accept()
                yield trio.SocketStream(trio.socket.from_stdlib_socket(accepted))


def _set_options(sock: trio.socket.SocketType) -> None:
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_PROBE_S)


def _over_connected_bytes() -> bytes:
    lines = [f"HTTP/1.1 {OVER_CONNECTED.status} Service Unavailable"]
    lines += [f"{name}: {value}" for name, value in OVER_CONNECTED.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + OVER_CONNECTED.body


_OVER_CONNECTED_BYTES: Final = _over_connected_bytes()
