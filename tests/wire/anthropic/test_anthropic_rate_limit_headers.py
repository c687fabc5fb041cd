"""When a limit of Anthropic's ends."""

import json
from collections.abc import Mapping

import pytest

from cortexd.domain.failure import FailureKind
from cortexd.wire.anthropic.rate_limit_headers import resets
from cortexd.wire.anthropic.read_error import decode_error
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

SOON, LATER, LAST = "2026-03-01T12:00:30Z", "2026-03-01T12:01:00Z", "2026-03-02T00:00:00Z"


def _window(window: str, *, reset: str | None = None, left: str | None = None) -> dict[str, str]:
    told = {"reset": reset, "remaining": left}
    return {f"anthropic-ratelimit-{window}-{what}": text for what, text in told.items() if text}


@pytest.mark.parametrize(
    ("windows", "ends"),
    [
        ([], ()),
        ([_window("requests", reset=SOON, left="0")], (SOON,)),
        ([_window("requests", reset=SOON, left="1")], ()),
        ([_window("requests", reset=SOON)], (SOON,)),
        ([_window("requests", reset=SOON, left="-1")], (SOON,)),
        # All four, two of them used up.
        (
            [
                _window("requests", reset=LAST, left="49"),
                _window("tokens", reset=LATER, left=" 0 "),
                _window("input-tokens", reset=SOON, left="0"),
                _window("output-tokens", reset=LAST, left="8000"),
            ],
            (LATER, SOON),
        ),
        ([_window("input-tokens", reset=SOON, left="0"), _window("tokens", reset=LAST)], (SOON,)),
        ([_window("output-tokens", reset=SOON), _window("tokens", reset=LATER)], (LATER, SOON)),
        ([_window("requests", left="0"), _window("tokens", reset=LATER)], (LATER,)),
    ],
)
def test_which_limits_count(windows: list[dict[str, str]], ends: tuple[str, ...]) -> None:
    """Those that are used up, else those that may be."""
    headers = {name: text for window in windows for name, text in window.items()}
    assert resets(headers) == ends


def _failed(status: int, error: Mapping[str, object], headers: dict[str, str]) -> UpstreamError:
    body = json.dumps({"type": "error", "error": error}).encode()
    return decode_error(FailedAnswer(status, headers, body))


USED_UP = _window("tokens", reset=SOON, left="0")
NOT_USED_UP = _window("tokens", reset=SOON, left="1000")
RATE_LIMITED, QUOTA_EXHAUSTED = FailureKind.RATE_LIMITED, FailureKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("status", "headers", "kind", "ends"),
    [
        (429, USED_UP, RATE_LIMITED, (SOON,)),
        (429, USED_UP | {"retry-after": "3"}, RATE_LIMITED, (SOON,)),
        (429, NOT_USED_UP | {"retry-after": "3"}, RATE_LIMITED, ()),
        # A month's cap: it says nothing of its end, and nothing else is used up.
        (429, NOT_USED_UP, QUOTA_EXHAUSTED, ()),
        (429, {}, QUOTA_EXHAUSTED, ()),
        (529, USED_UP, FailureKind.OVERLOADED, ()),
        (400, USED_UP, FailureKind.REFUSED, ()),
    ],
)
def test_only_a_rate_limit_ends_with_its_window(
    status: int, headers: dict[str, str], kind: FailureKind, ends: tuple[str, ...]
) -> None:
    """What tells of no end at all is a quota."""
    error = _failed(status, {"type": "rate_limit_error", "message": "m"}, headers)
    assert (error.kind, error.retry_at) == (kind, ends)


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("You will regain access on 2026-04-01 at 00:00 UTC.", ("2026-04-01T00:00:00Z",)),
        ("You will regain access on 2026-04-01.", ()),
        ("You will regain access soon at 00:00 UTC.", ()),
        ("", ()),
    ],
)
def test_a_quota_with_a_date(words: str, ends: tuple[str, ...]) -> None:
    """The owner's own limit ends with the month, and its message says so."""
    told = f"You have reached your specified API usage limits. {words}"
    error = _failed(400, {"type": "invalid_request_error", "message": told}, USED_UP)
    assert (error.kind, error.retry_at) == (QUOTA_EXHAUSTED, ends)


def test_a_spent_account_does_not_come_back_with_a_window() -> None:
    """The code names the quota, so no window counts."""
    spent = {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}
    error = _failed(429, spent, USED_UP)
    assert (error.kind, error.retry_at) == (QUOTA_EXHAUSTED, ())
