"""The heartbeat: how late the loop was, on the mean and at worst."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from cortexd.policy.pressure import LAG_S_MAX
from cortexd.runtime.loop_lag import BEAT_S, SAMPLES, WORST_S, LoopLag


@asynccontextmanager
async def _beating(lag: LoopLag) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.measure)
        yield
        nursery.cancel_scope.cancel()


async def test_a_loop_that_turns_is_not_late(autojump_clock: MockClock) -> None:
    """Nor is one that nobody has measured yet."""
    lag = LoopLag()
    assert (lag.mean_s(), lag.worst_s(), lag.still_s()) == (0.0, 0.0, 0.0)
    async with _beating(lag):
        await trio.sleep(100.0)
        assert (lag.mean_s(), lag.worst_s()) == (0.0, 0.0)
        assert lag.still_s() <= BEAT_S


async def test_one_pause_is_the_worst_for_a_while_and_hardly_moves_the_mean(
    autojump_clock: MockClock,
) -> None:
    """Ten seconds are not ten times worse than a second: the loop is back."""
    lag = LoopLag()
    async with _beating(lag):
        await trio.sleep(100.25)
        autojump_clock.jump(10.0)
        assert lag.still_s() == pytest.approx(10.25)
        assert lag.worst_s() == pytest.approx(9.75)
        await trio.testing.wait_all_tasks_blocked()
        assert lag.worst_s() == pytest.approx(9.75)
        assert lag.mean_s() == pytest.approx(LAG_S_MAX / SAMPLES)
        await trio.sleep(WORST_S + 0.1)
        assert lag.worst_s() == 0.0
        await trio.sleep(SAMPLES * BEAT_S)
        assert lag.mean_s() == 0.0


async def test_many_short_pauses_are_a_mean(autojump_clock: MockClock) -> None:
    """A loop that is late at every turn is overloaded."""
    lag = LoopLag()

    async def hold_up() -> None:
        while True:
            await trio.sleep(BEAT_S - 0.001)
            autojump_clock.jump(0.3)

    async with _beating(lag), trio.open_nursery() as nursery:
        nursery.start_soon(hold_up)
        await trio.sleep(60.0)
        assert 0.1 < lag.mean_s() <= 0.3
        nursery.cancel_scope.cancel()
