"""The supervisor for children that come and go: no order, and ids need not be unique."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

import trio

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.base_supervisor import BaseSupervisor
from supervisor_tree.child_runner import ChildRunner
from supervisor_tree.child_spec import AutoShutdown, ChildSpec, check_children
from supervisor_tree.errors import ChildNotFound, InvalidSpec, MaxChildren
from supervisor_tree.service import Service
from supervisor_tree.slot import Slot
from supervisor_tree.supervisor_policy import Policy
from supervisor_tree.validation import is_count

S = TypeVar("S", bound=Service)


class DynamicSupervisor(BaseSupervisor):
    """Runs any number of children, each for itself; stops them all at the same time.

    Differences from Supervisor: it starts with no children; a child is addressed by its reference,
    not its id; one that has ended for good is forgotten at once, whatever its restart type; nothing
    is significant. `max_children` counts those that are being restarted, too; None is no limit.

    Errors: InvalidSpec, from the constructor.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        kill_grace: float = 5.0,
    ) -> None:
        super().__init__(
            Policy(
                max_restarts=max_restarts,
                max_seconds=max_seconds,
                kill_grace=kill_grace,
                keeps_stopped=False,
            )
        )
        if max_children is not None and not is_count(max_children):
            raise InvalidSpec(f"max_children must be a whole number, not {max_children!r}")
        self._children_max = math.inf if max_children is None else max_children
        self._serial = itertools.count(2)

    @overload
    async def start_child(self, spec: ChildSpec) -> ActorRef[Any]: ...

    @overload
    async def start_child(self, spec: Callable[[], S]) -> ActorRef[S]: ...

    async def start_child(self, spec: ChildSpec | Callable[[], Service]) -> ActorRef[Any]:
        """Start a child; a bare factory is a permanent child under its own name.

        The reference is to a stopped child if the service declined by raising Ignore.

        Errors: MaxChildren, StartFailed, InvalidSpec, SupervisorDown, WouldDeadlock.
        Cancellation: undone, unless the child is ready already; returns when it has ended.
        """
        if not isinstance(spec, ChildSpec):
            spec = ChildSpec(name_of(spec), spec)
        check_children((spec,), AutoShutdown.NEVER)
        ref: ActorRef[Any] = await self._ask(functools.partial(self._add, spec), rolls_back=True)
        return ref

    async def terminate_child(self, ref: ActorRef[Any]) -> None:
        """Stop a child, or give up restarting it, and forget it.

        Errors: ChildNotFound, SupervisorDown; WouldDeadlock from inside that child.
        Cancellation: what has been begun goes on.
        """
        await self._ask(functools.partial(self._terminate, ref), waits_for=_slot_of(ref))

    async def _add(self, spec: ChildSpec) -> ActorRef[Any]:
        parent = self._running_slot()
        if len(parent.children) >= self._children_max:
            raise MaxChildren(f"{parent.path} runs {len(parent.children)} children already")
        slot = Slot(parent.tree, parent, self._free_key(spec.id))
        slot.adopt(spec)
        parent.children[slot.key] = slot
        return await self._start_on_request(slot, forget=True)

    async def _terminate(self, ref: ActorRef[Any]) -> None:
        slot = _slot_of(ref)
        if slot is None or self._running_slot().children.get(slot.key) is not slot:
            raise ChildNotFound(f"{ref} is no child of this supervisor")
        await self._stop_on_request(slot)
        self._retire(slot)

    async def _stop_children(self, runner: ChildRunner) -> None:
        slots = tuple(self._running_slot().children.values())
        async with trio.open_nursery() as nursery:
            for slot in slots:
                if slot.incarnation is not None and slot.incarnation.is_alive:
                    nursery.start_soon(runner.stop, slot.incarnation)
        for slot in slots:
            slot.halt()

    def _free_key(self, child_id: str) -> str:
        """Tell children with the same id apart: worker, worker#2, worker#3."""
        key = child_id
        while key in self._running_slot().children:
            key = f"{child_id}#{next(self._serial)}"
        return key


def name_of(factory: Callable[[], object]) -> str:
    """Name a child after the function or class behind its factory."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    return getattr(factory, "__name__", type(factory).__name__)


def _slot_of(ref: ActorRef[Any]) -> Slot | None:
    incarnation = ref.latest()
    return None if incarnation is None else incarnation.slot
