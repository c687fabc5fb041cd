"""Hypercorn's stream of HTTP/1.1: a request and its response, as ASGI has them."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Final

from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream

from cortexd.http.guard import Message

BODILESS: Final = (204, 304)
"""The statuses of responses without a body (RFC 9110, section 6.4.1)."""


class HttpExchange(HTTPStream):
    """One request of a connection. `send_piece` sends a piece of its response's body.

    Once the end of the response is being sent, the client is free to leave: that is no disconnect
    for the application, which may still have to book what it has just served.
    """

    send_piece: Callable[[bytes], Awaitable[None]]
    _is_ending = False

    async def app_send(self, message: Message) -> None:
        """Take what the application says; called by it."""
        # Hypercorn weighs what else it could be, and a stream is thousands of pieces.
        is_piece = message is not None and message.get("more_body")
        if is_piece and self.state is ASGIHTTPState.RESPONSE and self._has_body:
            if body := message["body"]:
                await self.send_piece(body)
            return
        await super().app_send(message)

    @cached_property
    def _has_body(self) -> bool:
        """Whether its response has one; to be asked once that has begun."""
        return self.scope["method"] != "HEAD" and self.response["status"] not in BODILESS

    async def handle(self, event: Event) -> None:
        """Take what the connection says."""
        if isinstance(event, StreamClosed) and self._is_ending:
            self.closed = True
            return
        await super().handle(event)

    async def _send_closed(self) -> None:
        self._is_ending = True
        await super()._send_closed()
