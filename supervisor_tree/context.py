"""What an actor can know about its own place in the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supervisor_tree.actor_ref import ActorRef
    from supervisor_tree.exit_reason import Exit
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.tree import Tree


class Context:
    """An actor's `ctx`: one for each incarnation."""

    def __init__(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation

    @property
    def path(self) -> str:
        """The place in the tree, `root/pool`."""
        return self._incarnation.slot.path

    @property
    def incarnation(self) -> int:
        """Which life this is, counted from 1."""
        return self._incarnation.number

    @property
    def last_exit(self) -> Exit | None:
        """How the previous incarnation ended. None for the first, and after the end of this one."""
        return self._incarnation.previous_exit

    @property
    def tree(self) -> Tree:
        """The tree that this actor lives in."""
        return self._incarnation.slot.tree

    @property
    def ref(self) -> ActorRef[Any]:
        """A reference to this actor and its successors, to be handed to others."""
        return self._incarnation.slot.ref()
