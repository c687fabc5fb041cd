"""The fleet monitor: who is there, and what becomes of their workers."""

from typing import Any

import trio

from cortexd.actors.fleet_monitor import (
    FLEET_MONITOR,
    FleetMonitor,
    take_message,
)
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.domain.fleet import (
    Command,
    Farewell,
    FleetWorker,
    MessageId,
    Received,
    Registration,
    Verb,
)
from cortexd.domain.fleet_events import (
    AgentLeft,
    AgentLost,
    AgentRegistered,
    AgentReported,
    AgentReturned,
    FleetLineChanged,
    FleetWorkerRefused,
)
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerType
from cortexd.policy.fleet import AgentState
from supervisor_tree import whereis
from supervisor_tree.testing import crash
from tests.actors.fleet_branch import OFFER, PERIOD_S, A, W, node_with_fleet


async def test_an_agents_worker_is_one_like_any_other(branch: Any) -> None:
    """In the registry under both names, checked at once, and gone when the agent goes."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        assert fleet.names() == [W]
        assert fleet.of(AgentRegistered) == [AgentRegistered(agent=A, version="1", workers=1)]
        await trio.sleep(0.1)
        assert branch.status(W) == ("available", None)

        await fleet.take(Farewell(agent=A, incarnation=1))
        assert fleet.names() == []
        assert fleet.state is AgentState.LEFT
        assert fleet.of(AgentLeft) == [AgentLeft(agent=A)]
        await fleet.say()
        assert fleet.state is AgentState.LEFT
        await fleet.register(2)
        assert fleet.names() == [W]


async def test_a_silent_agent_is_unavailable_within_two_periods(branch: Any) -> None:
    """And so is its worker, whatever its server says; until the agent is heard again."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await trio.sleep(1.2 * PERIOD_S)
        await fleet.say()
        heard_at = trio.current_time()
        await trio.sleep(1.25 * PERIOD_S)
        assert fleet.state is AgentState.AVAILABLE

        await fleet.fleet.wait_until(lambda known: known[A].state is AgentState.UNAVAILABLE)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() - heard_at <= 2 * PERIOD_S
        assert branch.status(W) == ("unavailable", "its agent has missed its status")
        assert [event.agent for event in fleet.of(AgentLost)] == [A]  # type: ignore[union-attr]  # they are
        await trio.sleep(60)
        assert branch.status(W)[0] == "unavailable"

        await fleet.say()
        assert fleet.state is AgentState.AVAILABLE
        await trio.sleep(2)
        assert branch.status(W) == ("available", None)
        assert fleet.of(AgentReturned) == [AgentReturned(agent=A)]


async def test_a_silent_broker_takes_nobody_with_it(branch: Any) -> None:
    """Frozen, blocked or down: as long as the line proves nothing, nobody is given up."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await trio.sleep(0.1)
        fleet.line.proved_at = trio.current_time()
        await trio.sleep(100)
        fleet.line.proved_at, fleet.line.is_blocked = None, True
        await trio.sleep(100)
        fleet.line.is_blocked, fleet.line.is_up = False, False
        await trio.sleep(100)
        fleet.line.is_up, fleet.line.steady_since = True, trio.current_time()
        await trio.sleep(9.9)
        assert fleet.state is AgentState.AVAILABLE
        assert branch.status(W) == ("available", None)
        await trio.sleep(0.5)
        assert fleet.state.value == "unavailable"


async def test_what_an_agent_says_is_applied_where_it_has_changed(branch: Any) -> None:
    """What was done to the worker here stands until the agent changes its mind."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await fleet.say(active=False)
        assert not fleet.is_active()
        told = AgentReported(agent=A, worker="w", changes=("active: yes -> no",))
        assert fleet.of(AgentReported) == [told]
        await fleet.say(active=True)
        assert fleet.is_active()

        await whereis(WORKER_REGISTRY).call(WorkerRegistry.deactivate, W)
        await fleet.say(active=True)
        await fleet.register()
        assert not fleet.is_active()
        await fleet.say(active=False)
        await fleet.say(active=True)
        assert fleet.is_active()


async def test_a_drained_worker_leaves_until_it_is_activated(branch: Any) -> None:
    """For good, and not just out of rotation."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await fleet.say(active=False, drained=True)
        assert fleet.names() == []
        await fleet.say(active=False, drained=True)
        await fleet.say(active=True)
        assert fleet.names() == [W]
        assert fleet.is_active()


async def test_an_agent_that_registers_inactive_is_taken_at_its_word(branch: Any) -> None:
    """A node that has just started does not activate what others have deactivated."""
    async with node_with_fleet(branch) as fleet:
        report = fleet.report(active=False)
        await fleet.take(Registration(agent=A, version="1", workers=(OFFER,), report=report))
        assert not fleet.is_active()


async def test_whom_an_operator_has_removed_stays_away(branch: Any) -> None:
    """Until the agent registers anew."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.unregister, W)
        await fleet.say()
        assert fleet.names() == []
        await fleet.register()
        assert fleet.names() == [W]


async def test_another_offer_takes_the_place_of_the_first(branch: Any) -> None:
    """A server that has moved is asked where it is now; one that has gone is let go."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        (first,) = [worker for worker in branch.roster.value if worker.name == W]
        moved = FleetWorker(name="w", type=WorkerType.OLLAMA, base_url="http://other:11434")
        await fleet.register(2, moved)
        (second,) = [worker for worker in branch.roster.value if worker.name == W]
        assert second is not first
        other = FleetWorker(name="v", type=WorkerType.OLLAMA, base_url="http://gpu:11434")
        await fleet.register(3, other)
        assert fleet.names() == ["a.v"]


async def test_a_worker_that_cannot_be_hired_is_told_of(branch: Any) -> None:
    """Once, and the others are hired all the same."""
    async with node_with_fleet(branch) as fleet:
        unfit = FleetWorker(
            name="u", type=WorkerType.OLLAMA, base_url="http://gpu:1", models=("unfit",)
        )
        await fleet.register(1, unfit, OFFER)
        await fleet.say()
        assert fleet.names() == [W]
        refused = FleetWorkerRefused(worker=WorkerName("a.u"), problems=("models: no",))
        assert fleet.of(FleetWorkerRefused) == [refused]


async def test_a_message_is_heeded_once_and_in_time(branch: Any) -> None:
    """What comes again, or when it is overdue, changes nothing."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        late = Received(
            id=MessageId("late"), message=Farewell(agent=A, incarnation=1), deadline=999.0
        )
        await take_message(late)
        assert fleet.state is AgentState.AVAILABLE
        farewell = Farewell(agent=A, incarnation=1)
        await fleet.take(farewell, "bye")
        await fleet.register()
        await fleet.take(farewell, "bye")
        assert fleet.state is AgentState.AVAILABLE


async def test_a_stranger_is_asked_who_it_is(branch: Any) -> None:
    """It registered while the node was away; and so has everybody, when the line comes up."""
    async with node_with_fleet(branch) as fleet:
        await trio.testing.wait_all_tasks_blocked()
        fleet.line.sent.clear()
        await fleet.say()
        await trio.testing.wait_all_tasks_blocked()
        roll_call = Command(verb=Verb.ROLL_CALL)
        assert [(message, to) for message, to, _ in fleet.line.sent] == [(roll_call, A)]

        await whereis(FLEET_MONITOR).call(FleetMonitor.line_changed, fleet.line.standing)
        await trio.testing.wait_all_tasks_blocked()
        assert [(message, to) for message, to, _ in fleet.line.sent][1:] == [(roll_call, None)]
        assert len(fleet.of(FleetLineChanged)) == 1


async def test_the_fleet_outlives_its_monitor(branch: Any) -> None:
    """A crash of it costs neither an agent nor a worker."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await crash(whereis(FLEET_MONITOR))
        await trio.sleep(0.1)
        assert fleet.names() == [W]
        await fleet.say(active=False)
        assert not fleet.is_active()


async def test_in_a_demonstration_agents_take_turns(branch: Any) -> None:
    """All of those that are there, every period."""
    async with node_with_fleet(branch, demonstration=True, demonstration_seconds=30.0) as fleet:
        await fleet.register()
        for _ in range(19):
            await trio.sleep(PERIOD_S)
            await fleet.say()
        verbs = [
            message.verb
            for message, to, _ in fleet.line.sent
            if isinstance(message, Command) and to == A
        ]
        assert verbs == [Verb.ACTIVATE, Verb.DEACTIVATE, Verb.ACTIVATE]


async def test_what_becomes_of_an_agent_is_written_down(branch: Any) -> None:
    """Each change when it happens, and the counters of activity once a minute."""
    async with node_with_fleet(branch) as fleet:
        await fleet.register()
        await fleet.say(active=False, activity=7)
        for _ in range(13):
            await trio.sleep(PERIOD_S)
            await fleet.say(active=False, activity=7)
        await fleet.take(Farewell(agent=A, incarnation=1))
        await trio.testing.wait_all_tasks_blocked()
        kept = [(entry.what, entry.worker, entry.activity) for entry in fleet.history.entries]
        assert kept == [
            ("registered", None, 0),
            ("active no", "w", 7),
            ("activity", "w", 7),
            ("left", None, 0),
        ]
