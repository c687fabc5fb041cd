"""Doors of the admin API that do something: a document in, a document out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.doors.json_door import answer_json
from cortexd.http.doors.request_headers import check_json
from cortexd.http.error_responses import send_error
from cortexd.wire.fields import Fields
from cortexd.wire.strict_json import parse_object
from supervisor_tree import CallFailed

Handler: TypeAlias = Callable[[DoorRequest], Awaitable[tuple[int, Any]]]
"""Does what is asked; gives the HTTP status and what the JSON says. Errors: any `CortexError`."""


class Operation(Door):
    """Answers with what the handler gives, or with its error in OpenAI's shape.

    An actor that cannot be asked now is one that is being restarted, or has too much to do.
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Handle the request and send the document."""
        try:
            status, document = await self._handle(request)
        except CortexError as error:
            await send_error(respond, error)
        except CallFailed:
            message = "the keeper of this is being restarted; try again"
            await send_error(respond, RequestRefused(message, code="busy", status=503))
        else:
            await answer_json(respond, status, document)


def read_fields(request: DoorRequest) -> Fields:
    """The JSON object in the body. Raises `RequestRefused`."""
    check_json(request.headers)
    return Fields(parse_object(request.body))


def read_query(request: DoorRequest, *known: str) -> Mapping[str, str]:
    """The parameters behind the question mark. Raises `RequestRefused` for one not `known`."""
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name not in known:
            raise RequestRefused(
                f"there is no such parameter; known are: {', '.join(known) or 'none'}",
                param=name,
                code="unknown_parameter",
            )
        if name in parameters:
            raise RequestRefused("a parameter is given once", param=name, code="invalid_value")
        parameters[name] = value
    return parameters


def read_limit(parameters: Mapping[str, str], *, default: int, most: int) -> int:
    """How many items of a list are asked for. Raises `RequestRefused`."""
    text = parameters.get("limit")
    if text is None:
        return default
    # Its length first: thousands of digits are no number to `int`.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    limit = int(text) if is_number else 0
    if not 1 <= limit <= most:
        raise RequestRefused(
            f"limit must be a number from 1 to {most}", param="limit", code="invalid_value"
        )
    return limit
