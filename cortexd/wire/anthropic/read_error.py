"""What an Anthropic worker says when it fails, with a status or inside a stream.

Source: platform.claude.com/docs, "Errors" and "Rate limits"; `types/shared/*_error*.py` of the
official Python client (anthropic).
"""

import re
from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from cortexd.domain.failure import FailureKind
from cortexd.wire import foreign_json
from cortexd.wire.anthropic.rate_limit_headers import resets
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.upstream_failure import DETAIL_CHARACTERS_MAX, classify, unreadable_error

_OK: Final = 200
_BAD_REQUEST: Final = 400
_RATE_LIMITED: Final = 429

# The statuses that errors of these types come with, where they do not come inside a stream.
_STATUSES: Final[Mapping[str, int]] = {
    "invalid_request_error": _BAD_REQUEST,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": _RATE_LIMITED,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNKNOWN_STATUS: Final = 500

_OUT_OF_QUOTA_CODES: Final = frozenset(
    {
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
    }
)
# A limit that the account's owner has set, or credit that is used up, comes as a bad request that
# only its words tell from others.
_OUT_OF_QUOTA_WORDS: Final = ("credit balance is too low", "specified api usage limits")
# "You will regain access on 2026-04-01 at 00:00 UTC" is what the owner's limit goes on with.
_REGAINED: Final = re.compile(r"regain access on (\S{10}) at ([0-9:]{5}) UTC")


class _Details(msgspec.Struct):
    error_code: str | None = None


class _Error(msgspec.Struct):
    type: str | None = None
    message: str | None = None
    details: _Details | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error


_bodies: Final = msgspec.json.Decoder(_ErrorBody)


def read_stream_error(data: str) -> UpstreamError:
    """The failure behind an `error` event; its type stands for the status that came too soon.

    Errors: `MalformedStream`.
    """
    error = foreign_json.read(_bodies, data, what="an error").error
    return _describe(error, _STATUSES.get(error.type or "", _UNKNOWN_STATUS))


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream."""
    try:
        error = foreign_json.read(_bodies, answer.body, what="an error").error
    except MalformedStream:
        return unreadable_error(answer.body, status=answer.status)
    status = answer.status
    if status == _OK:
        # As inside a stream, the type stands for the status that the answer should have.
        status = _STATUSES.get(error.type or "", _UNKNOWN_STATUS)
    failure = _describe(error, status)
    if failure.kind is not FailureKind.RATE_LIMITED or answer.status == _OK:
        return failure
    ends = resets(answer.headers)
    if not ends and "retry-after" not in answer.headers:
        # Only a limit that ends by itself tells when.
        return attrs.evolve(failure, kind=FailureKind.QUOTA_EXHAUSTED)
    return attrs.evolve(failure, retry_at=ends)


def _describe(error: _Error, status: int) -> UpstreamError:
    told = None if error.message is None else error.message[:DETAIL_CHARACTERS_MAX]
    detail = f"{error.type or 'error'}: {told or 'no message'}"
    failure = UpstreamError(classify(status), detail, status, told)
    if _names_quota(error, status):
        failure = attrs.evolve(failure, kind=FailureKind.QUOTA_EXHAUSTED)
    if failure.kind is FailureKind.QUOTA_EXHAUSTED:
        return attrs.evolve(failure, retry_at=_regained_at(told or ""))
    return failure


def _regained_at(message: str) -> tuple[str, ...]:
    found = _REGAINED.search(message)
    return () if found is None else (f"{found[1]}T{found[2]}:00Z",)


def _names_quota(error: _Error, status: int) -> bool:
    if error.details is not None and error.details.error_code in _OUT_OF_QUOTA_CODES:
        return True
    words = (error.message or "").lower()
    return status == _BAD_REQUEST and any(saying in words for saying in _OUT_OF_QUOTA_WORDS)
