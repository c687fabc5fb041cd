"""Answers the plain paths: one look-up, the body, the door.

It stands behind the guard and in front of the framework, which gets what is not in the table:
paths with names in them, wrong methods, and what is not there.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import attrs
import structlog
import trio

from cortexd.domain.errors import RequestRefused
from cortexd.http.doors.door import ANYBODY, Door, DoorRequest
from cortexd.http.error_shapes import shape_for
from cortexd.http.gate import UNIX_SOCKET, Gate, TurnedAway
from cortexd.http.guard import AsgiApp, Receive, Scope, Send, send_answer
from cortexd.http.host_errors import CLOSE, Answer, internal_error, refusal
from cortexd.http.quart_responder import AsgiResponder

log = structlog.get_logger(__name__)

PlainDoors: TypeAlias = Mapping[tuple[str, str], Door]
"""The doors by method and path."""

Gates: TypeAlias = Mapping[tuple[str, str], Gate]
"""Those in front of some of the doors, by method and path as well."""

_NOTHING: Final = b""
_UNGUARDED: Final[Gates] = {}


@attrs.frozen(kw_only=True)
class BodyLimits:
    """How large a request's body may be, and how long it may take to come."""

    bytes_max: int
    seconds_max: float


class DoorTable:
    """An ASGI application in front of another.

    Cancellation: when the client leaves, the host cancels the request.
    """

    def __init__(
        self, app: AsgiApp, doors: PlainDoors, limits: BodyLimits, gates: Gates = _UNGUARDED
    ) -> None:
        self._app = app
        self._doors = doors
        self._gates = gates
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        endpoint = (scope.get("method", ""), scope.get("path", ""))
        door = self._doors.get(endpoint)
        if door is None:
            await self._app(scope, receive, send)
            return
        headers, client = joined(scope["headers"]), client_of(scope)
        caller = ANYBODY
        if (gate := self._gates.get(endpoint)) is not None:
            admitted = gate.admit(scope["method"], headers, client)
            if isinstance(admitted, TurnedAway):
                await turn_away(admitted, scope["path"], send)
                return
            caller = admitted
        body = await self._read(scope, receive)
        if body is None:
            return
        if isinstance(body, Answer):
            await send_answer(send, body)
            return
        request = DoorRequest(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            body=body,
            query=scope.get("query_string", _NOTHING).decode("latin-1"),
            client=client,
            caller=caller,
        )
        await answer_through(door, request, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | Answer | None:
        """The body, or why it is refused; `None` if the client has left in the midst of it."""
        bytes_max = self._limits.bytes_max
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        # h11 has seen to it that there is one length at most, and that it is a number.
        if lengths and int(lengths[0]) > bytes_max:
            return too_large(scope["path"], bytes_max)
        pieces: list[bytes] = []
        size = 0
        with trio.move_on_after(self._limits.seconds_max):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                if piece := message.get("body", _NOTHING):
                    pieces.append(piece)
                    size += len(piece)
                if size > bytes_max:
                    return too_large(scope["path"], bytes_max)
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return too_slow(scope["path"])


async def turn_away(turned: TurnedAway, path: str, send: Send) -> None:
    """Send a refusal, when it is time. The body of the request is left unread."""
    await trio.sleep(turned.held_s)
    await send_answer(send, turned.answer(path))


def client_of(scope: Scope) -> str:
    """The address that a request comes from: that of the connection, whatever its headers say."""
    client = scope.get("client")
    return client[0] if client else UNIX_SOCKET


async def answer_through(door: Door, request: DoorRequest, send: Send) -> None:
    """Let a door answer; a bug in it becomes a 500."""
    respond = AsgiResponder(send)
    try:
        await door.answer(request, respond)
    except Exception:  # noqa: BLE001  the one place where a bug in a door becomes a 500
        _about(request).exception("door failed", answer_started=respond.started)
    else:
        if not respond.started:
            _about(request).error("door gave no answer")
    # An answer that has begun is left without its end, by which the client sees that it is broken.
    if not respond.started:
        await send_answer(send, internal_error(shape_for(request.path)))


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header lines of one name become one value, as RFC 9110 section 5.3 has it."""
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def too_large(path: str, bytes_max: int) -> Answer:
    """The refusal of a body beyond the limit."""
    message = f"the request body is larger than the {bytes_max} bytes accepted here"
    return _refused(path, RequestRefused(message, code="request_too_large", status=413))


def too_slow(path: str) -> Answer:
    """The refusal of a body that does not come."""
    message = "the request body did not arrive in time; send the request again"
    return _refused(path, RequestRefused(message, code="request_timeout", status=408))


def _refused(path: str, refused: RequestRefused) -> Answer:
    answer = refusal(refused, shape_for(path))
    # The rest of the body is still on its way, and nobody is going to read it.
    return attrs.evolve(answer, headers=(*answer.headers, *CLOSE))


def _about(request: DoorRequest) -> structlog.typing.FilteringBoundLogger:
    bound: structlog.typing.FilteringBoundLogger = log.bind(
        request_id=request.headers["x-request-id"], path=request.path
    )
    return bound
