"""The workers of the fleet in the registry: hired, let go and switched as their agents say."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

import attrs
import msgspec

from cortexd.actors.fleet_worker import SILENT, FleetProvider
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor, check_soon
from cortexd.actors.roster import Recruit, RegisteredWorker, Roster, UnfitWorker
from cortexd.actors.worker_registry import (
    WORKER_REGISTRY,
    RosterChange,
    WorkerNotRegistered,
    WorkerRegistry,
)
from cortexd.domain.events import Emit
from cortexd.domain.failure import FailureKind
from cortexd.domain.fleet import AgentName, FleetWorker
from cortexd.domain.fleet_events import FleetWorkerRefused
from cortexd.domain.ids import WorkerName
from cortexd.policy.fleet import AgentRecord, AgentState, full_name
from cortexd.policy.health import Probe
from supervisor_tree import MailboxFull, NoProc, whereis


@attrs.frozen(kw_only=True, eq=False)
class FleetRoster:
    """`is_silent`: whether an agent has missed its status."""

    roster: Roster
    recruit: Recruit
    is_silent: Callable[[AgentName], bool]
    emit: Emit

    async def match(
        self, before: AgentRecord | None, after: AgentRecord, *, anew: bool = False
    ) -> None:
        """Make the registry as the agent's record wants it.

        `before`: the record so far. Whom an operator has removed, or who could not be hired, is
        not tried again but `anew`: when the agent registers.
        Errors: `CallFailed` where there is no registry; then a part may be done, and it may be
        called again.
        """
        hired = {worker.name: provider.offer for worker, provider in self._hired(after.name)}
        wanted = {full_name(after.name, offer.name): offer for offer in after.in_service()}
        tried: set[str] = set()
        if before is not None and not anew:
            tried = {offer.name for offer in before.in_service()}
        newcomers = [
            worker
            for name, offer in wanted.items()
            if offer.name not in tried
            and hired.get(name) != offer
            and (worker := self._recruited(after.name, name, offer)) is not None
        ]
        leavers = [name for name in hired if name not in wanted]
        if newcomers or leavers:
            change = RosterChange(leavers=leavers, newcomers=newcomers)
            await whereis(WORKER_REGISTRY).call(WorkerRegistry.change, change)
            for worker in newcomers:
                check_soon(worker.name)
        await self._switch(before, after, {worker.name for worker in newcomers})

    def condemn(self, record: AgentRecord) -> None:
        """Have the workers of an agent that is silent count as unavailable, at once."""
        probe = Probe(failure=SILENT, kind=FailureKind.UNREACHABLE, is_certain=True)
        for worker, provider in self._hired(record.name):
            with suppress(NoProc, MailboxFull):
                whereis(HEALTH_MONITOR).cast(HealthMonitor.probed, worker.name, provider, probe)

    def acquit(self, record: AgentRecord) -> None:
        """Have the workers of an agent that is heard again be looked at."""
        for worker, _ in self._hired(record.name):
            check_soon(worker.name)

    async def _switch(
        self, before: AgentRecord | None, after: AgentRecord, newcomers: Collection[WorkerName]
    ) -> None:
        """Activate and deactivate where the agent has changed its mind; newcomers are active."""
        if after.state is AgentState.LEFT:
            return
        past = {} if before is None else before.workers
        for name, report in after.workers.items():
            worker = full_name(after.name, name)
            is_new = name not in past or worker in newcomers
            was_active = is_new or past[name].active
            if report.drained or was_active is report.active:
                continue
            order = WorkerRegistry.activate if report.active else WorkerRegistry.deactivate
            # It may be one that could not be hired.
            with suppress(WorkerNotRegistered):
                await whereis(WORKER_REGISTRY).call(order, worker)

    def _hired(self, agent: AgentName) -> Iterator[tuple[RegisteredWorker, FleetProvider]]:
        for worker in self.roster.value:
            provider = worker.provider
            if isinstance(provider, FleetProvider) and provider.agent == agent:
                yield worker, provider

    def _recruited(
        self, agent: AgentName, name: WorkerName, offer: FleetWorker
    ) -> RegisteredWorker | None:
        try:
            self._check_free(name)
            worker = self.recruit({**msgspec.json.decode(msgspec.json.encode(offer)), "name": name})
        except UnfitWorker as unfit:
            self.emit(FleetWorkerRefused(worker=name, problems=unfit.problems))
            return None
        provider = FleetProvider(
            inner=worker.provider,
            agent=agent,
            offer=offer,
            is_silent=lambda: self.is_silent(agent),
        )
        return attrs.evolve(worker, provider=provider)

    def _check_free(self, name: WorkerName) -> None:
        for known in self.roster.value:
            if known.name == name and not isinstance(known.provider, FleetProvider):
                raise UnfitWorker((f"name: '{name}' is taken by another worker of this node",))
