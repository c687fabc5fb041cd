"""The degradation manager in a tree, over workers whose health the test publishes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from cortexd.actors.degradation_manager import (
    DEGRADATION_MANAGER,
    DegradationManager,
    staffing,
)
from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.events import DegradationChanged, Event
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.degradation_settings import (
    FIRST_WORKER_S_MAX,
    DegradationSettings,
    Staffing,
)
from cortexd.policy.degradation_state import CLIMB_S, DegradationState
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.pressure import Pressure
from supervisor_tree import ChildSpec, Supervisor, whereis
from supervisor_tree.testing import crash, running

AVAILABLE, UNAVAILABLE, UNKNOWN = (
    WorkerStatus.AVAILABLE,
    WorkerStatus.UNAVAILABLE,
    WorkerStatus.UNKNOWN,
)


@attrs.define(eq=False)
class Node:
    """What the manager looks at, and what it says."""

    branch: Any
    view: Published[PoolView]
    state: Published[DegradationState]
    events: list[Event]
    pressure: Pressure = attrs.Factory(Pressure)

    def members(self, *statuses: WorkerStatus) -> tuple[PoolMember, ...]:
        """Workers who are as well as that."""
        return tuple(
            PoolMember(self.branch.hire(f"w{index}"), WorkerHealth(status=status))
            for index, status in enumerate(statuses)
        )

    def become(self, *statuses: WorkerStatus) -> None:
        """Publish a view of such workers."""
        self.view.publish(attrs.evolve(self.view.value, members=self.members(*statuses)))

    @property
    def level(self) -> str:
        """The level in force."""
        return self.state.value.level.value

    @asynccontextmanager
    async def managed(self) -> AsyncIterator[None]:
        """Run a manager until the end of the block."""
        manager = partial(
            DegradationManager,
            self.state,
            self.view,
            lambda: self.pressure,
            DegradationSettings(),
            self.events.append,
        )
        async with running(Supervisor(ChildSpec("it", manager, name=DEGRADATION_MANAGER))):
            yield


@pytest.fixture
def node(branch: Any) -> Node:
    """Five workers who are well."""
    view = Published(PoolView((), PoolStrategy.LOCAL_FIRST))
    node = Node(branch, view, Published(DegradationState()), [])
    node.become(*[AVAILABLE] * 5)
    return node


def _levels(events: Sequence[Event]) -> list[str]:
    return [event.after for event in events if isinstance(event, DegradationChanged)]


async def test_a_change_of_the_pool_is_taken_in_at_once(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """Not with the next tick: a node that has lost its workers sheds now."""
    async with node.managed():
        await trio.sleep(0.5)
        assert node.level == "healthy"
        node.become(*[UNAVAILABLE] * 5)
        await trio.testing.wait_all_tasks_blocked()
        assert (node.level, trio.current_time()) == ("emergency", 0.5)
        assert node.state.value.reason == "0 of 5 workers are available"
    assert _levels(node.events) == ["emergency"]


async def test_workers_come_back_and_the_level_climbs_one_by_one(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """A level for each five seconds, by time alone."""
    async with node.managed():
        node.become(*[UNAVAILABLE] * 5)
        await trio.testing.wait_all_tasks_blocked()
        node.become(*[AVAILABLE] * 5)
        seen = []
        for _ in range(5):
            await trio.testing.wait_all_tasks_blocked()
            seen.append(node.level)
            await trio.sleep(CLIMB_S)
    assert seen == ["emergency", "critical", "major_issues", "minor_issues", "healthy"]


async def test_a_node_whose_workers_nobody_has_checked_yet_is_in_no_emergency(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """What is unknown counts as available."""
    node.become(*[UNKNOWN] * 5)
    async with node.managed():
        await trio.sleep(10.0)
        assert node.level == "healthy"
    assert node.events == []


async def test_a_node_that_starts_is_given_a_minute_to_find_a_worker(node: Node) -> None:
    """Nobody is turned away while a model is being loaded; then it counts as fallen."""
    node.become(UNAVAILABLE, UNKNOWN)
    async with node.managed():
        node.become(UNAVAILABLE, UNAVAILABLE)
        await trio.sleep(FIRST_WORKER_S_MAX - 1)
        assert node.level == "healthy"
        await trio.sleep(2)
        assert node.level == "emergency"


async def test_the_first_worker_settles_the_level_at_once(node: Node) -> None:
    """There is nothing to climb out of."""
    node.become(UNAVAILABLE, UNAVAILABLE)
    async with node.managed():
        await trio.sleep(10)
        node.become(UNAVAILABLE, AVAILABLE)
        await trio.testing.wait_all_tasks_blocked()
        assert node.level == "minor_issues"


async def test_pressure_is_noticed_within_a_second(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """Nobody reports it, so the manager looks."""
    async with node.managed():
        await trio.sleep(0.1)
        node.pressure = Pressure(memory=0.96)
        await trio.sleep(1.0)
        assert node.level == "critical"
        node.pressure = Pressure(memory=0.5)
        await trio.sleep(3 * CLIMB_S + 1.5)
        assert node.level == "healthy"


async def test_an_operator_forces_a_level_and_lets_go_of_it(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """The answer to the call is the state after it."""
    async with node.managed():
        manager = whereis(DEGRADATION_MANAGER)
        state = await manager.call(DegradationManager.force, DegradationLevel.MAJOR_ISSUES)
        assert (state.level, state.forced) == (DegradationLevel.MAJOR_ISSUES, True)
        assert node.state.value is state
        await trio.sleep(60.0)
        assert node.level == "major_issues"
        state = await manager.call(DegradationManager.force, None)
        assert (state.level, state.forced) == (DegradationLevel.HEALTHY, False)
    assert [
        (event.after, event.forced)
        for event in node.events
        if isinstance(event, DegradationChanged)
    ] == [
        ("major_issues", True),
        ("healthy", False),
    ]


async def test_a_restart_keeps_the_state(
    node: Node, autojump_clock: trio.testing.MockClock
) -> None:
    """The level that was forced, and the seconds of health that have passed."""
    async with node.managed():
        manager = whereis(DEGRADATION_MANAGER)
        await manager.call(DegradationManager.force, DegradationLevel.CRITICAL)
        await crash(manager)
        await trio.sleep(1.0)
        assert (node.level, node.state.value.forced) == ("critical", True)
        await manager.call(DegradationManager.force, None)
        node.become(*[UNAVAILABLE] * 5)
        await trio.testing.wait_all_tasks_blocked()
        assert node.level == "emergency"


def test_who_counts(node: Node) -> None:
    """The gone and the resting are missed; who was deactivated is not there at all."""
    members = node.members(AVAILABLE, UNKNOWN, UNAVAILABLE, AVAILABLE, AVAILABLE)
    broken = members[3].worker.breaker
    for _ in range(5):
        broken.failed(broken.begin(0.0), 0.0, "down")
    retired = attrs.evolve(members[4], worker=attrs.evolve(members[4].worker, is_active=False))
    assert staffing((*members[:4], retired), 0.0) == Staffing(available=2, resting=1, workers=4)
