"""The circuit breakers' keeper: sees to what is due by time, health checks and operators."""

from typing import Final

import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.actors.worker_registry import WorkerNotRegistered
from cortexd.domain.events import BreakerChanged, Emit
from cortexd.domain.ids import WorkerName
from cortexd.policy.circuit_breaker import BreakerChange, BreakerSettings
from supervisor_tree import Actor, Name

TICK_S: Final = 1.0
"""The end of a rest is noticed at most so late where no traffic notices it first."""


def breaker_changed(worker: WorkerName, change: BreakerChange) -> BreakerChanged:
    """The transition of this worker's breaker as an event."""
    return BreakerChanged(
        worker=worker,
        before=change.before.value,
        after=change.after.value,
        reason=change.reason,
        open_s=change.open_s,
    )


class CircuitBreakers(Actor):
    """Owns no breaker: they live with their workers, and traffic moves them without asking."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, roster: Roster, emit: Emit) -> None:
        self._roster = roster
        self._emit = emit

    async def on_start(self) -> None:
        """Begin to tick."""
        self.every(TICK_S, CircuitBreakers.tick)

    async def tick(self) -> None:
        """Let time pass for all breakers."""
        now = trio.current_time()
        for worker in self._roster.value:
            self._tell(worker, worker.breaker.tick(now))

    async def checked(self, name: WorkerName) -> None:
        """Take in that an active health check of the worker went well, if it is still there."""
        for worker in self._roster.value:
            if worker.name == name:
                self._tell(worker, worker.breaker.check_passed(trio.current_time()))

    async def reset(self, name: WorkerName) -> None:
        """Close a worker's breaker and forget its counts. Raises `WorkerNotRegistered`."""
        for worker in self._roster.value:
            if worker.name == name:
                self._tell(worker, worker.breaker.reset(trio.current_time()))
                return
        raise WorkerNotRegistered(f"there is no worker '{name}'")

    async def configure(self, settings: BreakerSettings) -> None:
        """Have all breakers go by other settings from now on."""
        now = trio.current_time()
        for worker in self._roster.value:
            self._tell(worker, worker.breaker.configure(settings, now))

    def _tell(self, worker: RegisteredWorker, change: BreakerChange | None) -> None:
        if change is not None:
            self._emit(breaker_changed(worker.name, change))


CIRCUIT_BREAKERS = Name[CircuitBreakers]("circuit-breakers")
