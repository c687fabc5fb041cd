"""Responses: the headers that answers carry, and errors in the shape of each dialect."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from cortexd.domain.cache_use import CacheUse
from cortexd.http.openapi.json_schema import Schema, either, growing, kind, reference, word
from cortexd.policy.degradation import LEVELS

Response: TypeAlias = dict[str, Any]
JSON: Final = "application/json"


def _header(about: str, schema: Schema, *, required: bool = False) -> Response:
    return {"description": about, "schema": schema, "required": required}


REQUEST_ID: Final = _header(
    "The id of the request: the client's own, or a new one.",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    required=True,
)
_WORKER: Final = {"type": "string", "minLength": 1}
_ATTEMPTS: Final = {
    "type": "string",
    "pattern": r"^[0-9]+( \([A-Za-z0-9].*\))?$",
    "examples": ["2 (ollama-local: unreachable; groq: taken; embedded: not needed)"],
}
_CACHE: Final = word("", *(use.value for use in CacheUse))
_DEGRADATION: Final = word("", *(level.value for level in LEVELS[1:]))
_RETRY_AFTER: Final = _header(
    "In how many seconds to come again.", {"type": "integer", "minimum": 1}, required=True
)
_SHOULD_RETRY: Final = _header(
    "`false`: what could be tried has been tried, so a retry would only add to the load.",
    word("", "false"),
)

_DEAD_LETTER: Final = _header(
    "The failed request is kept, and an operator can try it again: its id.",
    {"type": "string", "pattern": "^dl-[0-9a-z]{14}$"},
)


def _exchange_headers(*, answered: bool) -> dict[str, Response]:
    """What tells of the way of a request; an answer has come from a worker, an error may not."""
    return {
        "x-cortexd-worker": _header("The worker that was asked last.", _WORKER, required=answered),
        "x-cortexd-attempts": _header(
            "How many times a worker was asked, and why each one was or was not.",
            _ATTEMPTS,
            required=answered,
        ),
        "x-cortexd-cache": _header(
            "Whether the answer is that of an equal request.", _CACHE, required=answered
        ),
        "x-cortexd-degradation": _header("How far the node had fallen, if it had.", _DEGRADATION),
    }


_ABOUT: Final[Mapping[int, str]] = {
    400: "The request is wrong; the message names the member at fault.",
    404: "Nobody serves such a model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body does not say that it is JSON, or is compressed.",
    422: "The worker refuses what the request asks of it, or the idempotency key is that of another"
    " request.",
    429: "The worker has had too many requests.",
    500: "The gateway failed, through no fault of the client.",
    502: "No worker gave an answer that can be used.",
    503: "No worker can take the request now, or the node is stopping.",
    504: "The time that the client, or the worker's settings, allowed is over.",
}
_WITH_RETRY_AFTER: Final = frozenset({429, 503})
_WITH_DEAD_LETTER: Final = frozenset({429, 502, 503, 504})
_SERVER_ERROR_MIN: Final = 500

OF_A_DOCUMENT: Final = (408, 413, 500)
"""What can go wrong before a door is reached, or in the middle of it."""
OF_A_MODEL: Final = (400, 404, 408, 413, 415, 422, 429, 500, 502, 503, 504)
"""What a request to a model can come to."""


def errors(shape: str, statuses: Iterable[int]) -> dict[str, Response]:
    """The errors with these statuses, in the shape that the schema of that name describes."""
    return {str(status): _error(status, shape) for status in statuses}


def _error(status: int, shape: str) -> Response:
    headers = {"x-request-id": REQUEST_ID, **_exchange_headers(answered=False)}
    if status in _WITH_RETRY_AFTER:
        headers["retry-after"] = _RETRY_AFTER
    if status >= _SERVER_ERROR_MIN:
        headers["x-should-retry"] = _SHOULD_RETRY
    if status in _WITH_DEAD_LETTER:
        headers["x-cortexd-dead-letter"] = _DEAD_LETTER
    return {
        "description": _ABOUT[status],
        "headers": headers,
        "content": {JSON: {"schema": reference(shape)}},
    }


def document(about: str, schema: Schema, *, status: int = 200) -> dict[str, Response]:
    """A response that the gateway gives by itself."""
    return {
        str(status): {
            "description": about,
            "headers": {"x-request-id": REQUEST_ID},
            "content": {JSON: {"schema": schema}},
        }
    }


def answer(
    about: str, schema: Schema, *, stream: Response | None = None, by_worker: bool = True
) -> dict[str, Response]:
    """The answer of a worker, which some clients want as a stream.

    `by_worker` false: some answers need none.
    """
    headers = {"x-request-id": REQUEST_ID, **_exchange_headers(answered=by_worker)}
    content = {JSON: {"schema": schema}, **(stream or {})}
    return {"200": {"description": about, "headers": headers, "content": content}}


def events(schema: Schema, *, last: Schema | None = None) -> Response:
    """A stream of server-sent events. `last`: what only the data of the last is."""
    data: Schema = {
        "type": "string",
        "contentMediaType": JSON,
        "contentSchema": schema,
    }
    event = growing(
        "An event of the stream: this schema describes each of them. The last is sent behind an "
        "answer that is whole, and behind no other; one that breaks off ends with an error.",
        {
            "event": {"type": "string"},
            "data": data if last is None else either(last, data),
        },
        required=["data"],
    )
    return {"text/event-stream": {"schema": event}}


def lines(*schemas: Schema) -> Response:
    """A stream of JSON texts, each of which fits one of these."""
    line = either(
        *schemas,
        about="A line of the stream: this schema describes each of them. The last line of an "
        "answer that is whole has `done`; one that breaks off ends with an error.",
    )
    return {"application/x-ndjson": {"schema": line}}


_MESSAGE: Final[Schema] = {"type": "string", "description": "What is wrong, and what to do."}

ERROR_SCHEMAS: Final[dict[str, Schema]] = {
    "OpenAiError": growing(
        "An error. In a stream, the data of its last event.",
        {
            "error": growing(
                "The error.",
                {
                    "message": _MESSAGE,
                    "type": word(
                        "Its class.",
                        "invalid_request_error",
                        "rate_limit_error",
                        "overloaded_error",
                        "server_error",
                    ),
                    "param": {
                        "type": ["string", "null"],
                        "description": "The path of the member at fault: `messages[3].role`.",
                    },
                    "code": {
                        "type": ["string", "null"],
                        "description": "What a program can tell errors apart by.",
                    },
                },
                required=["message", "type", "param", "code"],
            )
        },
        required=["error"],
    ),
    "OllamaError": growing(
        "An error. In a stream, its last line.", {"error": _MESSAGE}, required=["error"]
    ),
    "AnthropicError": growing(
        "An error. In a stream, the data of its last event, which is named `error`.",
        {
            "type": kind("error"),
            "error": growing(
                "The error.",
                {
                    "type": word(
                        "Its class.",
                        "invalid_request_error",
                        "not_found_error",
                        "request_too_large",
                        "rate_limit_error",
                        "api_error",
                        "overloaded_error",
                        "timeout_error",
                    ),
                    "message": _MESSAGE,
                },
                required=["type", "message"],
            ),
        },
        required=["type", "error"],
    ),
}
