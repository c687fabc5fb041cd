"""The metrics actor: samples at the right times, whatever becomes of the disk or of itself."""

import math
from collections.abc import Sequence

import attrs
import pytest
import trio

from cortexd.actors.metrics import (
    NODE_METRICS,
    UNWRITTEN_MAX,
    WRITE_S_MAX,
    MetricsBoard,
    MetricsParts,
    NodeMetrics,
    metrics_board,
)
from cortexd.domain.errors import StorageFailed
from cortexd.domain.node_sample import NodeSample
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.metrics_history import RECENT_S, SAMPLE_S
from cortexd.policy.node_sampling import NodeGauges
from supervisor_tree import ChildSpec, Supervisor, whereis
from supervisor_tree.testing import crash, running

EPOCH_S = 1_000_000.0


def _wall_clock() -> float:
    return EPOCH_S + trio.current_time()


@attrs.define(eq=False)
class FakeHistory:
    """Keeps what it is given; `failing` and `slow_s` make it a disk in trouble."""

    kept: list[NodeSample] = attrs.Factory(list)
    batches: list[int] = attrs.Factory(list)
    failing: bool = False
    slow_s: float = 0.0
    asked: int = 0
    asked_max: int = 0

    async def keep(self, samples: Sequence[NodeSample]) -> None:
        """Keep them, or be in trouble."""
        await self._be_a_disk()
        self.kept += samples
        self.batches.append(len(samples))

    async def samples(self, since: float) -> list[NodeSample]:
        """Those from then on."""
        await self._be_a_disk()
        return [sample for sample in self.kept if sample.at >= since]

    async def minutes(self, since: float, until: float) -> list[NodeSample]:
        """None."""
        raise AssertionError((since, until))

    async def _be_a_disk(self) -> None:
        self.asked += 1
        self.asked_max = max(self.asked, self.asked_max)
        try:
            await trio.sleep(self.slow_s)
        finally:
            self.asked -= 1
        if self.failing:
            raise StorageFailed("as told")


@attrs.define(eq=False)
class Rig:
    """The actor in a tree, with what it measures and where it publishes."""

    board: MetricsBoard
    history: FakeHistory
    in_flight: int = 0

    def tree(self) -> Supervisor:
        """To be run."""
        parts = MetricsParts(
            tally=LoadTally(),
            gauges=self._gauges,
            wall_clock=_wall_clock,
            board=self.board,
            history=self.history,
        )
        return Supervisor(ChildSpec("metrics", lambda: NodeMetrics(parts), name=NODE_METRICS))

    def times(self) -> list[float]:
        """When the samples at hand were taken."""
        return [sample.at - EPOCH_S for sample in self.board.recent.value]

    def _gauges(self) -> NodeGauges:
        return NodeGauges(
            in_flight=self.in_flight,
            memory_bytes=0,
            loop_lag_s=0.0,
            workers_available=1,
            cache_hits=0,
            cache_misses=0,
        )


@pytest.fixture
def rig() -> Rig:
    """A node that has just been started."""
    return Rig(metrics_board(lambda: EPOCH_S), FakeHistory())


async def _sleep(samples: float) -> None:
    """Until so many samples have been taken, and a little."""
    await trio.sleep(samples * SAMPLE_S + 0.1)


async def test_samples(rig: Rig) -> None:
    """One every few seconds: published, at hand, and written down."""
    async with running(rig.tree()):
        rig.in_flight = 7
        await _sleep(3)
        assert rig.times() == [5.0, 10.0, 15.0]
        assert rig.board.sample.value is rig.board.recent.value[-1]
        assert rig.board.sample.value.in_flight == 7
        assert rig.history.kept == list(rig.board.recent.value)


async def test_no_more_than_an_hour_is_at_hand(rig: Rig) -> None:
    """However long the node has been running."""
    async with running(rig.tree()):
        await _sleep(1.5 * RECENT_S / SAMPLE_S)
        times = rig.times()
        assert len(times) == RECENT_S / SAMPLE_S + 1
        assert times[-1] - times[0] == RECENT_S
        assert times == sorted(times)


async def test_a_crash_is_hardly_noticed(rig: Rig) -> None:
    """The board outlives the actor: nothing that was at hand is lost, and it goes on."""
    async with running(rig.tree()):
        await _sleep(4)
        before = rig.times()
        await crash(whereis(NODE_METRICS))
        await _sleep(2)
        assert rig.times()[: len(before)] == before
        assert len(rig.times()) >= len(before) + 1
        assert len(set(rig.times())) == len(rig.times())


async def test_a_node_that_starts_again_remembers(rig: Rig) -> None:
    """The last hour comes back from the disk, and what is older does not."""
    old = [NodeSample(at=EPOCH_S - age, in_flight=age) for age in (4000, 3000, 100)]
    rig.history.kept = list(old)
    async with running(rig.tree()):
        await _sleep(1)
        assert rig.times() == [-3000.0, -100.0, 5.0]


async def test_what_the_disk_refuses_it_gets_later(rig: Rig) -> None:
    """All at once, as soon as it takes something again; and readers notice nothing."""
    rig.history.failing = True
    async with running(rig.tree()):
        await _sleep(5)
        assert len(rig.times()) == 5
        assert rig.history.kept == []
        rig.history.failing = False
        await _sleep(1)
        assert rig.history.batches == [6]
        assert rig.history.kept == list(rig.board.recent.value)


async def test_a_disk_that_hangs_stops_nothing(rig: Rig) -> None:
    """Samples are taken in time, one write waits at a time, and no more than so many samples."""
    rig.history.slow_s = math.inf
    async with running(rig.tree()) as tree:
        await _sleep(2 * UNWRITTEN_MAX)
        assert len(rig.times()) == 2 * UNWRITTEN_MAX
        assert {child.restarts for child in tree.snapshot().children} == {0}
        rig.history.slow_s = 0.0
        await trio.sleep(WRITE_S_MAX + 2 * SAMPLE_S)
        assert len(rig.history.kept) <= UNWRITTEN_MAX + 3
        assert rig.history.kept[-1].at == rig.board.sample.value.at
        assert rig.history.asked_max == 2  # the first one is the look back at the start


async def test_a_clock_that_is_set_back(rig: Rig) -> None:
    """What seems to come from the future goes: charts would show it for hours."""
    rig.board.recent.publish((NodeSample(at=EPOCH_S + 7200.0),))
    async with running(rig.tree()):
        await _sleep(2)
        assert rig.times() == [5.0, 10.0]
