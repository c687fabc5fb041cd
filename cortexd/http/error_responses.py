"""How an error becomes an HTTP answer: one table for all doors, one renderer for each dialect."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RateLimited,
    RequestRefused,
    RequestShed,
    StorageFailed,
    WorkerFailed,
)
from cortexd.domain.failure import FailureKind
from cortexd.http.doors.door import Responder
from cortexd.http.error_shapes import Shape, anthropic_shape, ollama_shape, openai_shape
from cortexd.http.host_errors import Answer, json_answer
from cortexd.wire.quotation import printable, shortened

MESSAGE_CHARACTERS_MAX: Final = 1000

RETRY_AFTER_S_DEFAULT: Final = 5.0
"""Said where nothing better is known: long enough for another node or a restart to take over."""

_SERVER_ERRORS: Final = range(500, 600)
# What an upstream says of the request, and not of us: its 401, 405 or 407 is no news to a client.
_PASSED_ON: Final = frozenset({400, 404, 413, 422})
_WITH_RETRY_AFTER: Final = frozenset({429, 503})


@attrs.frozen(kw_only=True)
class ErrorAnswer:
    """What a client is told, before a dialect gives it its form.

    `retries_spent`: the node has tried what can be tried, and the client's own retries on top would
    only multiply the load.
    """

    status: int
    code: str | None
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    retries_spent: bool = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that tell a client whether and when to come again."""
        headers: list[tuple[str, str]] = []
        if self.status in _WITH_RETRY_AFTER:
            wait_s = RETRY_AFTER_S_DEFAULT if self.retry_after_s is None else self.retry_after_s
            headers.append(("retry-after", str(max(1, math.ceil(wait_s)))))
        if self.retries_spent and self.status in _SERVER_ERRORS:
            headers.append(("x-should-retry", "false"))
        return tuple(headers)


def describe(error: CortexError) -> ErrorAnswer:
    """The table: what each error says to a client."""
    message = printable(error.message)[:MESSAGE_CHARACTERS_MAX]
    match error:
        case RequestRefused(param=param, code=code, status=status):
            where = None if param is None else shortened(param)
            return ErrorAnswer(status=status, code=code, message=message, param=where)
        case WorkerFailed():
            return _describe_failure(error, message)
        case NoWorkerAvailable() | RequestShed() | RateLimited():
            return ErrorAnswer(
                status=error.status,
                code=error.code,
                message=message,
                retry_after_s=error.retry_after_s,
            )
        case DeadlineExceeded():
            return ErrorAnswer(
                status=504, code="deadline_exceeded", message=message, retries_spent=True
            )
        case NodeStopping():
            status, code = 503, "node_stopping"
        case StorageFailed():
            status, code = 503, "storage_unavailable"
        case _:
            status, code = 500, "internal_error"
    return ErrorAnswer(status=status, code=code, message=message)


def _describe_failure(failure: WorkerFailed, message: str) -> ErrorAnswer:
    consequence = failure.kind.value
    if failure.kind is FailureKind.REFUSED:
        status = failure.status if failure.status in _PASSED_ON else consequence.status
        return ErrorAnswer(status=status, code=failure.code or consequence.code, message=message)
    return ErrorAnswer(
        status=consequence.status,
        code=consequence.code,
        message=message,
        retry_after_s=failure.retry_after_s,
        retries_spent=True,
    )


def openai_error(error: CortexError) -> bytes:
    """The error in OpenAI's shape: a response body, or the data of an event inside a stream."""
    return shaped(error, openai_shape)


def ollama_error(error: CortexError) -> bytes:
    """The error in Ollama's shape: a response body, or a line inside a stream."""
    return shaped(error, ollama_shape)


def anthropic_error(error: CortexError) -> bytes:
    """The error in Anthropic's shape: a response body, or the data of an event inside a stream."""
    return shaped(error, anthropic_shape)


def shaped(error: CortexError, shape: Shape) -> bytes:
    """The error in any dialect's shape."""
    answer = describe(error)
    return shape(answer.status, answer.message, code=answer.code, param=answer.param)


def error_response(
    error: CortexError,
    *,
    render: Callable[[CortexError], bytes] = openai_error,
    headers: Sequence[tuple[str, str]] = (),
) -> Answer:
    """The error as a whole HTTP answer in the dialect of `render`."""
    told = describe(error)
    return json_answer(told.status, render(error), (*told.headers, *headers))


async def send_error(
    respond: Responder,
    error: CortexError,
    *,
    render: Callable[[CortexError], bytes] = openai_error,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    """Answer a request with an error and nothing else."""
    answer = error_response(error, render=render, headers=headers)
    await respond.start(answer.status, answer.headers)
    await respond.send(answer.body)
    await respond.finish()
