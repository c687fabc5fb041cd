"""When a rate limit ends, as OpenAI and Groq tell it beside `retry-after`.

Sources: the guides to rate limits of both. `x-ratelimit-reset-requests` and `-tokens` say in how
long a window is whole again, as Go writes durations ("6m0s", "12ms"); the message of a 429 says
"try again in 5.289s". Azure shows -1 where it does not know.
"""

import re
from collections.abc import Mapping
from typing import Final

_UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# Nobody means more digits, and Python refuses to read numbers without end.
_STEP: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:h|ms|us|µs|ns|m|s)"
_STEPS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|us|µs|ns|m|s)")
_DURATION: Final = re.compile(rf"(?:{_STEP}){{1,8}}")
_TRY_AGAIN: Final = re.compile(rf"try again in ((?:{_STEP}){{1,8}})", re.IGNORECASE)

_WINDOWS: Final = ("requests", "tokens")


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


def reset_s(headers: Mapping[str, str]) -> float | None:
    """The seconds until the limit that was hit ends.

    Where a window is used up, it is that one, and the later one of two; otherwise the request was
    too large for what is left of one of them, and nobody tells of which: the sooner one, then.
    """
    waits_s = {
        window: wait_s
        for window in _WINDOWS
        if (wait_s := duration_s(headers.get(f"x-ratelimit-reset-{window}", ""))) is not None
    }
    used_up = [
        wait_s
        for window, wait_s in waits_s.items()
        if headers.get(f"x-ratelimit-remaining-{window}", "").strip() == "0"
    ]
    if used_up:
        return max(used_up)
    return min(waits_s.values(), default=None)
