"""The errors of the host itself, before a door has been found or after it has failed."""

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from cortexd.domain.errors import RequestRefused
from cortexd.http.error_shapes import Shape, openai_shape

Headers: TypeAlias = Sequence[tuple[str, str]]

CLOSE: Headers = (("connection", "close"),)
"""For answers after which the rest of the input is not worth reading, or not to be trusted."""


@attrs.frozen
class Answer:
    """A whole answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


def json_answer(status: int, body: bytes, headers: Headers = ()) -> Answer:
    """A whole JSON answer."""
    framing = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Answer(status, (*framing, *headers), body)


def error_answer(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Headers = (),
    shape: Shape = openai_shape,
) -> Answer:
    """An error as a whole answer; `message` must say what to do and quote nothing."""
    return json_answer(status, shape(status, message, code=code), headers)


def refusal(refused: RequestRefused, shape: Shape) -> Answer:
    """The refusal as a whole answer."""
    body = shape(refused.status, refused.message, code=refused.code, param=refused.param)
    return json_answer(refused.status, body)


def internal_error(shape: Shape) -> Answer:
    """What is told of a bug."""
    return error_answer(
        500,
        "the gateway failed on this request through no fault of yours; "
        "try again, and tell its operator if that does not help",
        code="internal_error",
        shape=shape,
    )


OVER_CONNECTED = error_answer(
    503,
    "too many connections are open; try again in a second and reuse your connections",
    code="too_many_connections",
    headers=(("retry-after", "1"), *CLOSE),
)
