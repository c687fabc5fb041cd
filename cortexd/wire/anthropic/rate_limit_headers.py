"""When a rate limit ends, as Anthropic tells it beside `retry-after`.

Source: platform.claude.com/docs, "Rate limits". `anthropic-ratelimit-…-reset` is the time at which
a limit is whole again (RFC 3339), `-remaining` what is left of it, of tokens to the next thousand.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_WINDOWS: Final = ("requests", "tokens", "input-tokens", "output-tokens")
_COUNT: Final = re.compile(r"[0-9]+")
_NOTHING: Final = re.compile(r"0+")


def resets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """When the limit that was hit ends, at the latest of these times; none where all have room.

    They are those of the windows that are used up, or else of those of which nobody tells what is
    left: a call before the latest might fail again.
    """
    left = {window: _header(headers, window, "remaining") for window in _WINDOWS}
    used_up = [window for window in _WINDOWS if _NOTHING.fullmatch(left[window])]
    untold = [window for window in _WINDOWS if not _COUNT.fullmatch(left[window])]
    return _resets(headers, used_up) or _resets(headers, untold)


def _resets(headers: Mapping[str, str], windows: Sequence[str]) -> tuple[str, ...]:
    told = (_header(headers, window, "reset") for window in windows)
    return tuple(time for time in told if time)


def _header(headers: Mapping[str, str], window: str, what: str) -> str:
    return headers.get(f"anthropic-ratelimit-{window}-{what}", "").strip()
