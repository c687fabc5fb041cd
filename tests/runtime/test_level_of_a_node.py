"""Workers of a whole node die and come back, on the virtual clock: the level goes along."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from cortexd.domain.errors import RequestShed, WorkerFailed
from cortexd.domain.events import DegradationChanged
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import Tenant, WorkerName
from cortexd.policy.degradation_state import CLIMB_S
from tests.faults.virtual_node import VirtualNode, running_node

WORKERS: Final = "".join(
    f"""
[[workers]]
name = "w{number}"
type = "scripted"
script = [{{ say = "all is well" }}]
"""
    for number in range(4)
)

CONFIG: Final = (
    """
[health]
interval_seconds = 2.0
timeout_seconds = 1.0
unhealthy_after = 1
healthy_after = 1
"""
    + WORKERS
)

DETECTED_S: Final = 3.0
"""After so long the health monitor has noticed what has become of a worker."""


def _fall_ill(node: VirtualNode, *numbers: int) -> Callable[[], None]:
    """Have these workers fail their health checks until the function is called."""
    providers: list[Any] = [node.app.pool.roster.value[number].provider for number in numbers]

    async def fail() -> tuple[str, ...]:
        await trio.lowlevel.checkpoint()
        raise WorkerFailed(WorkerName("w"), FailureKind.UNREACHABLE, "connection refused")

    def recover() -> None:
        for provider in providers:
            del provider.health_check

    for provider in providers:
        provider.health_check = fail
    return recover


def _level(node: VirtualNode) -> str:
    return node.app.degradation.state.value.level.value


def _climbs(node: VirtualNode) -> list[str]:
    return [event.after for event in node.events if isinstance(event, DegradationChanged)]


@pytest.mark.parametrize(
    ("ill", "level"),
    [((), "healthy"), ((0,), "minor_issues"), ((0, 1, 2), "major_issues")],
)
async def test_the_level_goes_down_with_the_workers(
    tmp_path: Path, autojump_clock: MockClock, ill: tuple[int, ...], level: str
) -> None:
    """As far as the share of those that are left says."""
    async with running_node(tmp_path, CONFIG) as node:
        _fall_ill(node, *ill)
        await trio.sleep(DETECTED_S)
        assert _level(node) == level
        assert node.app.doors.probes.health()[1]["degradation_level"] == level


async def test_without_workers_it_is_an_emergency_and_then_climbs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Kept answers are all there is; then a level for each five seconds of health."""
    async with running_node(tmp_path, CONFIG) as node:
        assert (await node.ask("known")).is_whole
        recover = _fall_ill(node, 0, 1, 2, 3)
        await trio.sleep(DETECTED_S)
        assert _level(node) == "emergency"
        status, ready = node.app.doors.probes.readyz()
        assert (status, ready["status"]) == (503, "critical")
        assert (await node.ask("known")).is_whole
        assert isinstance((await node.ask("unknown")).error, RequestShed)
        began_at = len(_climbs(node))
        recover()
        await trio.sleep(5.0)  # the monitor asks those that are out each five seconds
        await trio.sleep(4 * (CLIMB_S + 0.5))
        assert _level(node) == "healthy"
        assert _climbs(node)[began_at:] == ["critical", "major_issues", "minor_issues", "healthy"]
        assert (await node.ask("unknown")).is_whole
        assert node.app.doors.probes.readyz()[0] == 200


async def test_workers_that_only_fail_requests_are_missed_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Open circuit breakers count, down to critical; where all are at rest, nobody is shed."""
    async with running_node(tmp_path, CONFIG) as node:
        breakers = [worker.breaker for worker in node.app.pool.roster.value]
        now = trio.current_time()
        for breaker in breakers:
            for _ in range(5):
                breaker.failed(breaker.begin(now), now, "500")
        await trio.sleep(1.5)
        assert _level(node) == "critical"
        assert not node.app.degradation.state.value.sheds
        _, health = node.app.doors.probes.health()
        assert (health["status"], set(health["workers"].values())) == ("critical", {"unavailable"})
        assert set(health["reasons"].values()) == {"breaker open"}
        told = [await node.ask(f"q{number}", tenant=Tenant(f"t{number}")) for number in range(20)]
        assert not any(isinstance(each.error, RequestShed) for each in told)
        # One in ten goes through to find out, and that closes the breakers again.
        assert any(each.is_whole for each in told)


async def test_a_node_that_starts_is_in_no_emergency(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nobody has been checked yet, so nobody is turned away."""
    async with running_node(tmp_path, CONFIG) as node:
        assert _climbs(node) == []
        assert node.app.doors.probes.startupz()[0] == 200
