"""The supervisor with a fixed order of children, each with an id of its own."""

from __future__ import annotations

from typing import Any

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.base_supervisor import BaseSupervisor
from supervisor_tree.child_runner import ChildRunner
from supervisor_tree.child_spec import (
    AutoShutdown,
    ChildSpec,
    Strategy,
    check_children,
)
from supervisor_tree.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
)
from supervisor_tree.slot import ChildState, Slot
from supervisor_tree.supervisor_policy import Policy

_UP = frozenset({ChildState.STARTING, ChildState.RUNNING})


class Supervisor(BaseSupervisor):
    """Runs its children in order and restarts those that fail.

    More than `max_restarts` restarts within `max_seconds` seconds, and it gives up itself: all
    children are stopped, and RestartIntensityExceeded goes to its own supervisor. A child that is
    killed, by whomever, has `kill_grace` seconds to end; then it is reported as stuck, and counts
    as ended.

    Errors: InvalidSpec, from the constructor, which starts nothing.
    """

    def __init__(  # six independent settings, all with a default
        self,
        *children: ChildSpec,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        kill_grace: float = 5.0,
    ) -> None:
        super().__init__(
            Policy(
                strategy=strategy,
                max_restarts=max_restarts,
                max_seconds=max_seconds,
                auto_shutdown=auto_shutdown,
                kill_grace=kill_grace,
            )
        )
        check_children(children, auto_shutdown)
        self._specs = children

    async def start_child(self, spec: ChildSpec) -> ActorRef[Any]:
        """Add a child behind the others and start it.

        Errors: StartFailed (nothing is kept), AlreadyStarted, AlreadyPresent, InvalidSpec,
        SupervisorDown; WouldDeadlock from inside a child that is starting or stopping.
        Cancellation: undone, unless the child is ready already; returns when it has ended.
        """
        check_children((spec,), self._policy.auto_shutdown)
        ref: ActorRef[Any] = await self._ask(lambda: self._add(spec), rolls_back=True)
        return ref

    async def terminate_child(self, id: str) -> None:  # noqa: A002  # the contract's name
        """Stop a child, or give up restarting it; it stays listed unless it is temporary.

        Errors: ChildNotFound, SupervisorDown; WouldDeadlock from inside that child.
        Cancellation: what has been begun goes on.
        """
        await self._ask(
            lambda: self._terminate(id), waits_for=self._running_slot().children.get(id)
        )

    async def restart_child(self, id: str) -> ActorRef[Any]:  # noqa: A002  # as above
        """Start a stopped child again.

        Errors: StartFailed (it stays stopped), ChildRunning, ChildRestarting, ChildNotFound,
        SupervisorDown, WouldDeadlock. Cancellation: as `start_child()`.
        """
        ref: ActorRef[Any] = await self._ask(lambda: self._restart(id), rolls_back=True)
        return ref

    async def delete_child(self, id: str) -> None:  # noqa: A002  # as above
        """Forget a stopped child.

        Errors: ChildRunning, ChildRestarting, ChildNotFound, SupervisorDown, WouldDeadlock.
        """
        await self._ask(lambda: self._delete(id))

    def get_childspec(self, id: str) -> ChildSpec:  # noqa: A002  # as above
        """Look up a child's spec, defaults filled in. Errors: ChildNotFound, SupervisorDown."""
        spec = self._find(id).spec
        if spec is None:  # pragma: no cover  # listed slots have one
            raise AssertionError(f"{id} has no spec")
        return spec

    async def _start_children(self, runner: ChildRunner) -> None:
        for slot in self._lay_out():
            if self._stopping:
                return
            error = await runner.start(slot)
            if error is not None:
                slot.halt()
                if not self._stopping:
                    self._give_up(error)
                return
            if slot.state is ChildState.STARTING:
                self._retire(slot)  # it declined

    def _lay_out(self) -> list[Slot]:
        """Give each child its slot: the one it had, where this supervisor has run here before."""
        parent = self._running_slot()
        before, parent.children = parent.children, {}
        for spec in self._specs:
            slot = before.pop(spec.id, None) or Slot(parent.tree, parent, spec.id)
            slot.is_static = True
            slot.adopt(spec)
            parent.children[spec.id] = slot
        for slot in before.values():
            slot.detach()
        return list(parent.children.values())

    def _find(self, key: str) -> Slot:
        slot = self._running_slot().children.get(key)
        if slot is None:
            raise ChildNotFound(f"there is no child {key!r}")
        return slot

    async def _add(self, spec: ChildSpec) -> ActorRef[Any]:
        parent = self._running_slot()
        present = parent.children.get(spec.id)
        if present is not None and present.state in _UP:
            raise AlreadyStarted(spec.id, present.ref())
        if present is not None:
            raise AlreadyPresent(spec.id, present.ref())
        slot = Slot(parent.tree, parent, spec.id)
        slot.adopt(spec)
        parent.children[spec.id] = slot
        return await self._start_on_request(slot, forget=True)

    async def _restart(self, key: str) -> ActorRef[Any]:
        slot = self._find(key)
        if slot.state in _UP:
            raise ChildRunning(f"child {key!r} is running")
        if slot.state is ChildState.RESTARTING:
            raise ChildRestarting(f"child {key!r} is being restarted already")
        slot.failures_in_a_row = 0
        return await self._start_on_request(slot, forget=False)

    async def _terminate(self, key: str) -> None:
        slot = self._find(key)
        await self._stop_on_request(slot)
        self._retire(slot)

    async def _delete(self, key: str) -> None:
        slot = self._find(key)
        if slot.state in _UP:
            raise ChildRunning(f"child {key!r} is running")
        if slot.state is ChildState.RESTARTING:
            raise ChildRestarting(f"child {key!r} is being restarted")
        slot.remove()
