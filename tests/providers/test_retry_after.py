"""Retry-After in all the ways it is written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.providers.retry_after import retry_after_s, seconds_until_latest

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 01 Mar 2026 14:00:30 +0200"}, 30.0),
        ({"retry-after": "Tue, 03 Mar 2026 12:00:00 GMT"}, 172800.0),
        # The two obsolete forms of a date (RFC 9110, section 5.6.7).
        ({"retry-after": "Sunday, 01-Mar-26 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun Mar  1 12:00:30 2026"}, 30.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, 251630020739.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Sun, 01 Mar 99999999999 12:00:30 GMT"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "7s"}, None),
        ({"retry-after": "2026-03-01T12:00:30Z"}, None),
        ({"retry-after": "Sun, 01 Mar 2026 25:61:61 GMT"}, None),
        ({"retry-after-ms": "-1", "retry-after": "soon"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date; nonsense counts as nothing."""
    assert retry_after_s(headers, now=NOW) == seconds


@given(st.text() | st.dates().map(str), st.text())
def test_whatever_they_say_it_is_no_time_in_the_past(value: str, milliseconds: str) -> None:
    """No header crashes, and none makes a wait of less than nothing."""
    headers = {"retry-after": value, "retry-after-ms": milliseconds}
    wait_s = retry_after_s(headers, now=NOW)
    assert wait_s is None or wait_s >= 0.0


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2026-03-01T12:00:30Z", 30.0),
        ("2026-03-01t12:00:30z", 30.0),
        ("2026-03-01T12:00:00Z", 0.0),
        ("2026-03-01T11:59:59Z", 0.0),
        ("2026-03-01T14:00:30+02:00", 30.0),
        ("2026-03-01T12:00:00.5Z", 0.5),
        ("2026-03-01T12:00:00.123456789Z", 0.123456),
        ("2026-03-31T12:00:00Z", 30 * 86400.0),
        ("9999-12-31T23:59:59-23:59", 251630020739.0),
        ("0001-01-01T00:00:00+23:59", 0.0),
    ],
)
def test_until_a_time(time: str, seconds: float) -> None:
    """In any zone; a time that is past has come."""
    assert seconds_until_latest([time], now=NOW) == pytest.approx(seconds)


NO_TIMES = (
    "",
    "7",
    "6m0s",
    "2026-03-01",
    # Without a zone it could be any.
    "2026-03-01T12:00:30",
    # Forms of ISO 8601 that nobody has promised.
    "20260301T120030Z",
    "2026-W09-7T12:00:30Z",
    "2026-02-30T12:00:30Z",
    "2026-03-01T12:00:60Z",
    "2026-03-01T12:00:00+99:99",
    "٢٠٢٦-03-01T12:00:30Z",
)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    """It counts as nothing."""
    assert seconds_until_latest([text], now=NOW) is None


def test_the_latest_of_several_times() -> None:
    """Wherever it stands, and whatever its zone."""
    times = ["2026-03-01T12:00:30Z", "2026-03-01T10:01:00-02:00", "2026-03-01T13:00:59+01:00"]
    assert seconds_until_latest([], now=NOW) is None
    assert seconds_until_latest([*NO_TIMES, *times, *NO_TIMES], now=NOW) == 60.0


@given(st.text() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat))
def test_no_time_crashes(text: str) -> None:
    """Whatever an upstream says; nothing is ever before now."""
    wait_s = seconds_until_latest([text], now=NOW)
    assert wait_s is None or wait_s >= 0.0
