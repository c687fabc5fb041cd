"""How Cohere says that it failed: `{"message": "…"}`.

Source: the types in `errors/` of the official Python client (cohere), and Cohere's pages on errors
and on the limits of trial keys.
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
    # An invalid token. Elsewhere, the same number is an overload.
    498: FailureKind.BAD_KEY,
    # The request was cancelled, and not by us: who cancels does not wait for the answer.
    499: FailureKind.SERVER_ERROR,
}

_RATE_LIMITED: Final = 429
_MONTHLY: Final = re.compile(r"trial key.*\bmonth", re.IGNORECASE | re.DOTALL)


class _Document(msgspec.Struct):
    message: str


_documents: Final = msgspec.json.Decoder(_Document)


def decode_error(answer: FailedAnswer) -> UpstreamError:
    """The failure behind an answer that is no stream."""
    try:
        message = foreign_json.read(_documents, answer.body, what="an error").message
    except MalformedStream:
        error = unreadable_error(answer.body, status=answer.status)
        return attrs.evolve(error, kind=_classify(answer.status, ""))
    told = message[:DETAIL_CHARACTERS_MAX]
    return UpstreamError(_classify(answer.status, told), told, answer.status, told)


def read_error(message: object, kind: FailureKind = FailureKind.SERVER_ERROR) -> UpstreamError:
    """The failure that a stream ends with; `message` is Cohere's, if it is a text."""
    is_told = isinstance(message, str) and message
    return UpstreamError(kind, str(message)[:DETAIL_CHARACTERS_MAX] if is_told else "no message")


def _classify(status: int, message: str) -> FailureKind:
    if status == _RATE_LIMITED and _MONTHLY.search(message):
        return FailureKind.QUOTA_EXHAUSTED
    return _STATUS_KINDS.get(status) or classify(status)
