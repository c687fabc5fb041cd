"""The feed of events as a hook of the supervision tree: what ended and why, and what came back."""

from collections.abc import Callable
from typing import Any, Final

from cortexd.domain.redaction import without_credentials
from cortexd.observability.event_feed import EventFeed
from supervisor_tree import (
    ChildExited,
    ChildStarted,
    ChildStuck,
    Escalated,
    Event,
    ExitKind,
    RestartScheduled,
    StartError,
)

SUPERVISION_KINDS: Final = frozenset(
    {
        "child_failed",
        "child_restarted",
        "child_killed",
        "child_start_failed",
        "child_stuck",
        "supervisor_gave_up",
    }
)

CAUSE_CHARACTERS_MAX: Final = 300

_DECIMALS: Final = 3


def feeding(feed: EventFeed) -> Callable[[Event], None]:
    """A hook that tells the feed; orderly starts and ends are no news."""

    def feed_supervision(event: Event) -> None:
        told = _told(event)
        if told is not None:
            kind, fields = told
            feed.add(kind, {"child": event.path, "incarnation": event.incarnation, **fields})

    return feed_supervision


def _told(event: Event) -> tuple[str, dict[str, Any]] | None:
    told: tuple[str, dict[str, Any]] | None = None
    match event:
        case RestartScheduled():
            told = (
                "child_failed",
                {
                    "cause": _cut(event.exit),
                    "attempt": event.attempt,
                    "delay_s": round(event.delay, _DECIMALS),
                    "uptime_s": round(event.uptime, _DECIMALS),
                },
            )
        case ChildStarted() if event.incarnation > 1:
            told = "child_restarted", {"start_s": round(event.elapsed, _DECIMALS)}
        case ChildExited() if event.exit.kind is ExitKind.KILLED:
            told = "child_killed", {"uptime_s": round(event.uptime, _DECIMALS)}
        case StartError():
            told = "child_start_failed", {"cause": _cut(repr(event.error))}
        case ChildStuck():
            told = "child_stuck", {}
        case Escalated():
            told = "supervisor_gave_up", {"cause": _cut(repr(event.error))}
        case _:
            pass
    return told


def _cut(cause: object) -> str:
    return without_credentials(str(cause))[:CAUSE_CHARACTERS_MAX]
