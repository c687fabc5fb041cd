"""Which number of users to try next, on the way to the highest that is held. Pure."""

from collections.abc import Mapping
from typing import Final

STEP_SHARE: Final = 0.1
"""The limit is found when the lowest number that failed is this close to the highest held."""

TRIALS_MAX: Final = 10
USERS_MAX: Final = 20_000


def next_users(tried: Mapping[int, bool], first: int) -> int | None:
    """The number to try next, from what was tried and whether it was held; `None`: that was all.

    Twice as many until one fails, or half as many until one is held; then the middle.
    """
    if len(tried) >= TRIALS_MAX:
        return None
    if not tried:
        return first
    held, failed = highest_held(tried), min((n for n, ok in tried.items() if not ok), default=None)
    if failed is None:
        most = min(2 * (held or first), USERS_MAX)
        return None if most == held else most
    if held is None:
        return failed // 2 or None
    if failed - held <= max(1, STEP_SHARE * held):
        return None
    return (held + failed) // 2


def highest_held(tried: Mapping[int, bool]) -> int | None:
    """The highest number that was held, below all that were not; `None` if there is none."""
    lowest_failed = min((users for users, ok in tried.items() if not ok), default=USERS_MAX + 1)
    return max((users for users, ok in tried.items() if ok and users < lowest_failed), default=None)
