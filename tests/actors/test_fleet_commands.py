"""Commands for agents: answered, given up, refused."""

from typing import Any

import pytest
import trio

from cortexd.actors.fleet_desk import NoAnswer
from cortexd.domain.fleet import (
    Answer,
    MessageId,
    Verb,
)
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.domain.fleet_events import (
    FleetCommandDone,
)
from tests.actors.fleet_branch import COMMAND_S, A, node_with_fleet


async def test_a_command_is_answered_by_the_agent(branch: Any) -> None:
    """The node goes by it when the answer is given; the time it took is counted."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        async with trio.open_nursery() as nursery:

            async def answer(command: MessageId) -> None:
                await trio.sleep(0.25)
                await fleet.say(Answer(command=command), active=False)

            fleet.line.on_publish = lambda _, id_: nursery.start_soon(answer, id_)
            answered = await fleet.desk.give(A, Verb.DEACTIVATE, None)
            assert not fleet.is_active()
        assert (answered.response_s, answered.problem) == (0.25, None)
        await trio.testing.wait_all_tasks_blocked()
        commands = fleet.fleet.value[A].commands
        assert (commands.sent, commands.answered, commands.recent_ms) == (1, 1, (250.0,))
        assert fleet.of(FleetCommandDone) == [
            FleetCommandDone(
                command="deactivate", agent=A, worker=None, response_s=0.25, problem=None
            )
        ]


async def test_a_command_without_an_answer_is_given_up(branch: Any) -> None:
    """When its time is over, and it is void."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        began_at = trio.current_time()
        with pytest.raises(NoAnswer, match="within 10 s"):
            await fleet.desk.give(A, Verb.PING, None)
        assert trio.current_time() - began_at == COMMAND_S
        await trio.testing.wait_all_tasks_blocked()
        assert fleet.fleet.value[A].commands.failed == 1


async def test_a_command_is_refused_at_once_while_the_broker_takes_nothing(branch: Any) -> None:
    """Whether that is known beforehand, or while the command is on its way."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        began_at = trio.current_time()
        fleet.line.is_stuck = True
        async with trio.open_nursery() as nursery:

            async def block() -> None:
                await trio.sleep(0.9)
                fleet.line.is_blocked = True
                fleet.desk.line_changed(fleet.line.standing)

            nursery.start_soon(block)
            with pytest.raises(LineDown, match="for want of memory or disk"):
                await fleet.desk.give(A, Verb.PING, None)
        with pytest.raises(LineDown, match="for want of memory or disk"):
            await fleet.desk.give(A, Verb.PING, None)
        assert trio.current_time() - began_at == 0.9

        fleet.line.is_blocked, fleet.line.is_up = False, False
        with pytest.raises(LineDown, match="cannot be used: down"):
            await fleet.desk.give(A, Verb.PING, None)


async def test_a_command_that_nobody_takes_is_an_error(branch: Any) -> None:
    """In the words of the line."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        fleet.line.failure = MessageUndeliverable("nobody is there to take it")
        with pytest.raises(MessageUndeliverable, match="nobody"):
            await fleet.desk.give(A, Verb.PING, None)
