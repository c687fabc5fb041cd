"""When a rate limit ends, as OpenAI and Groq tell it beside `retry-after`.

Sources: the guides to rate limits of both. `x-ratelimit-reset-requests` and `-tokens` say in how
long a window is whole again, as Go writes durations ("6m0s", "12ms"). The message of a 429 names
the limit that was hit, and its end: "… on requests per day (RPD): Limit 200, Used 200, Requested 1.
Please try again in 7m12s." Azure shows -1 where it does not know.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# Nobody means more digits, and Python refuses to read numbers without end.
_STEP: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:h|ms|us|µs|ns|m|s)"
_STEPS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|us|µs|ns|m|s)")
_DURATION: Final = re.compile(rf"(?:{_STEP}){{1,8}}")
_TRY_AGAIN: Final = re.compile(rf"try again in ((?:{_STEP}){{1,8}})", re.IGNORECASE)

_BY_THE_DAY: Final = "per day ("

_REQUESTS: Final = "requests"
_WINDOWS: Final = (_REQUESTS, "tokens")
_COUNT: Final = re.compile(r"[0-9]{1,15}")


def duration_s(text: str) -> float | None:
    """The seconds of a Go duration, `None` for anything else."""
    text = text.strip()
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _STEPS.findall(text))


def told_wait_s(message: str) -> float | None:
    """The seconds of "try again in …"."""
    found = _TRY_AGAIN.search(message)
    return None if found is None else duration_s(found[1])


def is_by_the_day(message: str) -> bool:
    """Whether the limit that was hit is one for the day, and not for the minute."""
    return _BY_THE_DAY in message


def reset_s(headers: Mapping[str, str]) -> float | None:
    """The seconds until the limit that was hit ends.

    It is that of a window that is used up. Where none is, the request was larger than what is left
    of one, which cannot be that of the requests if any are left; a window of which nobody tells
    what is left is suspect, too. Of several, the latest: a call before its end might fail again.
    """
    left = {window: _left(headers, window) for window in _WINDOWS}
    used_up = [window for window in _WINDOWS if left[window] == 0]
    suspects = [window for window in _WINDOWS if window != _REQUESTS or left[window] is None]
    wait_s = _latest_s(headers, used_up)
    return _latest_s(headers, suspects) if wait_s is None else wait_s


def _left(headers: Mapping[str, str], window: str) -> int | None:
    count = headers.get(f"x-ratelimit-remaining-{window}", "").strip()
    return int(count) if _COUNT.fullmatch(count) else None


def _latest_s(headers: Mapping[str, str], windows: Sequence[str]) -> float | None:
    told_s = (duration_s(headers.get(f"x-ratelimit-reset-{window}", "")) for window in windows)
    return max((wait_s for wait_s in told_s if wait_s is not None), default=None)
