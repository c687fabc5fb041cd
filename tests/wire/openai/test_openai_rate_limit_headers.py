"""When a rate limit ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.failure import FailureKind
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.openai.rate_limit_headers import duration_s, reset_s, told_wait_s
from cortexd.wire.openai.read_answer import decode_error


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        (" 6m0s ", 360.0),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("7.66s", 7.66),
        ("20µs", 20e-6),
        ("20us", 20e-6),
        ("5ns", 5e-9),
        ("0s", 0.0),
    ],
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    """All units, alone and together."""
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "1", "-1", "-1s", "0", "s", "1d", "1 s", "1s x", "٣s", "1" * 10 + "s", "1s" * 9]
)
def test_what_is_no_duration(text: str) -> None:
    """Azure's -1, numbers without a unit and without end are not understood."""
    assert duration_s(text) is None


@given(st.text())
def test_no_text_crashes(text: str) -> None:
    """Whatever a header or a message says."""
    duration_s(text)
    told_wait_s(f"try again in {text}")


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 5.289s. Need more?", 5.289),
        ("Please Try Again In 1m26.4s.", 86.4),
        ("try again in 320ms", 0.32),
        ("try again in a minute", None),
        ("try again later", None),
    ],
)
def test_what_a_message_says(message: str, seconds: float | None) -> None:
    """The duration behind "try again in", and nothing else."""
    expected = None if seconds is None else pytest.approx(seconds)
    assert told_wait_s(message) == expected


REQUESTS, TOKENS = "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"
NO_REQUESTS = {"x-ratelimit-remaining-requests": "0"}
NO_TOKENS = {"x-ratelimit-remaining-tokens": "0"}
SOME_REQUESTS = {"x-ratelimit-remaining-requests": "14370"}
SOME_TOKENS = {"x-ratelimit-remaining-tokens": " 12 "}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({TOKENS: "6m0s"}, 360.0),
        ({TOKENS: "-1", REQUESTS: "nonsense"}, None),
        ({TOKENS: "7s", REQUESTS: "2h"}, 7200.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | SOME_REQUESTS, 7.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | SOME_REQUESTS | SOME_TOKENS, 7.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | SOME_TOKENS, 7200.0),
        ({REQUESTS: "2h"} | SOME_REQUESTS, None),
        ({TOKENS: "7s", REQUESTS: "2h", "x-ratelimit-remaining-requests": "-1"}, 7200.0),
        ({TOKENS: "0", REQUESTS: "2m59.56s"} | NO_TOKENS, 179.56),
        ({TOKENS: "0s", REQUESTS: "2h"} | NO_TOKENS, 0.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | NO_TOKENS, 7.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | NO_REQUESTS, 7200.0),
        ({TOKENS: "7s", REQUESTS: "2h"} | NO_REQUESTS | NO_TOKENS, 7200.0),
        ({REQUESTS: "2s"} | NO_TOKENS, 2.0),
    ],
)
def test_which_window_counts(headers: dict[str, str], seconds: float | None) -> None:
    """The one that is used up; where none is, the latest that may have been too small."""
    assert reset_s(headers) == seconds


@pytest.mark.parametrize(
    ("status", "message", "headers", "seconds"),
    [
        (429, "m", {}, None),
        (429, "m", {TOKENS: "7s"}, 7.0),
        (429, "try again in 2s", {TOKENS: "7s"}, 2.0),
        (429, "try again in a minute", {TOKENS: "7s"}, 7.0),
        (503, "try again in 2s", {TOKENS: "7s"}, None),
        (400, "try again in 2s", {TOKENS: "7s"}, None),
    ],
)
def test_an_error_tells_when_to_come_again(
    status: int, message: str, headers: dict[str, str], seconds: float | None
) -> None:
    """Only of a rate limit; what the message says wins over headers that are about all limits."""
    body = json.dumps({"error": {"message": message}}).encode()
    assert decode_error(FailedAnswer(status, headers, body)).retry_after_s == seconds


def test_a_quota_has_no_such_end() -> None:
    """What is used up for good does not come back with the window."""
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "m"}}).encode()
    error = decode_error(FailedAnswer(429, {TOKENS: "7s"}, body))
    assert error.kind is FailureKind.QUOTA_EXHAUSTED
    assert error.retry_after_s is None


@pytest.mark.parametrize(
    ("limit", "wait", "seconds"),
    [
        ("requests per day (RPD): Limit 200, Used 200, Requested 1", "try again in 7m12s.", 432.0),
        ("tokens per day (TPD): Limit 90, Used 80, Requested 20", "try again in 3h0m5s.", 10805.0),
        ("requests per day (RPD): Limit 200, Used 200", "Contact us.", None),
    ],
)
def test_a_cap_for_the_day_is_a_quota(limit: str, wait: str, seconds: float | None) -> None:
    """Its end is the one that the message tells, never that of a window of a minute."""
    message = f"Rate limit reached for gpt-4o-mini in organization o on {limit}. Please {wait}"
    error = {"code": "rate_limit_exceeded", "type": "requests", "message": message}
    body = json.dumps({"error": error}).encode()
    read = decode_error(FailedAnswer(429, {TOKENS: "7s"} | NO_TOKENS, body))
    assert (read.kind, read.retry_after_s) == (FailureKind.QUOTA_EXHAUSTED, seconds)


def test_a_limit_on_money_may_come_as_a_bad_request() -> None:
    """Groq's code for a month's spending that has reached its limit."""
    body = json.dumps({"error": {"code": "blocked_api_access", "message": "m"}}).encode()
    assert decode_error(FailedAnswer(400, {}, body)).kind is FailureKind.QUOTA_EXHAUSTED
