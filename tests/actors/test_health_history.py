"""The health monitor remembers what the last checks have shown."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from cortexd.actors.health_monitor import HEALTH_MONITOR, HISTORY_MAX, HealthMonitor
from cortexd.domain.worker import WorkerStatus
from supervisor_tree import whereis
from supervisor_tree.testing import crash, running


async def test_each_check_is_remembered(branch: Any, autojump_clock: MockClock) -> None:
    """With its result, its duration, and how the workers were after it."""
    branch.patients["a"].answers_after_s = 0.5
    branch.patients["b"].failure = "connection refused"
    async with running(branch.tree):
        await trio.sleep(1.0)
    first, second = branch.history.value
    assert (first.worker, first.failure, first.status) == (
        "b",
        "connection refused",
        WorkerStatus.UNAVAILABLE,
    )
    assert (second.worker, second.failure, second.status) == ("a", None, WorkerStatus.AVAILABLE)
    assert (second.at, second.duration_s) == (pytest.approx(0.5), pytest.approx(0.5))
    assert (first.available, second.available, second.workers) == (0, 1, 2)


async def test_the_last_hundred_are_kept_whatever_becomes_of_the_monitor(
    branch: Any, autojump_clock: MockClock
) -> None:
    """The oldest go first, and a restart forgets nothing."""
    async with running(branch.tree):
        for _ in range(HISTORY_MAX):
            await whereis(HEALTH_MONITOR).call(HealthMonitor.check, branch.roster.value[0].name)
            await trio.sleep(0.1)
        before = branch.history.value
        assert len(before) == HISTORY_MAX
        await crash(whereis(HEALTH_MONITOR))
        await trio.sleep(1.0)
        after = branch.history.value
        assert len(after) == HISTORY_MAX
        assert after[0] in before[1:]
