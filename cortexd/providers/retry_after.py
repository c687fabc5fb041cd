"""When an upstream wants to be asked again. Pure: `now` comes in.

Where to look for what only one provider says is its codec's business.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# Nobody means more than this, and Python refuses to read numbers without end.
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
# Python's own reader takes more forms of ISO 8601 than this one.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The seconds to wait, `None` where the headers say nothing that can be understood.

    `retry-after-ms` (OpenAI) is the finer one and wins over `retry-after`, which is a number of
    seconds or an HTTP date (RFC 9110, section 10.2.3).
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000.0
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        # "-0000": a time in UTC whose place of origin is unknown.
        date = date.replace(tzinfo=UTC)
    return _seconds_until(date, now=now)


def seconds_until_latest(times: Iterable[str], *, now: datetime) -> float | None:
    """The seconds until the latest of some times (RFC 3339), `None` where none is understood."""
    waits_s = (_seconds_until(time, now=now) for text in times if (time := _read_time(text)))
    return max(waits_s, default=None)


def _read_time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _seconds_until(time: datetime, *, now: datetime) -> float:
    """No time at all where it is past."""
    return max(0.0, (time - now).total_seconds())
