"""What lies in a mailbox, and who waits for it.

A call knows the handler that made it, a handler the call that it serves. Following these links from
the running handler finds everybody who waits for it: that is how cycles are seen before they hang.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from supervisor_tree.incarnation import Incarnation

Handler = Callable[..., Awaitable[Any]]
Propagated = tuple[tuple[ContextVar[Any], Any], ...]


class Handling:
    """One run of a handler; inactive as soon as the handler has returned."""

    __slots__ = ("active", "call", "incarnation", "method", "since")

    def __init__(self, incarnation: Incarnation, method: str, call: Call | None = None) -> None:
        self.incarnation: Incarnation = incarnation
        self.method: str = method
        self.call: Call | None = call
        self.since: float = trio.current_time()
        self.active: bool = True


current_handling: ContextVar[Handling | None] = ContextVar("supervisor_tree.handling", default=None)


def handling_that_waits() -> Handling | None:
    """Find the handler on whose behalf the current task works, if that handler's end depends on it.

    A helper task in the actor's own nursery inherits the context of the handler that started it,
    but the handler does not wait for it, unless it owes the reply of a deferred call.
    """
    handling = current_handling.get()
    if handling is None:
        return None
    if handling.active:
        return handling if _belongs_to(trio.lowlevel.current_task(), handling) else None
    return handling if handling.call is not None and handling.call.pending else None


def _belongs_to(task: trio.lowlevel.Task, handling: Handling) -> bool:
    handlers_task = handling.incarnation.task
    if task is handlers_task:
        return True
    mailbox = handling.incarnation.mailbox
    helpers = mailbox.helpers if mailbox is not None else None
    nursery = task.parent_nursery
    while nursery is not None and nursery is not helpers:
        if nursery.parent_task is handlers_task:
            return True
        nursery = nursery.parent_task.parent_nursery
    return False


def waits_for(handling: Handling | None, target: Incarnation) -> bool:
    """Whether a handler of `target` runs only as long as `handling` does not return."""
    while handling is not None:
        if handling.active and handling.incarnation is target:
            return True
        call = handling.call
        handling = call.caller if call is not None and call.pending else None
    return False


def method_name(method: Handler) -> str:
    """Name a method, for people."""
    return getattr(method, "__name__", None) or repr(method)


class Message:
    """A method to be run by an actor, with no reply."""

    __slots__ = ("args", "kwargs", "method", "propagated")

    def __init__(self, method: Handler, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.method: Handler = method
        self.args: Sequence[Any] = args
        self.kwargs: Mapping[str, Any] = kwargs
        self.propagated: Propagated = ()

    @property
    def name(self) -> str:
        """The method's name, for people."""
        return method_name(self.method)


class Parked(Message):
    """A message whose sender is parked until it has been queued (send) or answered (call)."""

    __slots__ = ("_error", "_on_settled", "_result", "pending", "task")

    def __init__(self, method: Handler, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__(method, args, kwargs)
        self.task: trio.lowlevel.Task | None = None
        self.pending: bool = True
        self._result: Any = None
        self._error: BaseException | None = None
        self._on_settled: Callable[[Parked], None] | None = None

    async def wait_settled(self, on_settled: Callable[[Parked], None]) -> Any:
        """Park until `settle` or `fail`; `on_settled` is called then, or on cancellation."""
        if self.pending:
            self._on_settled = on_settled
            self.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abandon)
        if self._error is not None:
            try:
                raise self._error
            finally:
                # The traceback holds this frame, and this frame the error: break the circle.
                self._error = None
        return self._result

    def settle(self, result: Any = None) -> None:
        """Let the sender go on with a result; ignored if it does not wait any more."""
        if self.pending:
            self._result = result
            self._end()

    def fail(self, error: BaseException) -> None:
        """Raise an error at the sender; ignored if it does not wait any more."""
        if self.pending:
            self._error = error
            self._end()

    def _end(self) -> None:
        self.pending = False
        if self._on_settled is not None:
            self._on_settled(self)
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def _abandon(self, _raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
        self.pending = False
        self.task = None
        if self._on_settled is not None:
            self._on_settled(self)
        return trio.lowlevel.Abort.SUCCEEDED


class Call(Parked):
    """A message whose sender waits for the reply."""

    __slots__ = ("caller", "deferred")

    def __init__(
        self,
        method: Handler,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        deferred: bool = False,
    ) -> None:
        super().__init__(method, args, kwargs)
        self.deferred: bool = deferred
        self.caller: Handling | None = handling_that_waits()
