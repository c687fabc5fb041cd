"""The response to one request on one connection, read as it comes.

Rules of this file: no task, no time limit and no generator, but for a request too big to be sent
before it is answered. A connection that fails is closed on the spot, so that whoever reads on gets
a failure again and never an end.
"""

from typing import Final

import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.connection import Connection, ConnectionLost
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.response_parser import (
    MalformedResponse,
    ResponseHead,
    ResponseParser,
    TruncatedResponse,
)

# What Linux takes at once on any connection, whether the peer reads or not (tcp_wmem).
SENT_AT_ONCE_BYTES_MAX: Final = 16 * 1024

_SUCCESS: Final = range(200, 300)
_HUNG_UP: Final = "the peer closed it"


class NoResponse(Exception):
    """The connection was lost before the first byte of a response; the text says how."""


class Response:
    """Iterates over the body: each item is all of it that one read brought.

    Errors: `WorkerFailed` of kind SERVER_ERROR, also where the body is cut off.
    """

    def __init__(self, endpoint: Endpoint, connection: Connection) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._parser = ResponseParser()
        self._ahead = b""  # the body that came along with the head
        self._has_begun = False

    async def ask(self, request: bytes) -> ResponseHead:
        """Send the request and wait for the head of the response.

        Errors: `NoResponse`, else `WorkerFailed`.
        """
        if len(request) <= SENT_AT_ONCE_BYTES_MAX:
            await self.connection.send(request)
            return await self._read_head()
        return await self._ask_at_length(request)

    async def _ask_at_length(self, request: bytes) -> ResponseHead:
        # A server may refuse a body before it has read it, and then read no more of it: who only
        # wrote would wait for ever. One that accepts it early still gets the rest.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.connection.send, request)
            outcome = await self._try_read_head()
            if not (isinstance(outcome, ResponseHead) and outcome.status in _SUCCESS):
                nursery.cancel_scope.cancel()
        if isinstance(outcome, ResponseHead):
            return outcome
        raise outcome  # out here, where no nursery wraps it into a group

    def __aiter__(self) -> "Response":
        return self

    async def __anext__(self) -> bytes:
        body, self._ahead = self._ahead, b""
        while not body:
            if self._parser.is_whole:
                raise StopAsyncIteration
            body = await self._read()
        return body

    @property
    def is_whole(self) -> bool:
        """Whether the body has been received to its end."""
        return self._parser.is_whole

    @property
    def leaves_connection_good(self) -> bool:
        """Whether the connection can carry another request."""
        parser = self._parser
        return (
            parser.is_whole
            and not parser.has_excess
            and parser.head is not None
            and parser.head.keeps_alive
            and self.connection.is_sound
        )

    async def read_end(self) -> None:
        """Read on as long as what comes is only the end of the body."""
        while not (self._parser.is_whole or self._ahead):
            self._ahead = await self._read()

    async def read_into(self, body: bytearray, bytes_max: int) -> None:
        """Append the rest of the body, until it is over or `bytes_max` are exceeded."""
        async for piece in self:
            body += piece
            if len(body) > bytes_max:
                return

    async def _try_read_head(self) -> ResponseHead | NoResponse | WorkerFailed:
        try:
            return await self._read_head()
        except (NoResponse, WorkerFailed) as exc:
            return exc

    async def _read_head(self) -> ResponseHead:
        while self._parser.head is None:
            self._ahead = await self._read()
        return self._parser.head

    async def _read(self) -> bytes:
        lost = _HUNG_UP
        try:
            data = await self.connection.receive()
            if data:
                self._has_begun = True
                return self._parser.feed(data)
            self._parser.end_input()
            return b""
        except MalformedResponse as exc:
            self.connection.close()
            raise self._failed(f"no valid HTTP: {exc}") from exc
        except ConnectionLost as exc:
            lost = str(exc)
        except TruncatedResponse:
            pass
        self.connection.close()
        if not self._has_begun:
            raise NoResponse(lost)
        raise self._failed(f"connection lost: {lost}")

    def _failed(self, detail: str) -> WorkerFailed:
        return self._endpoint.failed(FailureKind.SERVER_ERROR, detail)
