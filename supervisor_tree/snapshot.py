"""A picture of a tree at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from supervisor_tree.exit_reason import PastExit

if TYPE_CHECKING:
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.slot import Slot


@attrs.frozen(kw_only=True)
class NodeSnapshot:
    """One child and all below it. Times in seconds of Trio's clock; made of JSON types only.

    `last_exit` is the previous incarnation's end as text. The mailbox fields are 0, and the handler
    fields None, for children that are no actors. `mailbox_full` counts how often a sender found no
    room, `mailbox_high` is the greatest depth seen. `exits` are the latest ends of its
    incarnations, whatever they were: ten at most, oldest first.
    """

    path: str
    kind: str
    state: str
    incarnation: int
    uptime: float
    restarts: int
    last_exit: str | None
    mailbox_depth: int
    mailbox_high: int
    mailbox_full: int
    handled: int
    current_handler: str | None
    handler_age: float | None
    next_restart_at: float | None
    exits: tuple[PastExit, ...]
    children: tuple[NodeSnapshot, ...]


def take_snapshot(slot: Slot, *, now: float) -> NodeSnapshot:
    """Describe a slot and all below it."""
    incarnation = slot.incarnation if slot.is_occupied() else None
    mailbox = None if incarnation is None else incarnation.mailbox
    handling = None if mailbox is None else mailbox.handling
    return NodeSnapshot(
        path=slot.path,
        kind="supervisor" if slot.is_supervisor else "worker",
        state=slot.state.value,
        incarnation=slot.incarnations,
        uptime=_uptime(incarnation, now),
        restarts=slot.restarts,
        last_exit=None if slot.last_exit is None else str(slot.last_exit),
        mailbox_depth=0 if mailbox is None else mailbox.depth,
        mailbox_high=0 if mailbox is None else mailbox.depth_max,
        mailbox_full=0 if mailbox is None else mailbox.times_full,
        handled=0 if mailbox is None else mailbox.handled,
        current_handler=None if handling is None else handling.method,
        handler_age=None if handling is None else now - handling.since,
        next_restart_at=slot.next_restart_at,
        exits=tuple(slot.past_exits),
        children=tuple(take_snapshot(child, now=now) for child in slot.children.values()),
    )


def _uptime(incarnation: Incarnation | None, now: float) -> float:
    return 0.0 if incarnation is None else incarnation.uptime(now)
