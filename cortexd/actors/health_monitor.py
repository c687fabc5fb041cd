"""The health monitor: asks every worker how it is doing, and publishes the verdicts."""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

import attrs
import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.actors.worker_pool import WORKER_POOL, HealthBoard, WorkerPool
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.events import Emit, WorkerStatusChanged
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.health import HealthCheck, HealthSettings, Probe, is_contested, judge
from cortexd.ports import ChatProvider
from supervisor_tree import Actor, MailboxFull, Name, NoProc, whereis

JITTER = 0.1
"""Rounds of probes spread by this share, so that nodes do not probe in step."""

CONTESTED_INTERVAL_S = 1.0
"""When a probe contradicts the verdict, the next one comes this soon."""

UNAVAILABLE_INTERVAL_S = 5.0
"""A worker that is out is asked this often, so that it is missed no longer than it must be."""

HISTORY_MAX = 100
"""How many health checks are remembered."""

HealthHistory: TypeAlias = Published[tuple[HealthCheck, ...]]
"""The last health checks, oldest first."""


Heard: TypeAlias = Callable[[RegisteredWorker], Probe | None]
"""A good check of the worker that another node has made lately, in place of one by this node."""


class HealthMonitor(Actor):
    """All workers in parallel, every interval; each probe in a helper task with its own limit.

    `heard`: a worker that another node sees to, and finds well, need not be asked by all. What is
    not well, here or there, each node finds out for itself.
    """

    max_handler_time = HANDLER_S_MAX

    def __init__(  # noqa: PLR0913  wired up in one place only
        self,
        roster: Roster,
        board: HealthBoard,
        settings: HealthSettings,
        history: HealthHistory,
        *,
        chance: random.Random,
        emit: Emit,
        heard: Heard | None = None,
    ) -> None:
        self._roster = roster
        self._board = board
        self._settings = settings
        self._history = history
        self._chance = chance
        self._emit = emit
        self._heard = heard
        self._probing: set[ChatProvider] = set()

    async def on_start(self) -> None:
        """Begin with a round at once."""
        self.continue_with(HealthMonitor.check_all)

    async def check_all(self) -> None:
        """One round, and the time of the next."""
        for worker in self._roster.value:
            if not self._trusts_another(worker):
                self._start_probe(worker)
        spread = self._chance.uniform(1 - JITTER, 1 + JITTER)
        self.send_after(self._settings.interval_seconds * spread, HealthMonitor.check_all)

    async def check(self, name: WorkerName) -> None:
        """Probe one worker now, unless it is being probed."""
        for worker in self._roster.value:
            if worker.name == name:
                self._start_probe(worker)

    async def configure(self, settings: HealthSettings) -> None:
        """Go by other settings from now on; the next round comes when it was to come."""
        self._settings = settings

    def _trusts_another(self, worker: RegisteredWorker) -> bool:
        before = self._board.value.get(worker.name, WorkerHealth())
        if self._heard is None or before.status is not WorkerStatus.AVAILABLE:
            return False
        probe = self._heard(worker)
        if probe is None or is_contested(before):
            return False
        after = judge(before, probe, now=trio.current_time(), settings=self._settings)
        self._publish(worker.name, after)
        return True

    async def probed(self, name: WorkerName, provider: ChatProvider, probe: Probe) -> None:
        """Take in the result of a probe."""
        self._probing.discard(provider)
        known = {worker.name: worker.provider for worker in self._roster.value}
        if known.get(name) is not provider:
            # It has gone, or another one has its name now.
            return
        before = self._board.value.get(name, WorkerHealth())
        after = judge(before, probe, now=trio.current_time(), settings=self._settings)
        self._remember(name, probe, self._publish(name, after))
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

    def _publish(
        self, name: WorkerName, verdict: WorkerHealth
    ) -> Mapping[WorkerName, WorkerHealth]:
        # Built from the roster, so that a worker which has gone leaves the board as well.
        known = {worker.name for worker in self._roster.value}
        verdicts = {n: each for n, each in self._board.value.items() if n in known}
        verdicts[name] = verdict
        self._board.publish(verdicts)
        whereis(WORKER_POOL).cast(WorkerPool.refresh)
        return verdicts

    def _remember(
        self, name: WorkerName, probe: Probe, verdicts: Mapping[WorkerName, WorkerHealth]
    ) -> None:
        statuses = [verdict.status for verdict in verdicts.values()]
        check = HealthCheck(
            at=trio.current_time(),
            worker=name,
            failure=probe.failure,
            duration_s=probe.duration_s,
            status=verdicts[name].status,
            available=statuses.count(WorkerStatus.AVAILABLE),
            workers=len(self._roster.value),
        )
        self._history.publish((*self._history.value, check)[-HISTORY_MAX:])

    def _start_probe(self, worker: RegisteredWorker) -> None:
        if worker.provider not in self._probing:
            self._probing.add(worker.provider)
            self.nursery.start_soon(self._probe, worker)

    async def _probe(self, worker: RegisteredWorker) -> None:
        limit_s, began_at = self._settings.timeout_seconds, trio.current_time()
        probe = Probe(failure=f"no answer to the health check within {limit_s:g} s")
        with trio.move_on_after(limit_s):
            try:
                probe = Probe(models=await worker.provider.health_check())
            except WorkerFailed as failure:
                failure = failure.without(worker.settings.api_keys)
                probe = Probe(failure=failure.detail, kind=failure.kind)
        probe = attrs.evolve(probe, duration_s=trio.current_time() - began_at)
        whereis(HEALTH_MONITOR).cast(HealthMonitor.probed, worker.name, worker.provider, probe)


HEALTH_MONITOR = Name[HealthMonitor]("health-monitor")


def check_soon(worker: WorkerName) -> None:
    """Have a worker probed; where the monitor cannot take it in, its next round does."""
    with suppress(NoProc, MailboxFull):
        whereis(HEALTH_MONITOR).cast(HealthMonitor.check, worker)
