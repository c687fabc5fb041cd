"""Which of several waits a failed answer asks for."""

from datetime import UTC, datetime, timedelta

import pytest

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.transport.refusal import ErrorDecoder, refusal
from cortexd.wire.anthropic.read_error import decode_error as anthropic
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.gemini.failures import decode_error as gemini
from cortexd.wire.openai.read_answer import decode_error as openai

TOKENS_USED_UP = {"x-ratelimit-reset-tokens": "7s", "x-ratelimit-remaining-tokens": "0"}
TOLD = b'{"error": {"message": "Please try again in 2s."}}'
RETRY_INFO = b'{"error": {"details": [{"retryDelay": "12s"}]}}'


def _refused(
    status: int, headers: dict[str, str], body: bytes, decode: ErrorDecoder
) -> WorkerFailed:
    return refusal(WorkerName("w"), FailedAnswer(status, headers, body), decode)


@pytest.mark.parametrize(
    ("status", "headers", "body", "decode", "wait_s"),
    [
        (429, {}, b"{}", openai, None),
        (429, TOKENS_USED_UP, b"<html>", openai, 7.0),
        (429, TOKENS_USED_UP, b'{"error": {}}', openai, 7.0),
        (429, TOKENS_USED_UP, TOLD, openai, 2.0),
        (429, TOKENS_USED_UP | {"retry-after": "3"}, TOLD, openai, 3.0),
        (429, TOKENS_USED_UP | {"retry-after-ms": "300"}, TOLD, openai, 0.3),
        (429, TOKENS_USED_UP | {"retry-after": "0"}, TOLD, openai, 0.0),
        (429, TOKENS_USED_UP | {"retry-after": "soon"}, TOLD, openai, 2.0),
        (503, TOKENS_USED_UP, TOLD, openai, None),
        (503, {"retry-after": "3"}, TOLD, openai, 3.0),
        (429, {}, RETRY_INFO, gemini, 12.0),
        (429, {"retry-after": "3"}, RETRY_INFO, gemini, 3.0),
    ],
)
def test_retry_after_wins_over_all_else(
    status: int, headers: dict[str, str], body: bytes, decode: ErrorDecoder, wait_s: float | None
) -> None:
    """It is about this answer; then comes what the message says, and then the windows."""
    assert _refused(status, headers, body, decode).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("days", "header", "least_s", "most_s"),
    [(2, {}, 86400.0, 3 * 86400.0), (-1, {}, 0.0, 0.0), (2, {"retry-after": "3"}, 3.0, 3.0)],
)
def test_a_time_becomes_a_wait(
    days: int, header: dict[str, str], least_s: float, most_s: float
) -> None:
    """From now on, by the clock of the wall; what is past is no wait."""
    end = datetime.now(UTC) + timedelta(days=days)
    error = UpstreamError(FailureKind.RATE_LIMITED, "m", 429, retry_at=(end.isoformat(),))
    wait_s = _refused(429, header, b"", lambda _: error).retry_after_s
    assert wait_s is not None
    assert least_s <= wait_s <= most_s


def test_a_quota_keeps_its_date() -> None:
    """However far it is: the keys decide how long they rest."""
    end = datetime.now(UTC) + timedelta(days=20)
    words = "You have reached your specified API usage limits. You will regain access on"
    body = f'{{"error": {{"message": "{words} {end:%Y-%m-%d} at {end:%H:%M} UTC."}}}}'
    failure = _refused(400, {}, body.encode(), anthropic)
    assert failure.kind is FailureKind.QUOTA_EXHAUSTED
    assert failure.retry_after_s is not None
    assert 19 * 86400.0 < failure.retry_after_s <= 20 * 86400.0
