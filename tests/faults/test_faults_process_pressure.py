"""P1, P2, P4, P5 and P11 as far as they concern the node itself: what it does when it is pressed.

Files and pauses are real: the limit of a running process is lowered, the process is stopped. Memory
and CPU are pressed by telling the node that it may have less, and by a clock that runs ahead.
"""

import json
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import RequestShed
from cortexd.domain.ids import Tenant
from cortexd.policy.degradation_state import CLIMB_S
from cortexd.policy.pressure import LAG_S_MAX
from cortexd.runtime.admin import admin_parts
from tests.daemon import Daemon, running_daemon
from tests.faults.virtual_node import Listener, VirtualNode, running_node

HANGS_S: Final = 20.0
"""A limit for what hangs: how long things really take depends on the machine."""

PAUSE_S: Final = 3.0

WORKER: Final = """
[[workers]]
name = "worker"
type = "scripted"
script = [{ say = "all is well" }]
"""

FOLLOWING: Final = "[degradation]\nenabled = true\n"

CROWD: Final = tuple(Tenant(f"tenant-{number}") for number in range(60))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A node whose level follows its state."""
    with running_daemon(tmp_path, FOLLOWING + WORKER) as daemon:
        yield daemon


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + HANGS_S
    while not until():
        assert time.monotonic() < end, f"not within {HANGS_S:g} s"
        time.sleep(0.05)


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _level(node: VirtualNode) -> str:
    return node.app.degradation.state.value.level.value


def _is_ready(client: httpx.Client) -> bool:
    """Whether it takes requests; if not, then because it is overloaded."""
    answer = client.get("/readyz")
    assert answer.status_code == 200 or answer.json()["status"] == "overloaded"
    return answer.status_code == 200


async def _served(node: VirtualNode) -> float:
    """The share of clients that are served now."""
    told = [await node.ask(tenant=tenant) for tenant in CROWD]
    assert all(each.error is None or isinstance(each.error, RequestShed) for each in told)
    return sum(each.error is None for each in told) / len(told)


@pytest.mark.real_time
@pytest.mark.slow
def test_p1_a_node_without_files_is_not_ready_and_recovers_by_itself(daemon: Daemon) -> None:
    """Who is connected is told; who comes waits at the door, and is served afterwards."""
    pid = daemon.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with httpx.Client(base_url=daemon.url, timeout=HANGS_S) as connected:
        assert _is_ready(connected)
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (_open_files(pid), hard))
        _wait(lambda: not _is_ready(connected))
        told = connected.get("/readyz").json()["reason"]
        assert told == "the node uses 100% of the files it may open"
        level = connected.get("/api/health").json()["degradation_level"]
        assert level in {"healthy", "critical"}
        with pytest.raises(httpx.TransportError):
            httpx.get(daemon.url + "/readyz", timeout=0.5)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        _wait(lambda: _is_ready(connected))
        assert httpx.get(daemon.url + "/readyz", timeout=HANGS_S).status_code == 200
    assert daemon.process.poll() is None


async def test_p2_at_95_percent_of_its_memory_the_node_sheds(tmp_path: Path) -> None:
    """A part of the clients goes on being served, and nothing new is sent here."""
    async with running_node(tmp_path, WORKER) as node:
        most = node.app.degradation.gauge.resources().memory_bytes / 0.96
        _have_at_most(node, most)
        await trio.sleep(2.0)
        assert _level(node) == "critical"
        assert "of the memory it may have" in node.app.degradation.state.value.reason
        assert 0.1 < await _served(node) < 0.6
        assert node.app.doors.probes.readyz()[0] == 503
        _have_at_most(node, most * 10)
        await trio.sleep(3 * CLIMB_S + 2.0)
        assert await _served(node) == 1.0
        assert node.app.doors.probes.readyz()[0] == 200


def _have_at_most(node: VirtualNode, memory_bytes: float) -> None:
    node.app.degradation.gauge._memory_bytes_max = int(memory_bytes)


@pytest.mark.real_time
@pytest.mark.slow
def test_p4_a_process_that_stood_still_says_so(daemon: Daemon) -> None:
    """It is not ready for a while, its lag is in the documents, and then all is well again."""
    with httpx.Client(base_url=daemon.url, timeout=HANGS_S) as client:
        assert _is_ready(client)
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)  # the fault itself
        daemon.process.send_signal(signal.SIGCONT)
        assert not _is_ready(client)
        alive = client.get("/livez").json()
        assert alive["loop_lag_ms"] >= 1000.0 * LAG_S_MAX
        system = daemon.admin("/admin/health?detailed=true")["system"]
        assert system["loop_lag_worst_ms"] >= 1000.0 * LAG_S_MAX
        _wait(lambda: _is_ready(client))
        _wait(lambda: client.get("/livez").json()["status"] == "alive")


@pytest.mark.parametrize("blocked_s", [1.0, 5.0, 20.0])
async def test_p4_a_loop_that_was_blocked(
    tmp_path: Path, autojump_clock: MockClock, blocked_s: float
) -> None:
    """The lag is measured; from two seconds on it is a reason not to be ready, for some seconds."""
    async with running_node(tmp_path, WORKER) as node:
        probes = node.app.doors.probes
        await trio.sleep(10.0)
        autojump_clock.jump(blocked_s)
        if blocked_s >= LAG_S_MAX:
            assert probes.livez()[0] == 503
        await trio.testing.wait_all_tasks_blocked()
        status, alive = probes.livez()
        assert (status, alive["status"]) == (200, "alive")
        assert alive["loop_lag_ms"] >= 1000.0 * (blocked_s - 0.5)
        assert probes.readyz()[0] == (503 if blocked_s - 0.5 >= LAG_S_MAX else 200)
        await trio.sleep(6.0)
        assert probes.readyz()[0] == 200
        assert probes.livez()[1]["loop_lag_ms"] == 0.0


async def test_p5_a_starved_node_sheds_and_does_not_collapse(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Every turn of the loop comes late: a part is served, until there is time again."""
    starved = True

    async def starve() -> None:
        while starved:
            await trio.sleep(0.1)
            autojump_clock.jump(2.5)

    async with running_node(tmp_path, WORKER) as node, trio.open_nursery() as nursery:
        nursery.start_soon(starve)
        await trio.sleep(60.0)
        assert _level(node) == "critical"
        assert 0.1 < await _served(node) < 0.6
        starved = False
        await trio.sleep(60.0)
        assert _level(node) == "healthy"
        assert await _served(node) == 1.0


@attrs.define
class _WallClock:
    """The time of day, which somebody sets."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "set_to",
    [1_800_003_600.0, 1_799_996_400.0, 0.0, 2_147_483_648.0, 1_800_000_001.0],
    ids=["an hour later", "an hour earlier", "1970", "2038", "a leap second"],
)
async def test_p11_whoever_sets_the_clock_changes_no_interval(
    tmp_path: Path, autojump_clock: MockClock, set_to: float
) -> None:
    """Answers are kept as long as before, levels climbed as fast; documents say the new time."""
    wall = _WallClock()
    async with running_node(tmp_path, WORKER, wall_clock=wall) as node:
        ttl_s = node.app.config.cache.ttl_seconds
        assert await _cache_use(node) is CacheUse.MISS
        _press(node, 0.96)
        await trio.sleep(2.0)
        assert _level(node) == "critical"
        _press(node, 0.0)
        await trio.sleep(1.0)
        wall.now = set_to
        _, health = node.app.doors.probes.health()
        assert health["timestamp"][:4] in {"2027", "1970", "2038"}
        assert health["uptime_seconds"] >= 0.0
        json.dumps(admin_parts(node.app).degradation.document())
        await trio.sleep(3 * CLIMB_S + 2.0)
        assert _level(node) == "healthy"
        await trio.sleep(0.8 * ttl_s)
        assert await _cache_use(node) is CacheUse.HIT
        await trio.sleep(0.4 * ttl_s)
        assert await _cache_use(node) is CacheUse.MISS
        assert node.app.doors.probes.readyz()[0] == 200


def _press(node: VirtualNode, share: float) -> None:
    used: Any = node.app.degradation.gauge.resources().memory_bytes
    _have_at_most(node, used / share if share else used * 100)


async def _cache_use(node: VirtualNode) -> CacheUse:
    exchange = node.exchange(Listener(), "always the same")
    await node.app.doors.service(exchange)
    return exchange.cache
