"""The keeper of the circuit breakers, over workers whose calls a test makes."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.roster import RegisteredWorker
from cortexd.actors.worker_registry import WorkerNotRegistered
from cortexd.domain.events import BreakerChanged
from cortexd.domain.ids import WorkerName
from cortexd.policy.circuit_breaker import BreakerState
from supervisor_tree import ChildSpec, Supervisor, open_tree, whereis
from supervisor_tree.testing import crash

A, NOBODY = WorkerName("a"), WorkerName("nobody")


@pytest.fixture
def tree(branch: Any) -> Supervisor:
    """The keeper alone, with the roster of the branch."""
    keeper = partial(CircuitBreakers, branch.roster, branch.events.append)
    return Supervisor(ChildSpec("circuit-breakers", keeper, name=CIRCUIT_BREAKERS))


def _open(worker: RegisteredWorker) -> float:
    """Let calls to the worker fail until its breaker opens; when its rest is over."""
    now = trio.current_time()
    for _ in range(5):
        worker.breaker.failed(worker.breaker.begin(now), now, "connection refused")
    retry_at = worker.breaker.retry_at(now)
    assert retry_at is not None
    return retry_at


def _changed(worker: str, before: str, after: str, reason: str) -> BreakerChanged:
    return BreakerChanged(
        worker=WorkerName(worker), before=before, after=after, reason=reason, open_s=None
    )


async def test_the_end_of_a_rest_is_told_within_a_second(
    branch: Any, tree: Supervisor, autojump_clock: trio.testing.MockClock
) -> None:
    """Once for each worker, without any traffic; also after a crash of the keeper."""
    told: list[BreakerChanged] = []
    async with open_tree(tree):
        for worker in branch.roster.value:
            ends_at = _open(worker)
            await crash(whereis(CIRCUIT_BREAKERS))
            await trio.sleep_until(ends_at - 0.01)
            assert branch.events == told
            await trio.sleep_until(ends_at + 1.01)
            told.append(_changed(worker.name, "open", "half_open", "its rest is over"))
            assert branch.events == told
        await trio.sleep(10)

    assert branch.events == told


async def test_a_good_health_check_ends_the_rest(
    branch: Any, tree: Supervisor, autojump_clock: trio.testing.MockClock
) -> None:
    """Of that worker only; a second one, and one of a worker that has gone, do nothing."""
    a, b = branch.roster.value
    async with open_tree(tree):
        _open(a)
        _open(b)
        for name in (A, A, NOBODY):
            whereis(CIRCUIT_BREAKERS).cast(CircuitBreakers.checked, name)
        await trio.testing.wait_all_tasks_blocked()

        assert branch.events == [_changed("a", "open", "half_open", "a health check passed")]
        assert b.breaker.state(trio.current_time()) is BreakerState.OPEN


async def test_an_operator_resets_one_breaker(
    branch: Any, tree: Supervisor, autojump_clock: trio.testing.MockClock
) -> None:
    """It admits at once; where there is nothing to change, nothing is told."""
    a, b = branch.roster.value
    async with open_tree(tree):
        _open(a)
        _open(b)
        keeper = whereis(CIRCUIT_BREAKERS)
        await keeper.call(CircuitBreakers.reset, A)
        await keeper.call(CircuitBreakers.reset, A)

        now = trio.current_time()
        assert (a.breaker.admits(now), b.breaker.admits(now)) == (True, False)
        assert branch.events == [_changed("a", "open", "closed", "an operator reset it")]


async def test_a_reset_of_nobody_is_refused(
    branch: Any, tree: Supervisor, autojump_clock: trio.testing.MockClock
) -> None:
    """In words, to the caller; the keeper lives on."""
    async with open_tree(tree):
        keeper = whereis(CIRCUIT_BREAKERS)
        with pytest.raises(WorkerNotRegistered, match="there is no worker 'nobody'"):
            await keeper.call(CircuitBreakers.reset, NOBODY)

        await keeper.call(CircuitBreakers.reset, A)
    assert branch.events == []
