"""Mounts the doors on Quart-Trio: paths with names in them, and errors before a door is reached.

A path without names is looked up in a table in front of Quart (`door_table.py`), which makes the
same of it for a third of the cost.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import structlog
from quart import Response, request
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers import TrioResponse
from werkzeug.datastructures import Headers
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
)

from cortexd.domain.errors import RequestRefused
from cortexd.http.door_table import (
    BodyLimits,
    DoorTable,
    answer_through,
    client_of,
    joined,
    too_large,
    too_slow,
    turn_away,
)
from cortexd.http.doors.door import ANYBODY, Door, DoorRequest
from cortexd.http.error_shapes import shape_for
from cortexd.http.gate import Gate, TurnedAway
from cortexd.http.guard import AsgiApp, RequestGuard
from cortexd.http.host_errors import (
    Answer,
    internal_error,
    refusal,
)
from cortexd.http.origins import OwnOriginOnly
from cortexd.http.request_ids import RequestIds, new_request_id

log = structlog.get_logger(__name__)

_NOT_FOUND = RequestRefused(
    "there is nothing at this path; see the documentation for the endpoints",
    code="not_found",
    status=404,
)
_METHOD_NOT_ALLOWED = RequestRefused(
    "this endpoint takes other methods; the Allow header lists them",
    code="method_not_allowed",
    status=405,
)


@attrs.frozen(kw_only=True)
class Route:
    """One endpoint. `path` in the words of Werkzeug: `/things/<name>`, `/things/<path:name>`.

    `gate`: who may pass; without one, anybody.
    """

    method: str
    path: str
    door: Door
    gate: Gate | None = None


class _DoorResponse(TrioResponse):
    """What a view returns: not an answer, but who will give it."""

    def __init__(self, door: Door, door_request: DoorRequest) -> None:
        super().__init__(b"")
        self.door = door
        self.door_request = door_request


class _Refusal(TrioResponse):
    """What a view returns for whom the gate has turned away."""

    def __init__(self, turned: TurnedAway, path: str) -> None:
        super().__init__(b"")
        self.turned = turned
        self.asked_path = path


class _DoorConnection(TrioASGIHTTPConnection):
    """Quart-Trio's handling of one request, which hands the sending over to the door."""

    async def _send_response(self, send: Any, response: Any) -> None:
        if isinstance(response, _DoorResponse):
            await answer_through(response.door, response.door_request, send)
        elif isinstance(response, _Refusal):
            await turn_away(response.turned, response.asked_path, send)
        else:
            await super()._send_response(send, response)


class _DoorApp(QuartTrio):
    asgi_http_class = _DoorConnection

    def log_exception(self, exception_info: Any) -> None:
        log.error("request failed outside the doors", exc_info=exception_info)


def build_app(
    routes: Sequence[Route],
    *,
    max_body_bytes: int,
    body_seconds: float,
    new_id: Callable[[], str] = new_request_id,
    own_origin_only: bool = False,
) -> QuartTrio:
    """The ASGI application that serves `routes`, and JSON errors everywhere else.

    It needs no lifespan events. `own_origin_only`: pages of other origins cannot change anything.
    """
    app = _DoorApp(__name__, static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=max_body_bytes,
        BODY_TIMEOUT=body_seconds,
        # A stream ends when its door says so; idle and total limits are the pipeline's.
        RESPONSE_TIMEOUT=None,
        PROPAGATE_EXCEPTIONS=False,
    )
    # `/v1//chat` is another path than `/v1/chat`, not a reason to redirect.
    app.url_map.merge_slashes = False
    plain = {(route.method, route.path): route.door for route in routes if "<" not in route.path}
    for route in routes:
        app.add_url_rule(
            route.path,
            endpoint=f"{route.method} {route.path}",
            view_func=_view(route),
            methods=[route.method],
            provide_automatic_options=False,
        )
    app.register_error_handler(HTTPException, _answer_http_error)
    limits = BodyLimits(bytes_max=max_body_bytes, seconds_max=body_seconds)
    gates = {(route.method, route.path): route.gate for route in routes if route.gate}
    table: AsgiApp = DoorTable(app.asgi_app, plain, limits, gates)
    guarded = RequestGuard(OwnOriginOnly(table) if own_origin_only else table)
    app.asgi_app = RequestIds(guarded, new_id)  # type: ignore[method-assign]  # Flask's way to wrap
    return app


def _view(route: Route) -> Callable[..., Awaitable[Response]]:
    async def view(**params: str) -> Response:
        headers, client = joined(request.scope["headers"]), client_of(request.scope)
        caller = ANYBODY
        if route.gate is not None:
            admitted = route.gate.admit(request.method, headers, client)
            if isinstance(admitted, TurnedAway):
                return _Refusal(admitted, request.path)
            caller = admitted
        try:
            body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        except RequestEntityTooLarge:
            return _response(too_large(request.path, request.max_content_length or 0))
        except RequestTimeout:
            return _response(too_slow(request.path))
        return _DoorResponse(
            route.door,
            DoorRequest(
                method=request.method,
                path=request.path,
                headers=headers,
                body=body,
                params=params,
                query=request.query_string.decode("latin-1"),
                client=client,
                caller=caller,
            ),
        )

    return view


async def _answer_http_error(error: HTTPException) -> Response:
    shape = shape_for(request.path)
    if isinstance(error, NotFound):
        return _response(refusal(_NOT_FOUND, shape))
    if isinstance(error, MethodNotAllowed):
        answer = refusal(_METHOD_NOT_ALLOWED, shape)
        allow = ("allow", ", ".join(sorted(error.valid_methods or ())))
        return _response(attrs.evolve(answer, headers=(*answer.headers, allow)))
    return _response(internal_error(shape))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, Headers(list(answer.headers)))
