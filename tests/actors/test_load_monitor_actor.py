"""The load monitor: samples at the right times, whatever becomes of itself, and none while off."""

import attrs
import pytest
import trio

from cortexd.actors.load_monitor import (
    LOAD_MONITOR,
    AlreadyRunning,
    LoadBoard,
    LoadMonitor,
    LoadMonitorParts,
    NeverStarted,
)
from cortexd.actors.published import Published
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.load_monitor import LoadMonitorAdmin
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.load_monitor import LoadGauges, LoadReading, LoadRun
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.node_sampling import NodeGauges, Reading
from supervisor_tree import ActorRef, ChildSpec, NoProc, Supervisor, whereis
from supervisor_tree.testing import crash, running
from tests.ended import ended

EPOCH_S = 1_000_000.0


@attrs.define(eq=False)
class Rig:
    """The actor in a tree, and what it reads. `read_at`: when it did."""

    board: LoadBoard = attrs.Factory(lambda: Published(None))
    tally: LoadTally = attrs.Factory(LoadTally)
    read_at: list[float] = attrs.Factory(list)

    def tree(self) -> Supervisor:
        """To be run."""
        parts = LoadMonitorParts(board=self.board, read=self._read)
        return Supervisor(ChildSpec("monitor", lambda: LoadMonitor(parts), name=LOAD_MONITOR))

    @property
    def run(self) -> LoadRun:
        """The run there is."""
        assert self.board.value is not None
        return self.board.value

    def times(self) -> list[float]:
        """When the samples were taken."""
        return [sample.node.at - EPOCH_S for sample in self.run.samples]

    def _read(self) -> LoadReading:
        now = trio.current_time()
        self.read_at.append(now)
        plain = NodeGauges(
            in_flight=0,
            memory_bytes=0,
            loop_lag_s=0.0,
            workers_available=1,
            cache_hits=0,
            cache_misses=0,
        )
        gauges = LoadGauges(
            tasks=1,
            workers=1,
            in_flight=0,
            queued=0,
            cache_entries=0,
            cache_bytes=0,
            breakers={},
        )
        reading = Reading(at=EPOCH_S + now, time=now, load=self.tally.counts(), gauges=plain)
        return LoadReading(plain=reading, gauges=gauges)


@pytest.fixture
def rig() -> Rig:
    """A node whose load monitor was never started."""
    return Rig()


def _monitor() -> ActorRef[LoadMonitor]:
    return whereis(LOAD_MONITOR)


async def test_nothing_is_read_while_it_is_off(rig: Rig) -> None:
    """Neither before a run nor after it."""
    async with running(rig.tree()):
        await trio.sleep(1000)
        assert rig.read_at == []
        await _monitor().call(LoadMonitor.start_run, 5.0, 3600.0)
        await trio.sleep(7)
        await _monitor().call(LoadMonitor.stop_run)
        await trio.sleep(1000)
        assert rig.read_at == [1000.0, 1005.0, 1007.0]
        assert rig.times() == [1005.0]


async def test_a_run(rig: Rig) -> None:
    """A sample each interval, until it has lasted long enough."""
    async with running(rig.tree()):
        await _monitor().call(LoadMonitor.start_run, 2.0, 10.0)
        await trio.sleep(100)
        assert rig.times() == [2.0, 4.0, 6.0, 8.0, 10.0]
        assert rig.run.stopped_at == EPOCH_S + 10.0
        assert not rig.run.is_running


async def test_a_crash_loses_nothing(rig: Rig) -> None:
    """The next sample comes when it would have come, and counts what was before the crash, too."""
    async with running(rig.tree()):
        await _monitor().call(LoadMonitor.start_run, 10.0, 3600.0)
        await trio.sleep(12)
        rig.tally.take(ended())
        await crash(_monitor())
        await trio.sleep(10)
        assert rig.times() == [10.0, 20.0]
        assert rig.run.samples[-1].node.requests_per_second == 0.1


async def test_one_that_keeps_crashing_goes_on(rig: Rig) -> None:
    """However short its lives are, measured by the interval."""
    async with running(rig.tree()):
        await _monitor().call(LoadMonitor.start_run, 10.0, 3600.0)
        for _ in range(12):
            await trio.sleep(3.3)
            await crash(_monitor())
        await trio.sleep(1)
        assert rig.times() == [10.0, 20.0, 30.0, 40.0]


async def test_one_run_at_a_time(rig: Rig) -> None:
    """A second start changes nothing."""
    async with running(rig.tree()):
        await _monitor().call(LoadMonitor.start_run, 5.0, 3600.0)
        await trio.sleep(6)
        with pytest.raises(AlreadyRunning):
            await _monitor().call(LoadMonitor.start_run, 1.0, 10.0)
        await trio.sleep(5)
        assert rig.times() == [5.0, 10.0]


async def test_a_new_run_begins_anew(rig: Rig) -> None:
    """Its samples take the place of those before, and no tick of the last run is among them."""
    async with running(rig.tree()):
        await _monitor().call(LoadMonitor.start_run, 5.0, 3600.0)
        await trio.sleep(13)
        await _monitor().call(LoadMonitor.stop_run)
        await _monitor().call(LoadMonitor.start_run, 5.0, 3600.0)
        await trio.sleep(11)
        assert rig.times() == [18.0, 23.0]


async def test_stopping(rig: Rig) -> None:
    """What has ended stays as it is; what never began cannot end."""
    async with running(rig.tree()):
        with pytest.raises(NeverStarted):
            await _monitor().call(LoadMonitor.stop_run)
        await _monitor().call(LoadMonitor.start_run, 5.0, 3600.0)
        await trio.sleep(1)
        first = await _monitor().call(LoadMonitor.stop_run)
        await trio.sleep(1)
        assert await _monitor().call(LoadMonitor.stop_run) is first
        assert first.stopped_at == EPOCH_S + 1.0


REQUEST = DoorRequest(
    method="POST", path="/", headers={"content-type": "application/json"}, body=b"{}"
)


async def test_operators_see_one_that_was_never_started(rig: Rig) -> None:
    """There is nothing to show, and nothing to stop."""
    admin = LoadMonitorAdmin(board=rig.board)
    async with running(rig.tree()):
        assert await admin.show(REQUEST) == (
            200,
            {
                "running": False,
                "started_at": None,
                "stopped_at": None,
                "interval_seconds": 5.0,
                "duration_seconds": 3600.0,
                "summary": None,
                "samples": [],
            },
        )
        with pytest.raises(RequestRefused) as refused:
            await admin.stop(REQUEST)
        assert (refused.value.status, refused.value.code) == (409, "never_started")


@pytest.mark.parametrize(
    ("since", "expected"),
    [("0", 4), ("1000005", 4), ("1000005.001", 3), ("1000020", 1), ("1000021", 0)],
)
async def test_operators_are_shown_what_they_have_not_seen(
    rig: Rig, since: str, expected: int
) -> None:
    """From that moment on; a whole run is long."""
    admin = LoadMonitorAdmin(board=rig.board)
    async with running(rig.tree()):
        await admin.start(REQUEST)
        await trio.sleep(21)
    _, everything = await admin.show(REQUEST)
    _, document = await admin.show(attrs.evolve(REQUEST, query=f"since={since}"))
    assert document == {**everything, "samples": everything["samples"][4 - expected :]}


async def test_a_moment_that_is_none_is_refused(rig: Rig) -> None:
    """As everywhere."""
    admin = LoadMonitorAdmin(board=rig.board)
    for since in ("", "-1", "now", "nan", "1e3"):
        with pytest.raises(RequestRefused) as refused:
            await admin.show(attrs.evolve(REQUEST, query=f"since={since}"))
        assert (refused.value.status, refused.value.param) == (400, "since")


async def test_operators_see_a_run_while_the_monitor_is_away(rig: Rig) -> None:
    """What was sampled stays; what needs the monitor is to be asked again."""
    admin = LoadMonitorAdmin(board=rig.board)
    async with running(rig.tree()):
        await admin.start(REQUEST)
        await trio.sleep(11)
    status, document = await admin.show(REQUEST)
    assert (status, document["running"], len(document["samples"])) == (200, True, 2)
    for ask in (admin.start, admin.stop):
        with pytest.raises(NoProc):
            await ask(REQUEST)
