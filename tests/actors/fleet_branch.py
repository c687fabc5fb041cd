"""A node's fleet in virtual time: its monitor over the real registry and health monitor."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs
import msgspec

from cortexd.actors.fleet_desk import CommandDesk
from cortexd.actors.fleet_monitor import (
    FLEET_MONITOR,
    Fleet,
    FleetMonitor,
    FleetParts,
    note_command,
    take_message,
)
from cortexd.actors.fleet_roster import FleetRoster
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, UnfitWorker
from cortexd.domain.events import Event
from cortexd.domain.fleet import (
    AgentName,
    AgentReport,
    Answer,
    FleetMessage,
    FleetWorker,
    MessageId,
    Received,
    Registration,
    Status,
    WorkerReport,
)
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerType
from cortexd.policy.fleet import AgentState
from cortexd.policy.fleet_dedup import DedupWindow
from cortexd.policy.fleet_settings import FleetSettings
from supervisor_tree import ChildSpec, Supervisor, open_tree
from tests.fakes.fleet_line import FakeFleetHistory, FakeLine

PERIOD_S: Final = 5.0
COMMAND_S: Final = 10.0
A: Final = AgentName("a")
W: Final = WorkerName("a.w")
OFFER: Final = FleetWorker(name="w", type=WorkerType.OLLAMA, base_url="http://gpu:11434")


@attrs.define(eq=False)
class FleetBranch:
    """A node's fleet, and the hand that is all its agents."""

    branch: Any
    line: FakeLine
    fleet: Fleet
    desk: CommandDesk
    history: FakeFleetHistory
    events: list[Event]
    _numbers: Any = attrs.Factory(lambda: itertools.count(1))

    @property
    def state(self) -> AgentState:
        """Of the agent `a`."""
        return self.fleet.value[A].state

    def names(self) -> list[str]:
        """The workers in the registry, but for those of the node itself."""
        return [worker.name for worker in self.branch.roster.value if "." in worker.name]

    def is_active(self) -> bool:
        """Whether its worker may have requests."""
        (worker,) = [worker for worker in self.branch.roster.value if worker.name == W]
        return bool(worker.is_active)

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of this kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def report(self, incarnation: int = 1, **changes: Any) -> AgentReport:
        """How the agent is; each report is newer than the one before."""
        workers = (WorkerReport(name="w", **changes),) if changes else (_well(),)
        return AgentReport(
            incarnation=incarnation,
            sequence=next(self._numbers),
            status_seconds=PERIOD_S,
            at=0.0,
            load=0.1,
            activity=0,
            workers=workers,
        )

    def report_of(self, *names: str) -> AgentReport:
        """These workers of it are in rotation."""
        workers = tuple(WorkerReport(name=name, active=True) for name in names)
        return msgspec.structs.replace(self.report(), workers=workers)

    async def take(self, message: FleetMessage, id_: str | None = None) -> None:
        """Have it come over the line."""
        number = MessageId(id_ or f"m{next(self._numbers)}")
        await take_message(Received(id=number, message=message, deadline=1e9))

    async def register(self, incarnation: int = 1, *offers: FleetWorker) -> None:
        """Have the agent say that it is there."""
        report = self.report(incarnation)
        workers = offers or (OFFER,)
        await self.take(Registration(agent=A, version="1", workers=workers, report=report))

    async def say(self, answer: Answer | None = None, incarnation: int = 1, **changes: Any) -> None:
        """Have the agent say how it is."""
        report = self.report(incarnation, **changes)
        await self.take(Status(agent=A, report=report, answer=answer))


def _well() -> WorkerReport:
    return WorkerReport(name="w", active=True)


@asynccontextmanager
async def node_with_fleet(branch: Any, **settings: Any) -> AsyncIterator[FleetBranch]:
    """A node whose workers are those of `branch`; `settings` are of [fleet]."""
    line, events, history = FakeLine(), branch.events, FakeFleetHistory()
    fleet: Fleet = Published({})
    numbers = itertools.count(1)
    desk = CommandDesk(
        line=line,
        command_s=COMMAND_S,
        new_id=lambda: f"c{next(numbers)}",
        emit=events.append,
        note=note_command,
    )

    def recruit(table: Mapping[str, Any]) -> RegisteredWorker:
        if table.get("models") == ["unfit"]:
            raise UnfitWorker(("models: no",))
        worker: RegisteredWorker = branch.hire(str(table["name"]))
        return worker

    def is_silent(agent: AgentName) -> bool:
        record = fleet.value.get(agent)
        return record is not None and record.state is AgentState.UNAVAILABLE

    parts = FleetParts(
        fleet=fleet,
        settings=FleetSettings(**settings),
        line=line,
        desk=desk,
        roster=FleetRoster(
            roster=branch.roster,
            recruit=recruit,
            is_silent=is_silent,
            emit=events.append,
        ),
        history=history,
        seen=DedupWindow(),
        new_id=lambda: f"n{next(numbers)}",
        wall_clock=lambda: 1000.0,
        emit=events.append,
    )
    tree = Supervisor(
        ChildSpec("workers", lambda: branch.tree),
        ChildSpec("fleet-monitor", partial(FleetMonitor, parts), name=FLEET_MONITOR),
    )
    async with open_tree(tree):
        yield FleetBranch(branch, line, fleet, desk, history, events)
