"""The calls that an actor owes a reply, and the end of those that have waited for too long.

One task fails all that expire: a cancel scope for each call would cost more than the call itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import trio

from supervisor_tree.errors import CallTimeout

if TYPE_CHECKING:
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.message import Call


class UnansweredCalls:
    """The open calls of one actor, oldest first; each may wait for `seconds`."""

    def __init__(self, incarnation: Incarnation, seconds: float) -> None:
        self._incarnation = incarnation
        self._seconds = seconds
        # Where there is a deadline at all, calls that came later expire later.
        self._deadlines: dict[Call, float] = {}
        self._clock = trio.lowlevel.current_clock()  # asking it spares a detour for each call
        self._idle: trio.lowlevel.Task | None = None

    def __iter__(self) -> Iterator[Call]:
        return iter(self._deadlines)

    def add(self, call: Call, *, reap: bool) -> None:
        """Add a call; without `reap` its caller limits the time."""
        self._deadlines[call] = self._clock.current_time() + self._seconds if reap else math.inf
        if self._idle is not None:
            trio.lowlevel.reschedule(self._idle)
            self._idle = None

    def discard(self, call: Call) -> None:
        """Forget a call that has been answered, or given up."""
        self._deadlines.pop(call, None)

    async def reap(self) -> None:
        """Fail what expires, until cancelled."""
        while True:
            expiring = ((call, at) for call, at in self._deadlines.items() if at < math.inf)
            call, deadline = next(expiring, (None, math.inf))
            if call is None:
                await self._wait_for_calls()
            elif deadline > trio.current_time():
                # Not woken when this call is answered: that would cost each call a turn.
                await trio.sleep_until(deadline)
            else:
                self.discard(call)
                call.fail(CallTimeout(f"{self._incarnation.slot.path}.{call.name}: no reply"))

    async def _wait_for_calls(self) -> None:
        self._idle = trio.lowlevel.current_task()

        def abort(_raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
            self._idle = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
