"""The health monitor: asks every worker how it is doing, and publishes the verdicts."""

import random

import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.actors.worker_pool import WORKER_POOL, HealthBoard, WorkerPool
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.events import Emit, WorkerStatusChanged
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.health import HealthSettings, Probe, is_contested, judge
from supervisor_tree import Actor, Name, whereis

JITTER = 0.1
"""Rounds of probes spread by this share, so that nodes do not probe in step."""

CONTESTED_INTERVAL_S = 1.0
"""When a probe contradicts the verdict, the next one comes this soon."""

UNAVAILABLE_INTERVAL_S = 5.0
"""A worker that is out is asked this often, so that it is missed no longer than it must be."""


class HealthMonitor(Actor):
    """All workers in parallel, every interval; each probe in a helper task with its own limit."""

    max_handler_time = HANDLER_S_MAX

    def __init__(
        self,
        roster: Roster,
        board: HealthBoard,
        settings: HealthSettings,
        *,
        chance: random.Random,
        emit: Emit,
    ) -> None:
        self._roster = roster
        self._board = board
        self._settings = settings
        self._chance = chance
        self._emit = emit
        self._probing: set[WorkerName] = set()

    async def on_start(self) -> None:
        """Begin with a round at once."""
        self.continue_with(HealthMonitor.check_all)

    async def check_all(self) -> None:
        """One round, and the time of the next."""
        for worker in self._roster.value:
            self._start_probe(worker)
        spread = self._chance.uniform(1 - JITTER, 1 + JITTER)
        self.send_after(self._settings.interval_seconds * spread, HealthMonitor.check_all)

    async def check(self, name: WorkerName) -> None:
        """Probe one worker now, unless it is being probed."""
        for worker in self._roster.value:
            if worker.name == name:
                self._start_probe(worker)

    async def probed(self, name: WorkerName, probe: Probe) -> None:
        """Take in the result of a probe."""
        self._probing.discard(name)
        known = {worker.name for worker in self._roster.value}
        if name not in known:
            return
        before = self._board.value.get(name, WorkerHealth())
        after = judge(before, probe, now=trio.current_time(), settings=self._settings)
        # Built from the roster, so that a worker which has gone leaves the board as well.
        verdicts = {n: verdict for n, verdict in self._board.value.items() if n in known}
        self._board.publish({**verdicts, name: after})
        whereis(WORKER_POOL).cast(WorkerPool.refresh)
        if after.status is not before.status:
            self._emit(
                WorkerStatusChanged(
                    worker=name, before=before.status, after=after.status, reason=after.reason
                )
            )
        if probe.failure is None:
            whereis(CIRCUIT_BREAKERS).cast(CircuitBreakers.checked, name)
        if is_contested(after):
            self.send_after(CONTESTED_INTERVAL_S, HealthMonitor.check, name)
        elif after.status is WorkerStatus.UNAVAILABLE:
            self.send_after(UNAVAILABLE_INTERVAL_S, HealthMonitor.check, name)

    def _start_probe(self, worker: RegisteredWorker) -> None:
        if worker.name not in self._probing:
            self._probing.add(worker.name)
            self.nursery.start_soon(self._probe, worker)

    async def _probe(self, worker: RegisteredWorker) -> None:
        limit_s = self._settings.timeout_seconds
        probe = Probe(failure=f"no answer to the health check within {limit_s:g} s")
        with trio.move_on_after(limit_s):
            try:
                probe = Probe(models=await worker.provider.health_check())
            except WorkerFailed as failure:
                probe = Probe(failure=failure.without(worker.settings.api_keys).detail)
        whereis(HEALTH_MONITOR).cast(HealthMonitor.probed, worker.name, probe)


HEALTH_MONITOR = Name[HealthMonitor]("health-monitor")
