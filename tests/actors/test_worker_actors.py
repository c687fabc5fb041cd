"""Registry, pool and health monitor, running together."""

import itertools
from typing import Any

import pytest
import trio

from cortexd.actors.health_monitor import (
    CONTESTED_INTERVAL_S,
    HEALTH_MONITOR,
    UNAVAILABLE_INTERVAL_S,
    HealthMonitor,
)
from cortexd.actors.worker_pool import WORKER_POOL
from cortexd.actors.worker_registry import (
    WORKER_REGISTRY,
    WorkerAlreadyRegistered,
    WorkerNotRegistered,
    WorkerRegistry,
)
from cortexd.domain.events import (
    BreakerChanged,
    WorkerActivated,
    WorkerDeactivated,
    WorkerRegistered,
    WorkerStatusChanged,
    WorkerUnregistered,
)
from cortexd.domain.ids import WorkerName
from cortexd.policy.circuit_breaker import BreakerState
from cortexd.policy.obstacles import Obstacle
from supervisor_tree import open_tree, whereis
from supervisor_tree.testing import crash

A, B, C = WorkerName("a"), WorkerName("b"), WorkerName("c")


async def test_a_worker_added_at_run_time_is_in_the_pool_at_once(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Registered, listed, found, and offered to routing."""
    async with open_tree(branch.tree):
        registry = whereis(WORKER_REGISTRY)
        worker = branch.hire("c")
        await registry.call(WorkerRegistry.register, worker)
        await trio.testing.wait_all_tasks_blocked()

        assert await registry.call(WorkerRegistry.get, C) is worker
        listed = await registry.call(WorkerRegistry.list)
        assert [known.name for known in listed] == ["a", "b", "c"]
        assert [member.worker.name for member in branch.view.value.members] == ["a", "b", "c"]
        assert WorkerRegistered(worker=C) in branch.events


async def test_a_name_is_registered_once(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The second one is refused, in words, and the first one stays."""
    async with open_tree(branch.tree):
        registry = whereis(WORKER_REGISTRY)
        first = branch.roster.value[0]
        with pytest.raises(WorkerAlreadyRegistered, match="already registered"):
            await registry.call(WorkerRegistry.register, branch.hire("a"))

        assert await registry.call(WorkerRegistry.get, A) is first


async def test_an_unregistered_worker_leaves_pool_and_board(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Nothing of it is left, and asking for it says so."""
    async with open_tree(branch.tree):
        registry = whereis(WORKER_REGISTRY)
        await trio.sleep(1)
        await registry.call(WorkerRegistry.unregister, A)
        await trio.sleep(40)

        assert [member.worker.name for member in branch.view.value.members] == ["b"]
        assert set(branch.board.value) == {"b"}
        assert WorkerUnregistered(worker=A) in branch.events
        for method in (WorkerRegistry.get, WorkerRegistry.unregister):
            with pytest.raises(WorkerNotRegistered):
                await registry.call(method, A)


async def test_a_deactivated_worker_stays_and_gets_nothing(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Until it is activated; its slots and accounts are the same before and after."""
    async with open_tree(branch.tree):
        registry = whereis(WORKER_REGISTRY)
        before = branch.roster.value[0]
        for method, event, obstacle in (
            (WorkerRegistry.deactivate, WorkerDeactivated(worker=A), Obstacle.DEACTIVATED),
            (WorkerRegistry.activate, WorkerActivated(worker=A), None),
        ):
            await registry.call(method, A)
            await registry.call(method, A)
            await trio.sleep(1)
            member = branch.view.value.members[0]
            assert member.obstacle(trio.current_time()) is obstacle
            assert member.worker.slots is before.slots
            assert member.worker.traffic is before.traffic
            assert branch.events.count(event) == 1
        with pytest.raises(WorkerNotRegistered):
            await registry.call(WorkerRegistry.deactivate, C)


async def test_a_good_check_ends_the_rest_of_a_breaker(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """It may be tried again then, and no more than that."""
    async with open_tree(branch.tree):
        await trio.sleep(1)
        breaker, now = branch.roster.value[0].breaker, trio.current_time()
        for _ in range(5):
            breaker.failed(breaker.begin(now), now, "as told")
        await whereis(HEALTH_MONITOR).call(HealthMonitor.check, A)
        await trio.sleep(1)
        assert breaker.state(trio.current_time()) is BreakerState.HALF_OPEN
        changes = [event for event in branch.events if isinstance(event, BreakerChanged)]
        assert [(event.worker, event.after) for event in changes] == [(A, "half_open")]


async def test_a_worker_that_is_out_is_asked_more_often(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """So that it is missed for seconds and not for half a minute."""
    branch.patients["a"].failure = "as told"
    async with open_tree(branch.tree):
        await trio.sleep(40)
        assert branch.status("a") == ("unavailable", "as told")
        branch.patients["a"].failure = None
        await trio.sleep(UNAVAILABLE_INTERVAL_S + 2 * CONTESTED_INTERVAL_S)
        assert branch.status("a") == ("available", None)


async def test_probes_run_in_parallel_and_are_given_up_after_their_time(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """A worker that hangs for a minute does not delay the verdict on the other."""
    branch.patients["a"].answers_after_s = 60.0
    async with open_tree(branch.tree):
        await trio.sleep(0.1)
        assert branch.status("b") == ("available", None)
        await trio.sleep(5)
        status, reason = branch.status("a")

    assert (status, "within 5 s" in (reason or "")) == ("unavailable", True)
    assert branch.patients["a"].checks[0] == branch.patients["b"].checks[0]


async def test_rounds_come_every_interval_with_ten_percent_of_jitter(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Thirty seconds, give or take three."""
    async with open_tree(branch.tree):
        await trio.sleep(300)

    checks = branch.patients["a"].checks
    gaps = [later - earlier for earlier, later in itertools.pairwise(checks)]
    assert len(checks) >= 9
    assert all(27.0 <= gap <= 33.0 for gap in gaps)
    assert len(set(gaps)) > 1


async def test_a_contradicted_verdict_is_looked_into_at_once(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """One bad probe, and the second comes after a second, not after half a minute."""
    async with open_tree(branch.tree):
        await trio.sleep(1)
        branch.patients["a"].failure = "connection refused"
        await trio.sleep(33)
        status = branch.status("a")
        changes = [e for e in branch.events if isinstance(e, WorkerStatusChanged)]

    assert status == ("unavailable", "connection refused")
    checks = branch.patients["a"].checks
    assert checks[2] - checks[1] == pytest.approx(1.0)
    assert [(change.worker, change.after.value) for change in changes].count(
        (A, "unavailable")
    ) == 1


async def test_discovered_models_are_offered(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What the worker says it serves, since its settings do not."""
    async with open_tree(branch.tree):
        await trio.sleep(1)

    assert [member.models for member in branch.view.value.members] == [
        ("model-of-a",),
        ("model-of-b",),
    ]


async def test_a_check_on_request_does_not_double_a_running_one(
    branch: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """One probe at a time for each worker, however often somebody asks."""
    branch.patients["a"].answers_after_s = 2.0
    async with open_tree(branch.tree):
        await trio.sleep(1)
        for _ in range(5):
            whereis(HEALTH_MONITOR).cast(HealthMonitor.check, A)
        await trio.sleep(2)

    assert len(branch.patients["a"].checks) == 1


@pytest.mark.parametrize(
    "name", [WORKER_REGISTRY, WORKER_POOL, HEALTH_MONITOR], ids=lambda name: name.text
)
async def test_a_crash_loses_nothing_that_was_published(
    branch: Any, autojump_clock: trio.testing.MockClock, name: Any
) -> None:
    """The new incarnation starts from the boards, and a worker added meanwhile is found."""
    async with open_tree(branch.tree):
        await trio.sleep(1)
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.register, branch.hire("c"))
        await crash(whereis(name))
        assert branch.status("a") == ("available", None)
        await trio.sleep(1)

        assert [member.worker.name for member in branch.view.value.members] == ["a", "b", "c"]
        assert branch.status("a") == ("available", None)
        await trio.sleep(40)
        assert branch.status("c") == ("available", None)
