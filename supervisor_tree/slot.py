"""The place of a child in the tree; it outlives the incarnations that fill it.

References address slots. The static children of a supervisor keep their slots even while the
supervisor itself is being restarted: that is what makes references last.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import attrs
import trio

from supervisor_tree.errors import AlreadyRegistered
from supervisor_tree.incarnation import Incarnation

if TYPE_CHECKING:
    from typing import Any

    from supervisor_tree.actor_ref import ActorRef
    from supervisor_tree.child_spec import ChildSpec
    from supervisor_tree.exit_reason import Exit, PastExit
    from supervisor_tree.tree import Tree

_DEFAULT_CALL_TIMEOUT = 5.0

PAST_EXITS_MAX: Final = 10
"""So many ends of incarnations are remembered of each child."""


@enum.unique
class ChildState(enum.StrEnum):
    """What a child is doing, as its supervisor sees it."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"  # failed, and will be tried again
    STOPPED = "stopped"


class Slot:
    """One child of one supervisor."""

    def __init__(self, tree: Tree, parent: Slot | None, key: str) -> None:
        self.tree = tree
        self.parent = parent
        self.key = key  # unique among its siblings
        self.path: str = key if parent is None else f"{parent.path}/{key}"
        self.spec: ChildSpec | None = None
        self.is_supervisor: bool = False
        self.is_static = False
        self.state: ChildState = ChildState.STOPPED
        self.incarnation: Incarnation | None = None  # the latest, dead or alive
        self.incarnations: int = 0
        self.last_exit: Exit | None = None
        self.past_exits: deque[PastExit] = deque(maxlen=PAST_EXITS_MAX)  # oldest first
        self.restarts = 0
        self.failures_in_a_row = 0
        self.next_restart_at: float | None = None
        self.will_return: bool = False  # stopped only until its group is back
        self.call_timeout = _DEFAULT_CALL_TIMEOUT  # of the last actor seen here
        self.children: dict[str, Slot] = {}
        self._changed = trio.Event()

    def adopt(self, spec: ChildSpec) -> None:
        """Take over the spec for the next incarnations."""
        self.spec = spec
        self.is_supervisor = self.is_supervisor or spec.makes_supervisor

    def learn_kind(self, *, is_supervisor: bool) -> None:
        """Fill in what only shows when the service has been made."""
        self.is_supervisor = is_supervisor
        if self.spec is not None:
            self.spec = self.spec.settled(is_supervisor=is_supervisor)

    def ref(self) -> ActorRef[Any]:
        """Make a reference to whatever runs here."""
        return self.tree.ref_to(self)

    def begin(
        self,
        *,
        on_ready: Callable[[Incarnation], None],
        on_killed: Callable[[Incarnation], None],
    ) -> Incarnation:
        """Open the next incarnation. Errors: AlreadyRegistered."""
        self._claim_name()
        self.incarnations += 1
        self.incarnation = Incarnation(
            self, self.incarnations, on_ready=on_ready, on_killed=on_killed
        )
        self.next_restart_at = None
        self.will_return = False
        self.enter(ChildState.STARTING)
        return self.incarnation

    def enter(self, state: ChildState) -> None:
        """Change the state and wake everybody who waits for that."""
        self.state = state
        self.announce()

    def announce(self) -> None:
        """Wake everybody who waits for this slot to change."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def wait_changed(self) -> None:
        """Wait until the state, or the chance of a return, is another one."""
        await self._changed.wait()

    def halt(self, *, will_return: bool = False) -> None:
        """Enter the stopped state, for good unless the child's group is to return."""
        self.next_restart_at = None
        self.will_return = will_return
        self.enter(ChildState.STOPPED)

    def remove(self) -> None:
        """Take the slot out of the tree, with all below; references to it find nobody."""
        if self.parent is not None:
            self.parent.children.pop(self.key, None)
        self.detach()

    def detach(self) -> None:
        """Give up the names of a slot that is no part of the tree any more, and all below."""
        for slot in self.walk():
            name = slot.spec.name if slot.spec is not None else None
            if name is not None and self.tree.names.get(name) is slot:
                del self.tree.names[name]
            slot.spec = None
            slot.halt()
        self.children = {}

    def walk(self) -> Iterator[Slot]:
        """This slot and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    def may_come_back(self) -> bool:
        """Whether waiting for somebody to run here makes sense."""
        if self.state in {ChildState.STARTING, ChildState.RESTARTING} or self.will_return:
            return True
        # It ends by itself, and its supervisor has not decided yet what follows.
        return self.state is ChildState.RUNNING and not self._stop_was_ordered()

    def _stop_was_ordered(self) -> bool:
        return self.incarnation is not None and self.incarnation.stop_ordered

    def _claim_name(self) -> None:
        if self.spec is None or self.spec.name is None:
            return
        holder = self.tree.names.get(self.spec.name)
        if holder is not None and holder is not self and holder.is_occupied():
            raise AlreadyRegistered(self.spec.name, holder.ref())
        self.tree.names[self.spec.name] = self

    def is_occupied(self) -> bool:
        """Whether an incarnation is alive here."""
        return self.incarnation is not None and self.incarnation.is_alive


@attrs.frozen
class ChildInfo:
    """One line of `which_children()`."""

    id: str
    state: ChildState
    ref: ActorRef[Any]
    spec: ChildSpec


@attrs.frozen
class Counts:
    """The answer of `count_children()`.

    `active` children run; `supervisors` and `workers` are counted whether they run or not.
    """

    specs: int
    active: int
    supervisors: int
    workers: int
