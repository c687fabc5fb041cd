"""The agent's own actor: says what there is and how it is, and does as it is told."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import attrs
import structlog
import trio
from msgspec.structs import replace

from cortexd.agent.board import AgentBoard
from cortexd.domain.fleet import (
    Answer,
    Command,
    Farewell,
    FleetMessage,
    LineStanding,
    MessageId,
    Received,
    Registration,
    Status,
    Verb,
    WorkerReport,
)
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.fleet_ports import FleetLine
from supervisor_tree import Actor, Exit, ExitKind, MailboxFull, Name, NoProc, whereis

PROBE_S_MAX: Final = 2.0
"""A model server that takes no connection within this time cannot be reached."""

KEEP_S_MAX: Final = 2.0
"""How long the disk is waited for."""

ANSWER_LIFE_S: Final = 30.0
"""How long a registration or an answer is good for."""

FAREWELL_S_MAX: Final = 3.0

_PORTS: Final = {"http": 80, "https": 443}

log = structlog.get_logger("cortex-agent")


@attrs.frozen(kw_only=True, eq=False)
class AgentParts:
    """What the actor works with. `wall_clock`: seconds since 1970."""

    board: AgentBoard
    line: FleetLine
    version: str
    new_id: Callable[[], str]
    wall_clock: Callable[[], float]


class AgentActor(Actor):
    """Owns the board. What it is told is done once, however often it is told."""

    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._is_reporting = False
        self._disk = trio.CapacityLimiter(1)

    async def on_start(self) -> None:
        """Begin to report, once the next agent of this name will know that it comes later."""
        await self._keep()
        self.every(self._parts.board.config.agent.status_seconds, AgentActor.report)
        self.continue_with(AgentActor.probe)
        if self._parts.line.standing.carries:
            self.continue_with(AgentActor.register)

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        """Say goodbye, if this is the end of the agent and not of this incarnation."""
        if exit.kind is not ExitKind.SHUTDOWN or not self._parts.line.standing.carries:
            return
        board = self._parts.board
        message = Farewell(agent=board.config.agent.name, incarnation=board.incarnation)
        with trio.move_on_after(FAREWELL_S_MAX, shield=True):
            await self._publish(message, life_s=FAREWELL_S_MAX)

    async def register(self) -> None:
        """Say who is there, to all nodes."""
        self.nursery.start_soon(self._register)

    async def report(self) -> None:
        """Say how things are, unless the last time is not over yet."""
        board = self._parts.board
        for worker in board.workers.values():
            if worker.active and worker.reachable:
                self._set(worker, activity=worker.activity + 1)
        await self.probe()
        if not self._is_reporting:
            self._is_reporting = True
            self.nursery.start_soon(self._report)

    async def probe(self) -> None:
        """See whether the model servers take connections."""
        for worker in self._parts.board.config.workers:
            self.nursery.start_soon(self._probe, worker.name, worker.probe_url)

    async def probed(self, name: str, is_reachable: bool) -> None:  # noqa: FBT001  a message
        """Take in what has been seen; that is told at once if it is new."""
        worker = self._parts.board.workers[name]
        if worker.reachable is not is_reachable:
            self._set(worker, reachable=is_reachable)
            log.info("worker changed", worker=name, reachable=is_reachable)
            self.nursery.start_soon(self._answer, None)

    async def line_changed(self, standing: LineStanding) -> None:
        """Register anew whenever the line is back."""
        log.info(
            "fleet line changed",
            is_up=standing.is_up,
            is_blocked=standing.is_blocked,
            reason=standing.failure,
        )
        if standing.carries:
            await self.register()

    async def obey(self, received: Received) -> Answer | None:
        """Carry out a command, and give its answer; `None` where none is wanted."""
        board, message = self._parts.board, received.message
        if not isinstance(message, Command):
            return None
        if received.id in board.done:
            return board.done.outcome(received.id)
        if received.deadline < self._parts.wall_clock():
            log.warning("command overdue", command=message.verb.value, id=received.id)
            return None
        if message.verb is Verb.ROLL_CALL:
            await self.register()
            return None
        answer = self._carried_out(received.id, message)
        board.done.remember(received.id, answer)
        log.info(
            "command done",
            command=message.verb.value,
            worker=message.worker,
            id=received.id,
            problem=answer.problem,
        )
        return answer

    def _carried_out(self, command: MessageId, message: Command) -> Answer:
        board = self._parts.board
        if message.worker is not None and message.worker not in board.workers:
            return Answer(command=command, problem=f"there is no worker '{message.worker}' here")
        names = list(board.workers) if message.worker is None else [message.worker]
        match message.verb:
            case Verb.ACTIVATE:
                self._switch(names, active=True, drained=False)
            case Verb.DEACTIVATE:
                self._switch(names, active=False, drained=False)
            case Verb.DRAIN:
                self._switch(names, active=False, drained=True)
            case _:
                pass
        return Answer(command=command)

    def _switch(self, names: Iterable[str], *, active: bool, drained: bool) -> None:
        board = self._parts.board
        for name in names:
            worker = board.workers[name]
            changed = {
                field: value
                for field, value in (("active", active), ("drained", drained))
                if getattr(worker, field) is not value
            }
            if changed:
                self._set(worker, **changed)
                log.info("worker changed", worker=name, **changed)

    async def _keep(self) -> None:
        # A disk that hangs keeps nobody waiting.
        with trio.move_on_after(KEEP_S_MAX):
            await trio.to_thread.run_sync(
                self._parts.board.keep, abandon_on_cancel=True, limiter=self._disk
            )

    def _set(self, worker: WorkerReport, **changes: bool | int) -> None:
        self._parts.board.workers[worker.name] = replace(worker, **changes)

    async def _register(self) -> None:
        parts = self._parts
        agent = parts.board.config.agent
        message = Registration(
            agent=agent.name,
            version=parts.version,
            workers=parts.board.offers,
            report=parts.board.report(at=parts.wall_clock(), load=_load()),
        )
        await self._publish(message, life_s=ANSWER_LIFE_S)

    async def _report(self) -> None:
        try:
            await self._answer(None)
        finally:
            self._is_reporting = False

    async def _answer(self, answer: Answer | None) -> None:
        parts, life_s = self._parts, ANSWER_LIFE_S
        if answer is None:
            # The next one says more.
            life_s = parts.board.config.agent.status_seconds
        else:
            # What is answered to have been done is so after a restart as well.
            await self._keep()
        report = parts.board.report(at=parts.wall_clock(), load=_load())
        message = Status(agent=parts.board.config.agent.name, report=report, answer=answer)
        await self._publish(message, life_s=life_s)

    async def answered(self, answer: Answer) -> None:
        """Have the nodes know what has come of a command."""
        self.nursery.start_soon(self._answer, answer)

    async def _publish(self, message: FleetMessage, *, life_s: float) -> None:
        # Where no node is there to hear it, it is said again as soon as one asks.
        with suppress(LineDown, MessageUndeliverable):
            id_ = MessageId(self._parts.new_id())
            await self._parts.line.publish(message, to=None, id_=id_, life_s=life_s)

    async def _probe(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        is_reachable = False
        with trio.move_on_after(PROBE_S_MAX), suppress(OSError):
            port = parts.port or _PORTS[parts.scheme]
            stream = await trio.open_tcp_stream(parts.hostname or "", port)
            is_reachable = True
            await trio.aclose_forcefully(stream)
        whereis(AGENT).cast(AgentActor.probed, name, is_reachable)


AGENT = Name[AgentActor]("agent")


async def take_message(received: Received) -> None:
    """Have a message heeded. Errors: `CallFailed` where the actor is not there, or fails."""
    answer = await whereis(AGENT).call(AgentActor.obey, received)
    if answer is not None:
        await whereis(AGENT).call(AgentActor.answered, answer)


def tell_of_line(standing: LineStanding) -> None:
    """Have the actor know how the line stands; where there is none, it looks when it starts."""
    with suppress(NoProc, MailboxFull):
        whereis(AGENT).cast(AgentActor.line_changed, standing)


def _load() -> float:
    """Of this host; 1 where all processors are busy."""
    return max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1))
