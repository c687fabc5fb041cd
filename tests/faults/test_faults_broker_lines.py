"""FAULTS rows M1, M2, M3 and M6 on the line itself, against a real RabbitMQ."""

from collections.abc import Iterator
from functools import partial

import pytest
import trio
import trio.testing

from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.fleet.link import WAITING_MAX
from cortexd.fleet.topology import DEAD_LETTERS, STATUS
from tests.fleet.line import HANGS_S, End, open_ends
from tests.servers.rabbitmq import RabbitServer, the_rabbitmq

pytestmark = [pytest.mark.real_time, pytest.mark.slow]


@pytest.fixture
def broker() -> Iterator[RabbitServer]:
    """A broker that is well again afterwards."""
    server = the_rabbitmq()
    yield server
    server.thaw()
    if server.process.poll() is not None:
        server.start()


async def test_m1_what_was_said_during_a_restart_arrives(broker: RabbitServer) -> None:
    """Both ends come back by themselves, and what the broker had not confirmed is sent again.

    What it had confirmed, it has kept: a command for an agent that was away.
    """
    async with open_ends(broker.url, "m1-away"):
        pass
    async with open_ends(broker.url, "m1") as (node, agent), trio.open_nursery() as nursery:
        before = await agent.say()
        await node.wait(lambda: before in node.ids)
        kept = await node.tell("m1-away-agent")

        sent: list[str] = []

        async def say(sequence: int) -> None:
            sent.append(await agent.say(sequence))

        # One is on its way when the broker dies, the others come later.
        broker.freeze()
        nursery.start_soon(say, 2)
        await trio.testing.wait_all_tasks_blocked(0.01)
        broker.kill()
        await agent.wait(lambda: not agent.line.standing.is_up)
        for sequence in range(3, 7):
            nursery.start_soon(say, sequence)
        await trio.to_thread.run_sync(broker.start)

        await node.wait(lambda: len(sent) == 5 and set(sent) <= set(node.ids))
        assert node.line.standing.carries
        assert agent.line.standing.carries
        async with open_ends(broker.url, "m1-away") as (_, away):
            await away.wait(lambda: kept in away.ids)


async def test_m2_an_alarm_is_known_and_passes(broker: RabbitServer) -> None:
    """The broker takes nothing: both ends know, and what waits goes out when it takes again."""
    async with open_ends(broker.url, "m2") as (node, agent), trio.open_nursery() as nursery:
        await trio.to_thread.run_sync(broker.raise_alarm)
        await node.wait(lambda: node.line.standing.is_blocked)
        await agent.wait(lambda: agent.line.standing.is_blocked)
        assert node.line.standing.is_up
        assert not node.line.standing.carries

        with pytest.raises(LineDown):
            await agent.say(1, life_s=0.5)
        nursery.start_soon(agent.say, 2)
        await trio.to_thread.run_sync(broker.end_alarm)

        await node.wait(lambda: any(each.message.report.sequence == 2 for each in node.received))  # type: ignore[union-attr]  # they are
        await node.wait_up()
        await agent.wait_up()
        # It has never been down: the same connection goes on.
        assert [each.is_up for each in node.standings] == [True, True, True]


async def test_m3_a_frozen_broker_is_noticed_and_comes_back(broker: RabbitServer) -> None:
    """Nothing is heard, so the line is given up; after the thaw what was said arrives."""
    async with open_ends(broker.url, "m3") as (node, agent), trio.open_nursery() as nursery:
        broker.freeze()
        nursery.start_soon(agent.say, 7)
        await node.wait(lambda: not node.line.standing.is_up)
        await agent.wait(lambda: not agent.line.standing.is_up)
        assert node.line.standing.failure == "the broker does not answer"

        broker.thaw()
        await node.wait(lambda: node.received)
        await node.wait_up()
        await agent.wait_up()
        assert len({each.id for each in node.received}) == 1


async def test_m3_a_short_freeze_is_nobodys_business(broker: RabbitServer) -> None:
    """A broker that holds its breath for a moment keeps its connections."""
    async with open_ends(broker.url, "m3b") as (node, agent):
        broker.freeze()
        await trio.sleep(1.0)
        broker.thaw()
        id_ = await agent.say()
        await node.wait(lambda: id_ in node.ids)
        assert all(each.is_up for each in (*node.standings, *agent.standings))


async def test_m3_the_line_can_be_given_up_while_the_broker_is_frozen(
    broker: RabbitServer,
) -> None:
    """A node that stops does not wait for a broker that does not answer."""
    with trio.fail_after(HANGS_S):
        async with open_ends(broker.url, "m3c"):
            broker.freeze()
        broker.thaw()


async def test_m6_what_nobody_takes_is_an_error_and_a_dead_letter(broker: RabbitServer) -> None:
    """A command for an agent that was never there."""
    async with open_ends(broker.url, "m6") as (node, _):
        before = _dead(broker)
        with pytest.raises(MessageUndeliverable, match="nobody is there"):
            await node.tell("nobody-of-this-name")
        assert _dead(broker) == before + 1
        assert node.line.standing.carries


async def test_m6_what_the_broker_refuses_is_an_error(broker: RabbitServer) -> None:
    """A queue that is full and says so: the broker does not confirm, it refuses."""
    async with open_ends(broker.url, "m6b") as (node, agent):
        policy = '{"max-length":0,"overflow":"reject-publish"}'
        pattern = f"^{STATUS}.m6b-node$".replace(".", "[.]")
        control = partial(trio.to_thread.run_sync, broker.control)
        await control("set_policy", "--apply-to", "queues", "full", pattern, policy)
        # Whoever reads makes room: fill what may be on the way to it at once.
        node.take = _for_ever
        try:
            with pytest.raises(MessageUndeliverable, match="refused"), trio.fail_after(HANGS_S):
                for sequence in range(1000):
                    await agent.say(sequence)
        finally:
            await control("clear_policy", "full")
        assert agent.line.standing.carries


async def _for_ever(_: object) -> None:
    await trio.sleep_forever()


def _dead(broker: RabbitServer) -> int:
    lines = broker.control("list_queues", "--no-table-headers", "name", "messages").splitlines()
    counts = dict(line.split("\t") for line in lines)
    return int(counts.get(DEAD_LETTERS, "0"))


async def test_what_nobody_waits_for_any_more_takes_no_room(broker: RabbitServer) -> None:
    """A line that is down for long has room for what is said when it is back."""
    async with open_ends(broker.url, "room") as (node, agent):
        await trio.to_thread.run_sync(broker.raise_alarm)
        await agent.wait(lambda: agent.line.standing.is_blocked)
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for sequence in range(WAITING_MAX):
                    nursery.start_soon(_say_in_vain, agent, sequence)
        await trio.to_thread.run_sync(broker.end_alarm)
        id_ = await agent.say()
        await node.wait(lambda: id_ in node.ids)


async def _say_in_vain(agent: End, sequence: int) -> None:
    with pytest.raises(LineDown, match="takes nothing now"):
        await agent.say(sequence, life_s=0.1)
