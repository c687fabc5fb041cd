"""What a supervisor does after a child has ended.

Rules of this file: no clock, no tasks, no children; ids go in, ids come out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from itertools import dropwhile

import attrs

from supervisor_tree.child_spec import AutoShutdown, Restart, Strategy
from supervisor_tree.exit_reason import Exit, ExitKind


@enum.unique
class Verdict(enum.Enum):
    """What becomes of a child that has ended."""

    RESTART = enum.auto()
    KEEP = enum.auto()  # stays listed as stopped
    REMOVE = enum.auto()


_AFTER_GOOD_EXIT = {
    Restart.PERMANENT: Verdict.RESTART,
    Restart.TRANSIENT: Verdict.KEEP,
    Restart.TEMPORARY: Verdict.REMOVE,
}
_AFTER_FAILURE = {
    Restart.PERMANENT: Verdict.RESTART,
    Restart.TRANSIENT: Verdict.RESTART,
    Restart.TEMPORARY: Verdict.REMOVE,
}
_AFTER_IGNORE = {
    Restart.PERMANENT: Verdict.KEEP,
    Restart.TRANSIENT: Verdict.KEEP,
    Restart.TEMPORARY: Verdict.REMOVE,
}


def verdict(restart: Restart, exit: Exit) -> Verdict:  # noqa: A002  # the glossary's word
    """The OTP table: restart type against the way the child ended."""
    if exit.kind is ExitKind.IGNORED:
        return _AFTER_IGNORE[restart]
    return (_AFTER_FAILURE if exit.abnormal else _AFTER_GOOD_EXIT)[restart]


@attrs.frozen
class RestartPlan:
    """Whom to stop, then whom to start, each in this order; the failed child is in `start` only."""

    stop: tuple[str, ...]
    start: tuple[str, ...]


def plan_restart(strategy: Strategy, order: Iterable[str], failed: str) -> RestartPlan:
    """Work out a restart; `order` is the start order of all children, `failed` among them.

    Stopping goes backwards, starting forwards. Children that are stopped already are in the plan:
    those of the group come back with it.
    """
    group = _group(strategy, order, failed)
    return RestartPlan(
        stop=tuple(child for child in reversed(group) if child != failed), start=group
    )


def _group(strategy: Strategy, order: Iterable[str], failed: str) -> tuple[str, ...]:
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(order)
        case Strategy.REST_FOR_ONE:
            return tuple(dropwhile(lambda child: child != failed, order))


def ends_supervisor(mode: AutoShutdown, *, significant_left: int) -> bool:
    """Whether the supervisor shuts down now that a significant child has ended for good.

    `significant_left` counts the other significant children that run or are being restarted.
    """
    match mode:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return True
        case AutoShutdown.ALL_SIGNIFICANT:
            return significant_left == 0
