"""What somebody asks of a supervisor, waiting in line behind exits and earlier requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from supervisor_tree.errors import SupervisionError, SupervisorDown
from supervisor_tree.incarnation import Incarnation, current_incarnation


def incarnations_around() -> tuple[Incarnation, ...]:
    """The child in which the current task runs, and the supervisors above it."""
    found: list[Incarnation] = []
    incarnation = current_incarnation.get()
    while incarnation is not None:
        found.append(incarnation)
        parent = incarnation.slot.parent
        incarnation = None if parent is None else parent.incarnation
    return tuple(found)


class Request:
    """An operation for the supervisor's driver, and its outcome.

    `rolls_back` says that cancelling the requester undoes what has been begun.
    """

    def __init__(
        self, operation: Callable[[], Awaitable[Any]], *, rolls_back: bool = False
    ) -> None:
        self.issuers: Final = incarnations_around()
        self._operation = operation
        self._rolls_back = rolls_back
        self._done = trio.Event()
        self._result: Any = None
        self._error: SupervisionError | None = None
        self._cancelled = False
        self._abort: Callable[[], None] | None = None

    async def wait(self) -> Any:
        """Wait for the outcome, and return or raise it.

        Cancellation: an operation not begun is dropped, one that starts a child is undone before
        this returns, which takes no longer than the child may take to stop; others run on.
        """
        try:
            await self._done.wait()
        finally:
            if not self._done.is_set():
                self._cancelled = True
                if self._abort is not None and self._rolls_back:
                    self._abort()
                    with trio.CancelScope(shield=True):  # bounded by the child's shutdown time
                        await self._done.wait()
        if self._error is not None:
            # The supervisor may be stopping because the requester's scope is cancelled, too.
            await trio.lowlevel.checkpoint_if_cancelled()
            raise self._error
        return self._result

    async def perform(self, abort: Callable[[], None]) -> None:
        """Carry out the operation, in the driver; `abort` cuts the start of a child short."""
        if self._cancelled or self._done.is_set():
            return
        self._abort = abort
        # What remains if the driver is killed in the middle.
        self._error = SupervisorDown("the supervisor was killed")
        try:
            self._result = await self._operation()
            self._error = None
        except SupervisionError as error:
            self._error = error
        finally:
            self._abort = None
            self._done.set()

    def fail(self, error: SupervisionError) -> None:
        """Refuse the request, if it has not been begun."""
        if self._abort is None and not self._done.is_set():
            self._error = error
            self._done.set()
