"""When an upstream wants to be asked again, as its response headers say. Pure: `now` comes in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# Nobody means more than this, and Python refuses to read numbers without end.
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,9})?")


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
    return max(0.0, (date - now).total_seconds())
