"""What lies in a mailbox, and who waits for it.

A call knows the handler that made it, a handler the call that it serves. Following these links from
the running handler finds everybody who waits for it: that is how cycles are seen before they hang.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.mailbox import Mailbox

Handler = Callable[..., Awaitable[Any]]
Propagated = tuple[tuple[ContextVar[Any], Any], ...]


@attrs.define(eq=False, weakref_slot=False)
class Handling:
    """One run of a handler, entered for as long as that takes; active until it is left."""

    incarnation: Incarnation
    handler: Handler
    call: Call | None
    _mailbox: Mailbox
    since: float = attrs.field(factory=trio.current_time, init=False)
    active: bool = attrs.field(default=True, init=False)
    _token: Token[Handling | None] | None = attrs.field(default=None, init=False)

    @property
    def method(self) -> str:
        """The handler's name, for people."""
        return method_name(self.handler)

    def __enter__(self) -> None:
        self._mailbox.handling = self
        self._token = current_handling.set(self)

    def __exit__(self, *_error: object) -> None:
        self.active = False
        self._mailbox.handling = None
        token, self._token = self._token, None
        if token is not None:
            current_handling.reset(token)


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


@attrs.define(eq=False, weakref_slot=False)
class Message:
    """A method to be run by an actor, with no reply."""

    # attrs writes one flat constructor for each class below: chained ones cost a call a tenth more.

    method: Handler
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    propagated: Propagated = attrs.field(default=(), init=False)

    @property
    def name(self) -> str:
        """The method's name, for people."""
        return method_name(self.method)


@attrs.define(eq=False, weakref_slot=False)
class Parked(Message):
    """A message whose sender is parked until it has been queued (send) or answered (call)."""

    task: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    pending: bool = attrs.field(default=True, init=False)
    _result: Any = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)
    _on_settled: Callable[[Parked], None] | None = attrs.field(default=None, init=False)

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


@attrs.define(eq=False, weakref_slot=False)
class Call(Parked):
    """A message whose sender waits for the reply; `caller` is the handler that made it, if any."""

    deferred: bool = attrs.field(default=False, kw_only=True)
    caller: Handling | None = attrs.field(factory=handling_that_waits, init=False)
