"""The fleet monitor: who of the fleet is there, and its workers in the registry like any other.

Each node has one, and makes up its own mind: all of them hear the same. What an agent says is
applied where it has changed, so that what an operator does to a worker here stands until somebody
changes it, here or there.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import attrs
import trio

from cortexd.actors.fleet_desk import CommandDesk, NoAnswer
from cortexd.actors.fleet_roster import FleetRoster
from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import Emit
from cortexd.domain.fleet import (
    AgentName,
    Answer,
    Command,
    Farewell,
    FleetActivity,
    LineStanding,
    MessageId,
    Received,
    Registration,
    Status,
    Verb,
)
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.domain.fleet_events import (
    AgentLeft,
    AgentLost,
    AgentRegistered,
    AgentReported,
    AgentReturned,
    FleetLineChanged,
)
from cortexd.fleet_ports import FleetHistory, FleetLine
from cortexd.policy.fleet import AgentRecord, AgentState, Change, enrol, hear, is_gone, is_lost
from cortexd.policy.fleet_dedup import DedupWindow
from cortexd.policy.fleet_demonstration import switches
from cortexd.policy.fleet_settings import FleetSettings
from supervisor_tree import Actor, MailboxFull, Name, NoProc, whereis

LOOK_S: Final = 0.25
"""How often it is looked who has missed a status."""

ACTIVITY_S: Final = 60.0
"""How often the counters of all workers are written down."""

ROLL_CALL_S_MAX: Final = 10.0
AGENTS_MAX: Final = 1000
UNWRITTEN_MAX: Final = 5000
WRITE_S_MAX: Final = 10.0

Fleet: TypeAlias = Published[Mapping[AgentName, AgentRecord]]
"""All agents that are known, as the monitor publishes them."""


@attrs.frozen(kw_only=True, eq=False)
class FleetParts:
    """What the monitor works with; all of it outlives the monitor. `wall_clock`: since 1970."""

    fleet: Fleet
    settings: FleetSettings
    line: FleetLine
    desk: CommandDesk
    roster: FleetRoster
    history: FleetHistory
    seen: DedupWindow[None]
    new_id: Callable[[], str]
    wall_clock: Callable[[], float]
    emit: Emit


class FleetMonitor(Actor):
    """Owns what is known of the fleet."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: FleetParts) -> None:
        self._parts = parts
        self._unwritten: deque[FleetActivity] = deque(maxlen=UNWRITTEN_MAX)
        self._is_writing = False
        self._turn = 0

    async def on_start(self) -> None:
        """Begin to watch; who is there is known already, or asked as soon as the line is up."""
        self.every(LOOK_S, FleetMonitor.look)
        self.every(ACTIVITY_S, FleetMonitor.write_counters)
        if self._parts.settings.demonstration:
            self.every(self._parts.settings.demonstration_seconds, FleetMonitor.demonstrate)
        if self._parts.line.standing.carries:
            self.continue_with(FleetMonitor.call_the_roll)

    async def take(self, received: Received) -> None:
        """Heed a message, once. Returns when what it says is so."""
        parts = self._parts
        if received.id in parts.seen or received.deadline < parts.wall_clock():
            return
        match received.message:
            case Registration() as registration:
                await self._enrol(registration)
            case Status() as status:
                await self._hear(status)
            case Farewell() as farewell:
                await self._see_off(farewell)
            case Command():
                pass  # what nodes tell agents is none of our business
        parts.seen.remember(received.id, None)

    async def line_changed(self, standing: LineStanding) -> None:
        """Tell of the line; once it carries again, ask who is there."""
        self._parts.emit(
            FleetLineChanged(
                is_up=standing.is_up, is_blocked=standing.is_blocked, reason=standing.failure
            )
        )
        if standing.carries:
            await self.call_the_roll()

    async def call_the_roll(self) -> None:
        """Have all agents register anew."""
        self.nursery.start_soon(self._call, None)

    async def command_ended(self, agent: AgentName, response_s: float | None) -> None:
        """Count a command that is over."""
        record = self._parts.fleet.value.get(agent)
        if record is not None:
            commands = record.commands.after(response_s)
            self._publish(attrs.evolve(record, commands=commands))

    async def look(self) -> None:
        """See who has fallen silent, and who has gone for good."""
        parts, now = self._parts, trio.current_time()
        for record in parts.fleet.value.values():
            if is_lost(record, parts.line.standing):
                lost = attrs.evolve(record, state=AgentState.UNAVAILABLE)
                self._publish(lost)
                parts.roster.condemn(lost)
                parts.emit(AgentLost(agent=record.name, silent_s=now - record.heard_at))
                self._note(lost, "lost")
            elif is_gone(record, now=now):
                await self._forget(record)

    async def write_counters(self) -> None:
        """Keep how active every worker has been."""
        for record in self._parts.fleet.value.values():
            if record.state is AgentState.AVAILABLE:
                for worker in record.report.workers:
                    self._note(record, "activity", worker.name, worker.activity)

    async def demonstrate(self) -> None:
        """Switch the agents on and off in turns."""
        there = [
            name
            for name, record in self._parts.fleet.value.items()
            if record.state is AgentState.AVAILABLE
        ]
        for agent, verb in switches(there, self._turn).items():
            self.nursery.start_soon(self._switch, agent, verb)
        self._turn += 1

    async def _enrol(self, registration: Registration) -> None:
        parts, name = self._parts, AgentName(registration.agent)
        before = parts.fleet.value.get(name)
        if before is None and len(parts.fleet.value) >= AGENTS_MAX:
            return
        after = enrol(before, registration, now=trio.current_time(), at=parts.wall_clock())
        if after is None:
            return
        is_new = before is None or before.report.incarnation != after.report.incarnation
        await parts.roster.match(before, after, anew=True)
        self._publish(after)
        if is_new or before is None or before.offers != after.offers:
            parts.emit(
                AgentRegistered(agent=name, version=after.version, workers=len(after.offers))
            )
            self._note(after, "registered")
        self._welcome_back(before, after)

    async def _hear(self, status: Status) -> None:
        parts, name = self._parts, AgentName(status.agent)
        before = parts.fleet.value.get(name)
        if before is None or before.report.incarnation != status.report.incarnation:
            # It has registered while we were away, or is about to.
            self.nursery.start_soon(self._call, name)
            return
        after, changes = hear(before, status.report, now=trio.current_time(), at=parts.wall_clock())
        if after is not before:
            await parts.roster.match(before, after)
            self._publish(after)
            self._tell(after, changes)
            self._welcome_back(before, after)
        if status.answer is not None:
            self._answer(status.answer)

    def _answer(self, answer: Answer) -> None:
        # Only now: who waits for it finds all of it done here.
        self._parts.desk.answered(answer)

    async def _see_off(self, farewell: Farewell) -> None:
        record = self._parts.fleet.value.get(AgentName(farewell.agent))
        if record is None or farewell.incarnation < record.report.incarnation:
            return
        left = attrs.evolve(record, state=AgentState.LEFT)
        await self._parts.roster.match(record, left)
        self._publish(left)
        self._parts.emit(AgentLeft(agent=record.name))
        self._note(left, "left")

    async def _forget(self, record: AgentRecord) -> None:
        await self._parts.roster.match(record, attrs.evolve(record, state=AgentState.LEFT))
        known = dict(self._parts.fleet.value)
        del known[record.name]
        self._parts.fleet.publish(known)

    def _welcome_back(self, before: AgentRecord | None, after: AgentRecord) -> None:
        if before is not None and before.state is AgentState.UNAVAILABLE:
            self._parts.roster.acquit(after)
            self._parts.emit(AgentReturned(agent=after.name))
            self._note(after, "returned")

    def _tell(self, record: AgentRecord, changes: Iterable[Change]) -> None:
        by_worker: dict[str | None, list[str]] = {}
        for change in changes:
            text = f"{change.field}: {_word(change.before)} -> {_word(change.after)}"
            by_worker.setdefault(change.worker, []).append(text)
            worker = None if change.worker is None else record.workers.get(change.worker)
            activity = None if worker is None else worker.activity
            self._note(record, f"{change.field} {_word(change.after)}", change.worker, activity)
        for name, texts in by_worker.items():
            event = AgentReported(agent=record.name, worker=name, changes=tuple(texts))
            self._parts.emit(event)

    def _publish(self, record: AgentRecord) -> None:
        self._parts.fleet.publish({**self._parts.fleet.value, record.name: record})

    async def _call(self, agent: AgentName | None) -> None:
        # Where nobody is there to hear it, nobody is missed.
        with suppress(LineDown, MessageUndeliverable):
            await self._parts.line.publish(
                Command(verb=Verb.ROLL_CALL),
                to=agent,
                id_=MessageId(self._parts.new_id()),
                life_s=ROLL_CALL_S_MAX,
            )

    async def _switch(self, agent: AgentName, verb: Verb) -> None:
        with suppress(LineDown, MessageUndeliverable, NoAnswer):
            await self._parts.desk.give(agent, verb, None)

    def _note(
        self,
        record: AgentRecord,
        what: str,
        worker: str | None = None,
        activity: int | None = None,
    ) -> None:
        """Have it written down, beside all else."""
        self._unwritten.append(
            FleetActivity(
                at=self._parts.wall_clock(),
                agent=record.name,
                worker=worker,
                what=what,
                activity=record.report.activity if worker is None else activity,
            )
        )
        if not self._is_writing:
            self._is_writing = True
            self.nursery.start_soon(self._write)

    async def _write(self) -> None:
        try:
            while self._unwritten:
                entries = tuple(self._unwritten)
                self._unwritten.clear()
                # What cannot be kept is lost; the database tells of its trouble itself.
                with trio.move_on_after(WRITE_S_MAX), suppress(StorageFailed):
                    await self._parts.history.keep(entries)
        finally:
            self._is_writing = False


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


FLEET_MONITOR = Name[FleetMonitor]("fleet-monitor")


def tell_of_line(standing: LineStanding) -> None:
    """Have the monitor know how the line stands; where there is none, it looks when it starts."""
    with suppress(NoProc, MailboxFull):
        whereis(FLEET_MONITOR).cast(FleetMonitor.line_changed, standing)


def note_command(agent: AgentName, response_s: float | None) -> None:
    """Have the monitor count a command; where there is none, it is not counted."""
    with suppress(NoProc, MailboxFull):
        whereis(FLEET_MONITOR).cast(FleetMonitor.command_ended, agent, response_s)


async def take_message(received: Received) -> None:
    """Have the monitor heed a message. Errors: `CallFailed` if it is not there or fails over it."""
    await whereis(FLEET_MONITOR).call(FleetMonitor.take, received)
