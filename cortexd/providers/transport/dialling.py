"""Opening a connection to a worker.

It happens in the request's own task and inside its cancel scope, and nothing is booked meanwhile
but their number: Trio's `open_tcp_stream` and `open_unix_socket` close their sockets when they are
cancelled, and so does `_connect` with the one that shakes hands, so a cancelled request leaves
nothing behind. Between the end of connecting and the pool's taking note of it lies no checkpoint.

Names are looked up by the resolver of the run: Trio asks it.
"""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Final, TypeAlias

import trio

from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.connection import Connection, SocketConnection
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.reasons import is_untrusted, reason
from cortexd.providers.transport.resolver import resolver_of_run
from cortexd.providers.transport.tls import public_authorities

# A network that forgets a silent connection is noticed within half a minute.
KEEPALIVE_IDLE_S: Final = 15
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3

Dial: TypeAlias = Callable[[Endpoint], Awaitable[Connection]]
"""Opens a connection, within `connect_s`. Errors: `WorkerFailed`: UNREACHABLE or UNTRUSTED."""


async def dial(endpoint: Endpoint) -> Connection:
    """A new connection, ready for a request.

    Errors: `WorkerFailed`: UNTRUSTED where TLS finds that it is not who it should be, or does not
    speak it as it should; else UNREACHABLE, also where it takes longer than `endpoint.connect_s`.
    """
    with trio.move_on_after(endpoint.connect_s):
        try:
            return await _connect(endpoint)
        except (OSError, trio.BrokenResourceError) as exc:
            detail = f"no connection: {reason(exc)}"
            kind = FailureKind.UNTRUSTED if is_untrusted(exc) else FailureKind.UNREACHABLE
            raise endpoint.failed(kind, detail) from exc
    raise endpoint.failed(FailureKind.UNREACHABLE, "no connection: timed out")


async def _connect(endpoint: Endpoint) -> SocketConnection:
    origin = endpoint.origin
    names = resolver_of_run()
    is_current = _is_where_it_was
    if endpoint.unix_socket is None:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    else:
        stream = await trio.open_unix_socket(endpoint.unix_socket)
    with ExitStack() as on_failure:
        on_failure.callback(stream.socket.close)
        if endpoint.unix_socket is None:
            _watch_over(stream)
            is_current = partial(names.is_current, origin.host, stream.socket.getpeername()[0])
        secured = await _shake_hands(stream, endpoint) if origin.is_tls else stream
        connection = SocketConnection(secured, stream.socket, is_current)
        on_failure.pop_all()
    return connection


async def _shake_hands(
    stream: trio.SocketStream, endpoint: Endpoint
) -> trio.SSLStream[trio.SocketStream]:
    context = endpoint.tls_context or public_authorities()
    context.set_alpn_protocols(["http/1.1"])
    secured = trio.SSLStream(
        stream,
        context,
        server_hostname=endpoint.origin.host,
        # The compatible mode takes any end of input for a good one. A response that says how long
        # it is never needs that; to one that does not, it could be cut without anybody noticing.
        https_compatible=False,
    )
    await secured.do_handshake()
    return secured


def _is_where_it_was() -> bool:
    """A file is no name that could come to mean another machine."""
    return True


def _watch_over(stream: trio.SocketStream) -> None:
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
