"""How Gemini says that it failed, as an answer of its own or inside a stream.

Source: Google's page on troubleshooting the Gemini API, and `google/rpc/error_details.proto`.
"""

import re
from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from cortexd.domain.failure import FailureKind
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.upstream_failure import DETAIL_CHARACTERS_MAX, classify, unreadable_error

_STATUS_KINDS: Final[Mapping[int, FailureKind]] = {
    # Cancelled, and not by us: who cancels does not wait for the answer.
    499: FailureKind.SERVER_ERROR,
}

_ERRORS: Final = range(400, 600)
_BAD_REQUEST: Final = 400
_RATE_LIMITED: Final = 429

# What a 400 says of a key that is none, and of one whose project may not use the API from here.
_BAD_KEY_REASON: Final = "API_KEY_INVALID"
_BAD_KEY_MESSAGE: Final = "API key not valid"
_BAD_PROJECT: Final = "FAILED_PRECONDITION"

_DAILY: Final = "PerDay"
_MINUTE_S: Final = 60.0
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class _Violation(msgspec.Struct, rename="camel"):
    quota_id: str = ""


class _Detail(msgspec.Struct, rename="camel"):
    reason: str = ""
    retry_delay: str = ""
    violations: list[_Violation] = []


class SentError(msgspec.Struct):
    """The member `error`."""

    code: int | None = None
    message: str | None = None
    status: str = ""
    details: list[_Detail] = []


class _Document(msgspec.Struct):
    error: SentError


_documents: Final = msgspec.json.Decoder(_Document | list[_Document])


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream; where no SSE is spoken, it is in a list."""
    try:
        document = foreign_json.read(_documents, answer.body, what="an error")
    except MalformedStream:
        document = []
    if isinstance(document, list):
        if not document:
            error = unreadable_error(answer.body, status=answer.status)
            return attrs.evolve(error, kind=_kind_of_status(answer.status))
        document = document[0]
    return read_error(document.error, status=answer.status)


def read_error(error: SentError, *, status: int) -> UpstreamError:
    """The failure that `error` stands for; where `status` is no error, its own code is."""
    if status not in _ERRORS and error.code is not None and error.code in _ERRORS:
        status = error.code
    told = None if error.message is None else error.message[:DETAIL_CHARACTERS_MAX]
    kind = _classify(error, status)
    return UpstreamError(
        kind,
        told or "no message",
        status,
        told,
        _retry_after_s(error, kind),
    )


def _classify(error: SentError, status: int) -> FailureKind:
    if status == _BAD_REQUEST and _is_key_bad(error):
        return FailureKind.BAD_KEY
    if status == _RATE_LIMITED and _is_daily(error):
        return FailureKind.QUOTA_EXHAUSTED
    return _kind_of_status(status)


def _kind_of_status(status: int) -> FailureKind:
    return _STATUS_KINDS.get(status) or classify(status)


def _is_key_bad(error: SentError) -> bool:
    return (
        error.status == _BAD_PROJECT
        or any(detail.reason == _BAD_KEY_REASON for detail in error.details)
        or _BAD_KEY_MESSAGE in (error.message or "")
    )


def _is_daily(error: SentError) -> bool:
    return any(_DAILY in one.quota_id for detail in error.details for one in detail.violations)


def _retry_after_s(error: SentError, kind: FailureKind) -> float | None:
    found = (_DURATION.fullmatch(detail.retry_delay) for detail in error.details)
    wait_s = max((float(match[1]) for match in found if match), default=None)
    if kind is FailureKind.QUOTA_EXHAUSTED and wait_s is not None and wait_s <= _MINUTE_S:
        # What comes with a daily quota is mostly the wait for the quota of a minute.
        return None
    return wait_s
