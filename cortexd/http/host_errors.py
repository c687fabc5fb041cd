"""The errors of the host itself, before a door has been found or after it has failed.

No dialect is known at that point, so they take the shape most clients can read: OpenAI's.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeAlias

import attrs
import msgspec

from cortexd.domain.errors import RequestRefused

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


def error_answer(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Headers = (),
) -> Answer:
    """An error in OpenAI's shape; `message` must say what to do and quote nothing."""
    error = {"message": message, "type": _kind(status), "param": param, "code": code}
    body = msgspec.json.encode({"error": error})
    framing = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Answer(status, (*framing, *headers), body)


def openai_refusal(refused: RequestRefused) -> Answer:
    """The refusal in OpenAI's shape."""
    return error_answer(refused.status, refused.message, code=refused.code, param=refused.param)


def _kind(status: int) -> str:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "overloaded_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"


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
