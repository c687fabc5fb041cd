"""Opening a connection to a worker.

It happens in the request's own task and inside its cancel scope, and nothing is booked meanwhile
but their number: Trio's `open_tcp_stream` and `open_unix_socket` close their sockets when they are
cancelled, and so does `_connect` with the one that shakes hands, so a cancelled request leaves
nothing behind. Between the end of connecting and the pool's taking note of it lies no checkpoint.
"""

from contextlib import ExitStack
from typing import Final

import trio

from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.connection import Connection
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.reasons import reason
from cortexd.providers.transport.tls import public_authorities

# A network that forgets a silent connection is noticed within half a minute.
KEEPALIVE_IDLE_S: Final = 15
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3


async def dial(endpoint: Endpoint) -> Connection:
    """A new connection, ready for a request.

    Errors: `WorkerFailed` of kind UNREACHABLE, also where it takes longer than
    `endpoint.connect_s`.
    """
    with trio.move_on_after(endpoint.connect_s):
        try:
            return await _connect(endpoint)
        except (OSError, trio.BrokenResourceError) as exc:
            detail = f"no connection: {reason(exc)}"
            raise endpoint.failed(FailureKind.UNREACHABLE, detail) from exc
    raise endpoint.failed(FailureKind.UNREACHABLE, "no connection: timed out")


async def _connect(endpoint: Endpoint) -> Connection:
    origin = endpoint.origin
    if endpoint.unix_socket is None:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    else:
        stream = await trio.open_unix_socket(endpoint.unix_socket)
    with ExitStack() as on_failure:
        on_failure.callback(stream.socket.close)
        if endpoint.unix_socket is None:
            _watch_over(stream)
        connection = (
            await _shake_hands(stream, endpoint)
            if origin.is_tls
            else Connection(stream, stream.socket)
        )
        on_failure.pop_all()
    return connection


async def _shake_hands(stream: trio.SocketStream, endpoint: Endpoint) -> Connection:
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
    return Connection(secured, stream.socket)


def _watch_over(stream: trio.SocketStream) -> None:
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
