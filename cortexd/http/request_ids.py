"""Gives every request its id, and every answer the id of its request.

Outermost of all, so that a refusal carries one as well. The id also replaces whatever the client
has sent in the request itself: who reads it further in reads the one that the client is told.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from cortexd.http.doors.request_headers import read_request_id
from cortexd.http.guard import AsgiApp, Message, Receive, Scope, Send

NAME = b"x-request-id"


def new_request_id() -> str:
    """An id nobody else has."""
    return secrets.token_hex(16)


class RequestIds:
    """Wraps an ASGI application."""

    def __init__(self, app: AsgiApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = (NAME, self._id_of(scope["headers"]))
        others = [header for header in scope["headers"] if header[0] != NAME]

        # Not a coroutine of its own: it would be one more for each piece of a stream.
        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                if all(name != NAME for name, _ in headers):
                    message = {**message, "headers": [*headers, own]}
            return send(message)

        await self._app({**scope, "headers": [*others, own]}, receive, send_with_id)

    def _id_of(self, headers: Any) -> bytes:
        given = b", ".join(value for name, value in headers if name == NAME)
        return read_request_id({"x-request-id": given.decode("latin-1")}, self._new_id).encode()
