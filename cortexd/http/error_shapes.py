"""What an error looks like in each dialect."""

from collections.abc import Mapping
from typing import Final, Protocol

from cortexd.wire.strict_json import dumps

_SERVER_ERRORS: Final = range(500, 600)

_OPENAI_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}

# Source: docs.claude.com, "Errors".
_ANTHROPIC_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Shape(Protocol):
    """Puts an error into a dialect's words: the body of a response, or what a stream ends with."""

    def __call__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> bytes:
        """The JSON. `message` says what to do; `param` is the path of the field at fault."""
        ...


def openai_shape(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> bytes:
    """The error object; its type, the class of error in OpenAI's words, follows from the status."""
    by_fault = "server_error" if status in _SERVER_ERRORS else "invalid_request_error"
    kind = _OPENAI_TYPES.get(status, by_fault)
    return dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def ollama_shape(
    status: int,  # noqa: ARG001  the dialect has a text and nothing else
    message: str,
    *,
    code: str | None = None,  # noqa: ARG001  as above
    param: str | None = None,  # noqa: ARG001  the message names the field
) -> bytes:
    """The text."""
    return dumps({"error": message})


def anthropic_shape(
    status: int,
    message: str,
    *,
    code: str | None = None,  # noqa: ARG001  the dialect has types, but no codes
    param: str | None = None,  # noqa: ARG001  the message names the field
) -> bytes:
    """The error object, its type following from the status."""
    by_fault = "api_error" if status in _SERVER_ERRORS else "invalid_request_error"
    kind = _ANTHROPIC_TYPES.get(status, by_fault)
    return dumps({"type": "error", "error": {"type": kind, "message": message}})


def shape_for(path: str) -> Shape:
    """The shape that whoever asks for `path` can read, also where there is nothing."""
    if path.startswith("/api/") and path != "/api/health":
        return ollama_shape
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return anthropic_shape
    return openai_shape
