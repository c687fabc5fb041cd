"""Refuses what two parsers could read differently, before anything else looks at a request.

The outermost ASGI wrapper. h11 lets these pass: a request with two framings, protocol versions that
do not exist, targets that are no path, a Host that is none. A front proxy that reads one of them in
another way than we do would let a second request through inside the first.
Rules of this file: deciding is pure and sees nothing but the ASGI scope; every refusal closes the
connection, since where such a request ends is a matter of opinion.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import attrs

from cortexd.http.error_shapes import shape_for
from cortexd.http.host_errors import CLOSE, Answer, Headers, error_answer

Scope: TypeAlias = Any  # both are dicts, which every framework types as a union of its own
Message: TypeAlias = Any
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER_LINES_MAX = 100
HEADER_LINE_BYTES_MAX = 16 * 1024
HEADER_BYTES_MAX = 32 * 1024
TARGET_BYTES_MAX = 8 * 1024
HEADER_LINE_OVERHEAD_BYTES = 4  # colon, space, CR, LF

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
VERSIONS = ("1.0", "1.1")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen
class Objection:
    """Why a request is refused."""

    status: int
    message: str
    code: str | None = None
    headers: Headers = ()

    def answer(self, path: str) -> Answer:
        """The refusal, in the dialect of who asks for `path`; it closes the connection."""
        return error_answer(
            self.status,
            self.message,
            code=self.code,
            headers=(*self.headers, *CLOSE),
            shape=shape_for(path),
        )


class RequestGuard:
    """Answers a dubious request itself and hands all others on."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        objection = find_objection(scope) if scope["type"] == "http" else None
        if objection is None:
            await self._app(scope, receive, send)
        else:
            await send_answer(send, objection.answer(scope["path"]))


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer over ASGI."""
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def find_objection(scope: Mapping[str, Any]) -> Objection | None:
    """What is wrong with the head of this request, and matters most."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return (
        _framing_objection(scope["http_version"], {name for name, _ in headers})
        or _target_objection(scope)
        or _protocol_objection(scope)
        or _size_objection(headers)
        or _header_objection(headers)
    )


def _framing_objection(version: str, names: set[bytes]) -> Objection | None:
    chunked = b"transfer-encoding" in names
    if chunked and b"content-length" in names:
        return Objection(400, "send either Content-Length or Transfer-Encoding, not both")
    if chunked and version == "1.0":
        return Objection(400, "HTTP/1.0 knows no Transfer-Encoding: send a Content-Length")
    return None


def _target_objection(scope: Mapping[str, Any]) -> Objection | None:
    target: bytes = scope["raw_path"]
    if not target.startswith(b"/"):
        return Objection(400, "the request target must be a path that starts with a slash")
    if target.startswith(b"//"):
        # A router may drop a slash, a proxy may take what follows for a host.
        return Objection(
            404, "there is nothing at a path with two leading slashes", code="not_found"
        )
    if len(target) + len(scope["query_string"]) > TARGET_BYTES_MAX:
        return Objection(414, f"the request target is longer than {TARGET_BYTES_MAX} bytes")
    if _CONTROL.search(scope["path"]):
        return Objection(400, "the path contains control characters")
    return None


def _protocol_objection(scope: Mapping[str, Any]) -> Objection | None:
    if scope["http_version"] not in VERSIONS:
        return Objection(505, "this listener speaks HTTP/1.1", code="http_version_not_supported")
    if scope["method"] not in METHODS:
        allow = (("allow", ", ".join(METHODS)),)
        return Objection(405, "there is no such method here", headers=allow)
    return None


def _size_objection(headers: list[tuple[bytes, bytes]]) -> Objection | None:
    sizes = [len(name) + len(value) + HEADER_LINE_OVERHEAD_BYTES for name, value in headers]
    if max(sizes, default=0) > HEADER_LINE_BYTES_MAX:
        return Objection(431, f"a header line is longer than {HEADER_LINE_BYTES_MAX} bytes")
    if len(headers) > HEADER_LINES_MAX or sum(sizes) > HEADER_BYTES_MAX:
        limit = f"{HEADER_LINES_MAX} header lines and {HEADER_BYTES_MAX} bytes of them"
        return Objection(431, f"at most {limit} are accepted")
    return None


def _header_objection(headers: list[tuple[bytes, bytes]]) -> Objection | None:
    for name, value in headers:
        if name == b"host" and not _HOST.fullmatch(value):
            return Objection(400, "the Host header is not a host name with an optional port")
        if name == b"expect" and value.lower() != b"100-continue":
            return Objection(417, "the only expectation that is met here is 100-continue")
        if name == b"upgrade" and b"websocket" in value.lower():
            return Objection(400, "there are no WebSockets here: use a plain HTTP request")
    return None
