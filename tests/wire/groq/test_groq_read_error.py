"""What Groq's errors mean."""

import json

import pytest

from cortexd.domain.failure import FailureKind
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.openai.read_answer import decode_error

LIMIT = "Rate limit reached for model `m` in organization `o` on {}: Limit 6000, Used 5999."


@pytest.mark.parametrize(
    ("status", "message", "kind", "wait_s"),
    [
        (429, "tokens per minute (TPM)", FailureKind.RATE_LIMITED, 5.289),
        (429, "requests per minute (RPM)", FailureKind.RATE_LIMITED, 5.289),
        (429, "requests per day (RPD)", FailureKind.QUOTA_EXHAUSTED, 5.289),
        (429, "tokens per day (TPD)", FailureKind.QUOTA_EXHAUSTED, 5.289),
        (413, "tokens per minute (TPM)", FailureKind.REFUSED, None),
    ],
)
def test_limits(status: int, message: str, kind: FailureKind, wait_s: float | None) -> None:
    """By the minute it is a rate, by the day a quota; what is too large stays so."""
    told = f"{LIMIT.format(message)} Please try again in 5.289s."
    error = {"message": told, "type": "tokens", "code": "rate_limit_exceeded"}
    read = decode_error(FailedAnswer(status, {}, json.dumps({"error": error}).encode()))
    assert (read.kind, read.retry_after_s, read.told) == (kind, wait_s, told)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, FailureKind.BAD_KEY),
        (498, FailureKind.OVERLOADED),
        (500, FailureKind.SERVER_ERROR),
        (503, FailureKind.OVERLOADED),
    ],
)
def test_what_is_as_at_openai(status: int, kind: FailureKind) -> None:
    """All else follows the common table."""
    assert decode_error(FailedAnswer(status, {}, b"<html>")).kind is kind
