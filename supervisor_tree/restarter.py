"""Carries out restart plans: charges the budget, stops the group, waits, starts it again.

Rules of this file: called by the supervisor's driver only. No attempt follows a failure within one
call; the driver comes back through `due`, so that requests and stop orders can overtake.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from supervisor_tree.backoff import Backoff
from supervisor_tree.child_spec import Restart, Strategy
from supervisor_tree.errors import RestartIntensityExceeded, StartFailed
from supervisor_tree.events import RestartScheduled
from supervisor_tree.exit_reason import Exit, ExitKind
from supervisor_tree.restart_intensity import Failure, RestartIntensity
from supervisor_tree.restart_plan import plan_restart
from supervisor_tree.slot import ChildState, Slot

if TYPE_CHECKING:
    from supervisor_tree.child_runner import ChildRunner

# Children without a back-off are restarted at once, within the supervisor's restart intensity.
_AT_ONCE = Backoff()


class Restarter:
    """The restarts of one supervisor."""

    def __init__(  # noqa: PLR0913  # wired up in one place only
        self,
        supervisor: Slot,
        runner: ChildRunner,
        *,
        strategy: Strategy,
        intensity: RestartIntensity,
        is_stopping: Callable[[], bool],
        retire: Callable[[Slot], None],
    ) -> None:
        self._supervisor = supervisor
        self._runner = runner
        self._strategy = strategy
        self._intensity = intensity
        self._is_stopping = is_stopping
        self._retire = retire
        self._pending: dict[Slot, float] = {}

    @property
    def next_due(self) -> float:
        """When the next attempt is to be made."""
        return min(self._pending.values(), default=math.inf)

    def due(self, *, now: float) -> Slot | None:
        """Pick a failed child whose delay is over."""
        return next((slot for slot, at in self._pending.items() if at <= now), None)

    def forget(self, slot: Slot) -> None:
        """Drop a pending restart, and with it that of the group."""
        if self._pending.pop(slot, None) is None:
            return
        for key in plan_restart(self._strategy, self._supervisor.children, slot.key).stop:
            member = self._supervisor.children[key]
            if member.will_return:
                member.halt()

    async def failed(
        self,
        slot: Slot,
        exit: Exit,  # noqa: A002  # the glossary's word
        uptime: float,
    ) -> RestartIntensityExceeded | None:
        """Prepare the restart after a failure; an error means that the supervisor gives up."""
        if slot.spec is None:  # pragma: no cover  # removed slots do not fail
            raise AssertionError(f"{slot.path} has no spec")
        backoff = slot.spec.backoff or _AT_ONCE
        slot.enter(ChildState.RESTARTING)
        if uptime >= backoff.reset_after:
            slot.failures_in_a_row = 0
        slot.failures_in_a_row += 1
        failure = Failure(trio.current_time(), slot.spec.id, exit.error)
        affordable = self._intensity.charge(failure)
        if not affordable or backoff.gives_up(slot.failures_in_a_row):
            error = RestartIntensityExceeded(
                self._supervisor.path, slot.spec.id, self._intensity.history
            )
            error.__cause__ = exit.error
            return error
        await self._stop_group(slot)
        delay = 0.0
        if slot.spec.backoff is not None:
            delay = backoff.delay(slot.failures_in_a_row, self._supervisor.tree.chance)
        self._pending[slot] = slot.next_restart_at = trio.current_time() + delay
        slot.tree.emit(
            RestartScheduled,
            slot,
            incarnation=slot.incarnations,
            delay=delay,
            attempt=slot.failures_in_a_row,
            exit=exit,
            uptime=uptime,
        )
        return None

    async def attempt(self, slot: Slot) -> RestartIntensityExceeded | None:
        """Start a failed child and its group; an error means that the supervisor gives up."""
        await self._stop_group(slot)
        self._pending.pop(slot, None)
        plan = plan_restart(self._strategy, self._supervisor.children, slot.key)
        members = [self._supervisor.children[key] for key in plan.start]
        for position, member in enumerate(members):
            if self._is_stopping():
                return None
            member.restarts += 1
            error = await self._runner.start(member)
            if error is not None and self._is_stopping():
                return None
            if error is not None:
                for later in members[position + 1 :]:
                    later.halt(will_return=True)
                return await self.failed(member, _exit_of(error), uptime=0.0)
            if member.state is ChildState.STARTING:
                self._retire(member)  # it declined
        return None

    async def _stop_group(self, slot: Slot) -> None:
        plan = plan_restart(self._strategy, self._supervisor.children, slot.key)
        for key in plan.stop:
            member = self._supervisor.children[key]
            self._pending.pop(member, None)
            member.will_return = True  # before it stops, so that its callers wait
            if member.incarnation is not None:
                await self._runner.stop(member.incarnation)
            if member.spec is not None and member.spec.restart is Restart.TEMPORARY:
                member.remove()
            else:
                member.halt(will_return=True)


def _exit_of(error: StartFailed) -> Exit:
    return Exit(ExitKind.CRASHED, error.__cause__ or error)
