"""The supervisor for work that is done once: somebody waits for it, or somebody watches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, Generic, ParamSpec, TypeVar, TypeVarTuple

import trio

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.child_spec import ChildSpec, Restart
from supervisor_tree.dynamic_supervisor import DynamicSupervisor, name_of
from supervisor_tree.errors import NoProc, SupervisorDown, TaskFailed
from supervisor_tree.incarnation import Incarnation, current_incarnation
from supervisor_tree.message import current_handling
from supervisor_tree.service import task
from supervisor_tree.tree import current_tree

P = ParamSpec("P")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

# These say where a task runs; the rest of a context says for whom.
_OWN_VARIABLES: Final = (current_incarnation, current_handling, current_tree)
# So long a cancelled caller of `run_task()` waits for the task to clean up.
_CLEANUP_S: Final = 5.0


class _Result(Generic[R]):
    """Keeps what the function returned, once one of its runs has got that far."""

    def __init__(self, fn: Callable[[], Awaitable[R]], context: Context | None = None) -> None:
        self._fn = fn
        self._context = context
        self._values: list[R] = []

    async def run(self) -> None:
        """Run the function, with the values that ContextVars have in the given context."""
        for variable, value in (self._context or {}).items():
            if variable not in _OWN_VARIABLES:
                variable.set(value)
        self._values = [await self._fn()]

    @property
    def is_there(self) -> bool:
        """Whether a run has returned."""
        return bool(self._values)

    @property
    def value(self) -> R:
        """What it returned. Errors: IndexError if it has not."""
        return self._values[0]


class TaskHandle(Generic[R]):
    """A task that was started by `start_task()`. `ref` stops it, kills it, tells its state."""

    def __init__(self, ref: ActorRef[Any], result: _Result[R], is_down: Callable[[], bool]) -> None:
        self.ref = ref
        self._result = result
        self._is_down = is_down

    async def wait(self) -> R:
        """Wait for the result, of a later run if the first ones fail and the task is restarted.

        Errors: TaskFailed, caused by the task's exception if there is one; SupervisorDown if the
        supervisor has stopped it. Cancellation: the task goes on.
        """
        incarnation = self.ref.latest()
        if incarnation is None:  # pragma: no cover  # handles are made of started tasks
            raise NoProc("the task was never started")
        while True:
            await incarnation.done.wait()
            if self._result.is_there:
                return self._result.value
            slot = incarnation.slot
            while slot.incarnation is incarnation and slot.may_come_back():
                await slot.wait_changed()
            if slot.incarnation is incarnation or slot.incarnation is None:
                raise self._failure(incarnation)
            incarnation = slot.incarnation

    def _failure(self, incarnation: Incarnation) -> SupervisorDown | TaskFailed:
        if incarnation.stop_ordered and self._is_down():
            return SupervisorDown("the supervisor has stopped this task")
        failed = TaskFailed(f"{incarnation.slot.path} ended without a result: {incarnation.exit}")
        if incarnation.exit is not None:
            failed.__cause__ = incarnation.exit.error
        return failed


class TaskSupervisor(DynamicSupervisor):
    """Runs functions as children. `max_children` limits how many there are at once."""

    def __init__(self, *, max_children: int | None = None) -> None:
        super().__init__(max_children=max_children)

    async def run_task(self, fn: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn` as a child and return its result, as if it had been called here.

        ContextVars have the values they have here, too.

        Errors: what `fn` raises; TaskFailed if it was killed; MaxChildren, SupervisorDown,
        WouldDeadlock. Cancellation: `fn` is cancelled, and this returns when it has ended.
        """
        result = _Result(partial(fn, *args, **kwargs), copy_context())
        handle = await self._start(fn, result, Restart.TEMPORARY)
        error: BaseException | None = None
        try:
            return await handle.wait()
        except TaskFailed as failed:
            error = failed.__cause__ or failed
        finally:
            await _end(handle.ref.latest())
        raise error

    async def start_task(
        self,
        fn: Callable[[*Ts], Awaitable[R]],
        *args: *Ts,
        restart: Restart = Restart.TEMPORARY,
    ) -> TaskHandle[R]:
        """Start `fn` as a child that nobody is linked to: its failure is its own.

        Errors: MaxChildren, SupervisorDown, WouldDeadlock. Cancellation: undone.
        """
        return await self._start(fn, _Result(partial(fn, *args)), restart)

    async def _start(
        self, fn: Callable[..., Awaitable[R]], result: _Result[R], restart: Restart
    ) -> TaskHandle[R]:
        spec = ChildSpec(name_of(fn), task(result.run), restart=restart)
        ref: ActorRef[Any] = await self.start_child(spec)
        return TaskHandle(ref, result, self._is_down)

    def _is_down(self) -> bool:
        return self._slot is None or self._stopping


async def _end(incarnation: Incarnation | None) -> None:
    """Leave no task behind whose caller has gone."""
    if incarnation is not None and incarnation.is_alive:
        incarnation.request_stop()
        with trio.move_on_after(_CLEANUP_S, shield=True):
            await incarnation.done.wait()
        incarnation.kill()
