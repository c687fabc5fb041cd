"""Keeps the pages of others from acting through an operator's browser.

A browser says in `Origin` whose page sends a request, for each that can change something and for
each that asks for leave to do so (a preflight). Whoever is no browser sends none.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from cortexd.http.guard import AsgiApp, Receive, Scope, Send, send_answer
from cortexd.http.host_errors import error_answer

_HARMLESS: Final = ("GET", "HEAD")

_FOREIGN = error_answer(
    403,
    "a page of another origin cannot do this: open the dashboard at this listener's own address",
    code="foreign_origin",
)


class OwnOriginOnly:
    """Wraps an ASGI application, which is not asked for what the pages of others send."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        changes = scope["type"] == "http" and scope["method"] not in _HARMLESS
        if changes and is_foreign(scope["headers"]):
            await send_answer(send, _FOREIGN)
        else:
            await self._app(scope, receive, send)


def is_foreign(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a page of another host, or of another port of it, has sent this."""
    own = [value.lower() for name, value in headers if name == b"host"]
    origins = [value.lower() for name, value in headers if name == b"origin"]
    return any(host_of(origin.decode("latin-1")).encode("latin-1") not in own for origin in origins)


def host_of(origin: str) -> str:
    """Host and port of an origin; empty for what is none, such as `null`."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in {"http", "https"} else ""
