"""Where commands for agents are given, and their answers waited for.

It is no actor: who gives a command waits in its own task, and nobody queues behind it. It outlives
the fleet monitor, which brings it the answers.
"""

from collections.abc import Callable

import attrs
import trio

from cortexd.domain.errors import CortexError
from cortexd.domain.events import Emit
from cortexd.domain.fleet import AgentName, Answer, Command, LineStanding, MessageId, Verb
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.domain.fleet_events import FleetCommandDone
from cortexd.fleet_ports import FleetLine


@attrs.frozen(kw_only=True)
class Answered:
    """What an agent has made of a command. `problem`: why it was not done; else `None`."""

    command: MessageId
    response_s: float
    problem: str | None


@attrs.frozen
class NoAnswer(CortexError):
    """The agent has not answered in time; by then the command is void."""

    message: str


@attrs.define(eq=False)
class _Pending:
    """A command that is on its way."""

    is_over: trio.Event = attrs.Factory(trio.Event)
    is_sent: bool = False
    answer: Answer | None = None
    failure: LineDown | MessageUndeliverable | None = None

    def fail(self, failure: LineDown | MessageUndeliverable) -> None:
        """Nobody needs to wait any more."""
        self.failure = failure
        self.is_over.set()


@attrs.define(eq=False)
class CommandDesk:
    """Gives commands, and waits for their answers.

    `command_s`: how long one may take. `note`: told of each that is over, with the time that its
    answer took, or `None`.
    """

    line: FleetLine
    command_s: float
    new_id: Callable[[], str]
    emit: Emit
    note: Callable[[AgentName, float | None], None]
    _pending: dict[MessageId, _Pending] = attrs.field(factory=dict, init=False)

    async def give(self, agent: AgentName, verb: Verb, worker: str | None) -> Answered:
        """Have an agent do something, with one of its workers or with all; waits for its answer.

        Errors: `LineDown`, at once if the broker takes nothing; `MessageUndeliverable` if nobody
        is there for it; `NoAnswer`. After those but the second it may be that it is still done,
        until its time is over. Cancellation: likewise.
        """
        standing = self.line.standing
        if not standing.carries:
            await trio.lowlevel.checkpoint()
            raise _down(standing)
        command, began_at = MessageId(self.new_id()), trio.current_time()
        pending = self._pending[command] = _Pending()
        try:
            with trio.move_on_after(self.command_s):
                async with trio.open_nursery() as nursery:
                    message = Command(verb=verb, worker=worker)
                    nursery.start_soon(self._send, pending, command, agent, message)
                    await pending.is_over.wait()
                    nursery.cancel_scope.cancel()
        finally:
            del self._pending[command]
        took_s = trio.current_time() - began_at
        answer = pending.answer
        self._tell(agent, verb, worker, took_s if answer else None, answer, pending.failure)
        if answer is not None:
            return Answered(command=command, response_s=took_s, problem=answer.problem)
        if pending.failure is not None:
            raise pending.failure
        raise NoAnswer(f"agent '{agent}' has not answered within {self.command_s:g} s")

    def answered(self, answer: Answer) -> None:
        """Bring an answer to whoever waits for it, if anybody does."""
        pending = self._pending.get(MessageId(answer.command))
        if pending is not None:
            pending.answer = answer
            pending.is_over.set()

    def line_changed(self, standing: LineStanding) -> None:
        """While the broker takes nothing, nobody waits for it to take a command.

        One that is down is waited for: what was not taken over is sent again when it is back.
        """
        if standing.is_blocked:
            for pending in self._pending.values():
                if not pending.is_sent:
                    pending.fail(_down(standing))

    async def _send(
        self, pending: _Pending, command: MessageId, agent: AgentName, message: Command
    ) -> None:
        try:
            await self.line.publish(message, to=agent, id_=command, life_s=self.command_s)
        except (LineDown, MessageUndeliverable) as failure:
            pending.fail(failure)
        pending.is_sent = True

    def _tell(  # noqa: PLR0913, PLR0917  one event's fields
        self,
        agent: AgentName,
        verb: Verb,
        worker: str | None,
        response_s: float | None,
        answer: Answer | None,
        failure: CortexError | None,
    ) -> None:
        problem = "no answer in time" if answer is None else answer.problem
        self.emit(
            FleetCommandDone(
                command=verb.value,
                agent=agent,
                worker=worker,
                response_s=response_s,
                problem=problem if failure is None else str(failure),
            )
        )
        self.note(agent, response_s)


def _down(standing: LineStanding) -> LineDown:
    if standing.is_blocked:
        return LineDown("the broker takes nothing now, for want of memory or disk: see to it")
    return LineDown(f"the broker cannot be used: {standing.failure or 'not connected yet'}")
