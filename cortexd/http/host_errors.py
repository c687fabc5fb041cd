"""The errors of the host itself, before a door has been found or after it has failed.

No dialect is known at that point, so they take the shape most clients can read: OpenAI's.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from cortexd.domain.errors import RequestRefused
from cortexd.wire.strict_json import dumps

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_SERVER_ERRORS: Final = range(500, 600)

Headers: TypeAlias = Sequence[tuple[str, str]]

CLOSE: Headers = (("connection", "close"),)
"""For answers after which the rest of the input is not worth reading, or not to be trusted."""


@attrs.frozen
class Answer:
    """A whole answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


RenderRefusal: TypeAlias = Callable[[RequestRefused], Answer]
"""How a dialect tells a client that its request is refused."""


def openai_shape(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> bytes:
    """The error object; its type, the class of error in OpenAI's words, follows from the status."""
    by_fault = "server_error" if status in _SERVER_ERRORS else "invalid_request_error"
    kind = _TYPES.get(status, by_fault)
    return dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def json_answer(status: int, body: bytes, headers: Headers = ()) -> Answer:
    """A whole JSON answer."""
    framing = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Answer(status, (*framing, *headers), body)


def error_answer(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Headers = (),
) -> Answer:
    """An error in OpenAI's shape; `message` must say what to do and quote nothing."""
    return json_answer(status, openai_shape(status, message, code=code, param=param), headers)


def openai_refusal(refused: RequestRefused) -> Answer:
    """The refusal in OpenAI's shape."""
    return error_answer(refused.status, refused.message, code=refused.code, param=refused.param)


INTERNAL_ERROR = error_answer(
    500,
    "the gateway failed on this request through no fault of yours; "
    "try again, and tell its operator if that does not help",
    code="internal_error",
)
OVER_CONNECTED = error_answer(
    503,
    "too many connections are open; try again in a second and reuse your connections",
    code="too_many_connections",
    headers=(("retry-after", "1"), *CLOSE),
)
