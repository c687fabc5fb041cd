"""Carries requests to one worker over its pool of connections.

Rules of this file: whatever happens between `carry` and `finish` or `abandon`, a connection is in
the pool, in use by one response, or closed.
"""

from contextlib import suppress
from typing import Final

import trio

from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.connection import Connection
from cortexd.providers.transport.dialling import Dial
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.pool import Pool, PoolFull
from cortexd.providers.transport.response import NoResponse, Response
from cortexd.providers.transport.response_parser import ResponseHead

# The last bytes of a body, which say no more than that it ends, come along with the answer's end
# or right behind it. Waiting for them saves the connection for the next request.
LAST_BYTES_S_MAX: Final = 0.05

# The slots are the limit; this much more is let through before somebody must have lost count.
SPARE_CONNECTIONS: Final = 16


class Carrier:
    """Sends requests and gives out their responses."""

    def __init__(self, endpoint: Endpoint, dial: Dial) -> None:
        self._endpoint = endpoint
        self._dial = dial
        self._pool: Pool[Connection] = Pool(
            in_use_max=endpoint.slots + SPARE_CONNECTIONS, idle_max=endpoint.idle_connections_max
        )

    async def carry(self, request: bytes) -> tuple[ResponseHead, Response]:
        """Send a request; its response must go to `finish` or to `abandon`.

        A connection that was closed while it was idle costs no attempt: nothing of an answer has
        been seen, and the worker has most likely never seen the request. The same on a new
        connection is a failure.

        Errors: `WorkerFailed`: UNREACHABLE until the first byte of a response, then SERVER_ERROR.
        """
        try:
            idle = self._take_idle()
            if idle is not None:
                try:
                    return await self._ask(idle, request)
                except NoResponse:
                    self._pool.count_stale_retry()
            return await self._ask(await self._connect(), request)
        except NoResponse as exc:
            raise self._failed(FailureKind.UNREACHABLE, f"connection lost: {exc}") from exc
        except PoolFull as exc:
            detail = f"{self._endpoint.slots + SPARE_CONNECTIONS} connections are in use"
            raise self._failed(FailureKind.OVERLOADED, detail) from exc

    async def finish(self, response: Response) -> None:
        """Keep the connection if the body is at its end, or about to be; else close it."""
        try:
            if not response.is_whole:
                # What was wanted has been read: a failure now is nobody's.
                with trio.move_on_after(LAST_BYTES_S_MAX), suppress(WorkerFailed):
                    await response.read_end()
        finally:
            self._part(response)

    def abandon(self, response: Response) -> None:
        """Close the connection at once, unless the body is at its end."""
        self._part(response)

    def statistics(self) -> ConnectionStatistics:
        """What the pool holds, and has done."""
        return self._pool.statistics()

    def close(self) -> None:
        """Close the idle connections now, and those in use when they are done."""
        _close(self._pool.close())

    async def _ask(self, connection: Connection, request: bytes) -> tuple[ResponseHead, Response]:
        response = Response(self._endpoint, connection)
        is_answered = False
        try:
            head = await response.ask(request)
            is_answered = True
        finally:
            if not is_answered:
                self._pool.drop(connection)
                connection.close()
        return head, response

    def _take_idle(self) -> Connection | None:
        connection, unfit = self._pool.take(now=trio.current_time())
        _close(unfit)
        return connection

    async def _connect(self) -> Connection:
        connection = None
        self._pool.begin_connecting()
        try:
            connection = await self._dial(self._endpoint)
        finally:
            self._pool.end_connecting(connection)
        return connection

    def _part(self, response: Response) -> None:
        connection = response.connection
        if response.leaves_connection_good:
            _close(self._pool.release(connection, now=trio.current_time()))
        else:
            self._pool.drop(connection)
            connection.close()

    def _failed(self, kind: FailureKind, detail: str) -> WorkerFailed:
        return self._endpoint.failed(kind, detail)


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()
