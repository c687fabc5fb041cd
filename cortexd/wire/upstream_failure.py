"""What kind of failure an upstream's status and error code stand for.

The error code decides where it is known, since providers put several kinds under one status; the
status decides the rest.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from cortexd.domain.failure import FailureKind
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

DETAIL_CHARACTERS_MAX: Final = 500

_STATUS_KINDS: Final[Mapping[int, FailureKind]] = {
    401: FailureKind.BAD_KEY,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.BAD_KEY,
    408: FailureKind.TIMED_OUT,
    # A conflict is a lock not taken in time; the official OpenAI client tries again, too.
    409: FailureKind.SERVER_ERROR,
    429: FailureKind.RATE_LIMITED,
    # Groq: flex capacity exceeded. Anthropic: overloaded.
    498: FailureKind.OVERLOADED,
    503: FailureKind.OVERLOADED,
    529: FailureKind.OVERLOADED,
}

_CODE_KINDS: Final[Mapping[str, FailureKind]] = {
    # Sources: the guides to error codes of OpenAI and Groq.
    "account_deactivated": FailureKind.BAD_KEY,
    "billing_hard_limit_reached": FailureKind.QUOTA_EXHAUSTED,
    "billing_not_active": FailureKind.QUOTA_EXHAUSTED,
    # Groq, with status 400: the organisation's own spend limit.
    "blocked_api_access": FailureKind.QUOTA_EXHAUSTED,
    "capacity_exceeded": FailureKind.OVERLOADED,
    "context_length_exceeded": FailureKind.REFUSED,
    "credit_balance_exhausted": FailureKind.QUOTA_EXHAUSTED,
    "insufficient_quota": FailureKind.QUOTA_EXHAUSTED,
    "invalid_api_key": FailureKind.BAD_KEY,
    # With 403, the key may be good for other models.
    "model_not_found": FailureKind.REFUSED,
    "organization_spend_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "organization_usage_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "project_spend_limit_exceeded": FailureKind.QUOTA_EXHAUSTED,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "server_is_overloaded": FailureKind.OVERLOADED,
}

# What comes with several statuses, which then tell more.
_CODE_KINDS_WITHOUT_STATUS: Final[Mapping[str, FailureKind]] = {
    "slow_down": FailureKind.OVERLOADED,
}

# Types of OpenAI's errors, which tell something only where no status does.
_TYPE_KINDS: Final[Mapping[str, FailureKind]] = {
    "authentication_error": FailureKind.BAD_KEY,
    "invalid_request_error": FailureKind.REFUSED,
    "overloaded_error": FailureKind.OVERLOADED,
    "permission_error": FailureKind.BAD_KEY,
    "rate_limit_error": FailureKind.RATE_LIMITED,
}

_TOO_LARGE: Final = 413
_CLIENT_ERRORS: Final = range(400, 500)
_ERRORS: Final = range(400, 600)

# No two providers have the same code for it, and some have none; their words agree more.
_TOO_LONG: Final = re.compile(
    r"context (length|window|size)|maximum context|prompt is too long|number of tokens|"
    r"too many tokens|too long for",
    re.IGNORECASE,
)
CONTEXT_TOO_LONG: Final = "context_length_exceeded"

_documents: Final = msgspec.json.Decoder[object]()


def classify(status: int, codes: tuple[object, ...] = ()) -> FailureKind:
    """The kind of an answer with this status whose error names these codes, if any."""
    if status == _TOO_LARGE:
        # Groq names its rate limit here, but the same request will never fit into it.
        return FailureKind.REFUSED
    for code in codes:
        if isinstance(code, str) and code in _CODE_KINDS:
            return _CODE_KINDS[code]
    if status in _STATUS_KINDS:
        return _STATUS_KINDS[status]
    for code in codes:
        if isinstance(code, str) and code in _CODE_KINDS_WITHOUT_STATUS:
            return _CODE_KINDS_WITHOUT_STATUS[code]
    if status not in _ERRORS:
        for code in codes:
            if isinstance(code, str) and code in _TYPE_KINDS:
                return _TYPE_KINDS[code]
    # A success that is none, a redirect and a status nobody knows are faults of the server.
    return FailureKind.REFUSED if status in _CLIENT_ERRORS else FailureKind.SERVER_ERROR


def read_error(error: object, *, status: int) -> UpstreamError:
    """What an `error` member says: an object with `message`, `type` and `code`, or a bare text.

    vLLM, llama.cpp and OpenRouter write the HTTP status into `code`; inside a stream, which came
    with status 200, that number is the only trace of it.
    """
    codes: tuple[object, ...] = ()
    message: object = error
    if isinstance(error, dict):
        codes = (error.get("code"), error.get("type"))
        message = error.get("message")
    code = codes[0] if codes else None
    if status not in _ERRORS and isinstance(code, int) and code in _ERRORS:
        status = code
    told = message[:DETAIL_CHARACTERS_MAX] if isinstance(message, str) else None
    return UpstreamError(classify(status, codes), told or "no message", status, told)


def read_error_document(answer: FailedAnswer) -> UpstreamError:
    """What a body says that is `{"error": …}`, as with OpenAI and Ollama, or else its status."""
    try:
        document = foreign_json.read(_documents, answer.body, what="an error")
    except MalformedStream:
        return unreadable_error(answer.body, status=answer.status)
    if isinstance(document, dict) and "error" in document:
        return read_error(document["error"], status=answer.status)
    # Older vLLM puts the members of the error at the top level.
    if isinstance(document, dict) and document.get("object") == "error":
        return read_error(document, status=answer.status)
    return unreadable_error(answer.body, status=answer.status)


def refusal_code(told: str | None) -> str | None:
    """What a client is told of a refusal in one word, where there is a word for it."""
    return CONTEXT_TOO_LONG if told is not None and _TOO_LONG.search(told) else None


def unreadable_error(body: bytes, *, status: int) -> UpstreamError:
    """The failure behind an error body in no known form, such as a proxy's HTML page."""
    start = body[:DETAIL_CHARACTERS_MAX].decode(errors="replace")
    return UpstreamError(classify(status), f"status {status}, body {start!r}", status)
