"""One life of a child: from its factory being called until its task has ended.

The supervisor's driver and the child's own task both hold it: the task reports, the driver decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import trio

from supervisor_tree.exit_reason import Circumstances, Exit, ExitKind, conclude

if TYPE_CHECKING:
    from supervisor_tree.mailbox import Mailbox
    from supervisor_tree.service import Service
    from supervisor_tree.slot import Slot

current_incarnation: ContextVar[Incarnation | None] = ContextVar(
    "supervisor_tree.incarnation", default=None
)


class Incarnation(trio.TaskStatus[Any]):
    """A service being run. It is also the `task_status` which that service is given."""

    def __init__(
        self,
        slot: Slot,
        number: int,
        *,
        on_ready: Callable[[Incarnation], None],
        on_killed: Callable[[Incarnation], None],
    ) -> None:
        self.slot = slot
        self.number = number
        self.previous_exit: Exit | None = slot.last_exit
        self.service: Service | None = None
        self.mailbox: Mailbox | None = None
        self.task: trio.lowlevel.Task | None = None
        self.scope: trio.CancelScope = trio.CancelScope()
        self.began_at: float = trio.current_time()
        self.ready_at: float | None = None
        self.ended_at: float = math.inf
        self.started_value: Any = None
        self.settled: trio.Event = (
            trio.Event()
        )  # ready, ended, or given up on: no use waiting any longer
        self.done: trio.Event = trio.Event()
        self.exit: Exit | None = None
        self.error: BaseException | None = None
        self.stop_ordered = False  # by the supervisor: whatever follows is no reason to restart
        self.shut_down_by_itself = False  # a supervisor whose significant children have ended
        self.killed: bool = False
        self.on_kill: Callable[[], None] | None = None  # set by services with a shield inside
        self._on_ready = on_ready
        self._on_killed = on_killed
        self._watchers: dict[object, Callable[[Incarnation, Exit], None]] = {}

    @property
    def is_ready(self) -> bool:
        """Whether the service has reported itself started."""
        return self.ready_at is not None

    @property
    def is_alive(self) -> bool:
        """Whether it counts: its task has neither ended nor been given up on."""
        return self.exit is None

    def uptime(self, now: float) -> float:
        """Seconds since it was ready; 0 if it never was."""
        return 0.0 if self.ready_at is None else now - self.ready_at

    def started(self, value: Any = None) -> None:
        """Report the service ready. Errors: RuntimeError on the second time."""
        if not self.is_alive:
            return  # given up on, and perhaps replaced
        if self.is_ready:
            raise RuntimeError("started() was called twice")
        self.ready_at = trio.current_time()
        self.started_value = value
        self.settled.set()
        self._on_ready(self)

    def request_stop(self) -> None:
        """Pass a polite request on to the service, which may not have been made yet."""
        if self.service is None:
            self.scope.cancel(reason="stopped before it began")
        else:
            self.service.request_stop()

    def fail(self, error: BaseException) -> None:
        """End it at once as if its service had raised `error`."""
        if self.is_alive:
            self.error = error
            self.scope.cancel(reason="failed from outside")

    def kill(self, error: BaseException | None = None) -> None:
        """Cancel it and all below at once, without asking."""
        if not self.is_alive or self.killed:
            return
        self.killed = True
        self.error = error or self.error
        if self.mailbox is not None:
            # Not only when it has ended: a handler behind a shield may take its time.
            self.mailbox.bury(Exit(ExitKind.KILLED, self.error))
        self.scope.cancel(reason="killed")
        if self.on_kill is not None:
            self.on_kill()
        self._on_killed(self)

    def watch(self, key: object, callback: Callable[[Incarnation, Exit], None]) -> None:
        """Call `callback` when this ends, before anybody can see a successor."""
        self._watchers[key] = callback

    def unwatch(self, key: object) -> None:
        """Forget a watcher; unknown ones are fine."""
        self._watchers.pop(key, None)

    def conclude(self) -> Exit:
        """Fix the exit, tell everybody who waits, and let go of the service."""
        self.ended_at = trio.current_time()
        self.exit = conclude(
            Circumstances(
                error=self.error,
                ready=self.is_ready,
                killed=self.killed,
                stop_ordered=self.stop_ordered or self.shut_down_by_itself,
            )
        )
        if self.mailbox is not None:
            self.mailbox.bury(self.exit)
        self.service = self.mailbox = self.task = self.on_kill = None
        # An exit whose traceback reaches this object must not reach the exit before it, too.
        self.previous_exit = None
        watchers, self._watchers = self._watchers, {}
        for callback in watchers.values():
            callback(self, self.exit)
        self.settled.set()
        self.done.set()
        return self.exit
