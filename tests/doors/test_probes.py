"""Alive, started, ready, healthy: what each answer depends on, and what it does not."""

from typing import Any

import attrs
import pytest
import trio

from cortexd.actors.published import Published
from cortexd.actors.roster import registered
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.ids import Tenant, WorkerName
from cortexd.domain.worker import WorkerHealth, WorkerSettings, WorkerStatus, WorkerType
from cortexd.http.probes import DEAD_LETTERS_MAX, NodeProbes
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.pressure import Pressure
from cortexd.providers.scripted.worker import ScriptedWorker
from tests.parts import TERMS

AVAILABLE, UNAVAILABLE, UNKNOWN = (
    WorkerStatus.AVAILABLE,
    WorkerStatus.UNAVAILABLE,
    WorkerStatus.UNKNOWN,
)


def _member(number: int, status: WorkerStatus) -> PoolMember:
    settings = WorkerSettings(
        name=WorkerName(f"w{number}"), type=WorkerType.SCRIPTED, priority=1, max_concurrency=1
    )
    worker = registered(settings, ScriptedWorker(settings, lambda: "id"), TERMS)
    reason = "refused" if status is UNAVAILABLE else None
    return PoolMember(worker, WorkerHealth(status=status, reason=reason))


def _probes(*statuses: WorkerStatus, **about: Any) -> NodeProbes:
    members = tuple(_member(number, status) for number, status in enumerate(statuses))
    parts: dict[str, Any] = {
        "view": Published(PoolView(members, PoolStrategy.LOCAL_FIRST)),
        "uptime_s": lambda: 12.5,
        "is_draining": lambda: False,
        "wall_clock": lambda: 0.0,
    }
    return NodeProbes(**(parts | about))


@pytest.mark.parametrize(
    ("still_s", "status", "word"), [(0.4, 200, "alive"), (1.9, 200, "alive"), (2.0, 503, "stalled")]
)
async def test_livez_looks_at_the_loop_alone(still_s: float, status: int, word: str) -> None:
    """Without workers, draining, or whatever else."""
    told = _probes(loop_still_s=lambda: still_s, is_draining=lambda: True).livez()
    assert (told[0], told[1]["status"]) == (status, word)


@pytest.mark.parametrize(
    ("statuses", "status", "word"),
    [
        ((AVAILABLE, UNAVAILABLE), 200, "healthy"),
        ((AVAILABLE, UNAVAILABLE, UNAVAILABLE), 200, "degraded"),
        ((UNAVAILABLE, UNKNOWN), 503, "critical"),
        ((), 503, "no_workers"),
    ],
)
async def test_readyz_wants_a_worker(
    statuses: tuple[WorkerStatus, ...], status: int, word: str
) -> None:
    """One that is known to be well."""
    assert _probes(*statuses).readyz() == (status, {"status": word})


async def test_readyz_wants_room() -> None:
    """Of everything that the node may run out of; draining comes first."""
    full = Pressure(descriptors=0.96)
    status, told = _probes(AVAILABLE, pressure=lambda: full, pressure_max=0.95).readyz()
    assert (status, told["status"]) == (503, "overloaded")
    assert told["reason"] == "the node uses 96% of the files it may open"
    draining = _probes(AVAILABLE, pressure=lambda: full, is_draining=lambda: True)
    assert draining.readyz() == (503, {"status": "draining"})


async def test_startupz_is_about_the_start() -> None:
    """Once each worker has been checked it stays well, whoever joins later."""
    probes = _probes(AVAILABLE, UNKNOWN)
    assert probes.startupz() == (503, {"status": "starting"})
    view = probes.view.value
    probes.view.publish(
        attrs.evolve(view, members=(_member(1, AVAILABLE), _member(2, UNAVAILABLE)))
    )
    assert probes.startupz() == (200, {"status": "started"})
    probes.view.publish(attrs.evolve(view, members=(_member(3, UNKNOWN),)))
    assert probes.startupz() == (200, {"status": "started"})


@pytest.mark.parametrize(
    ("about", "word"),
    [
        ({"dead_letters": lambda: DEAD_LETTERS_MAX}, "healthy"),
        ({"dead_letters": lambda: DEAD_LETTERS_MAX + 1}, "warning"),
        ({"has_warnings": lambda: True}, "warning"),
    ],
)
async def test_what_asks_for_a_person_is_a_warning(about: Any, word: str) -> None:
    """More than a hundred dead letters, or an alert that nobody has acknowledged."""
    status, told = _probes(AVAILABLE, **about).health()
    assert (status, told["status"]) == (200, word)


async def test_a_worker_without_a_free_slot_is_busy_and_one_that_keeps_failing_is_out() -> None:
    """Passive results count: what becomes of requests is as good as a health check."""
    probes = _probes(AVAILABLE, AVAILABLE, UNAVAILABLE, UNKNOWN)
    first, second = (member.worker for member in probes.view.value.members[:2])
    now = trio.current_time()
    for _ in range(5):
        second.breaker.failed(second.breaker.begin(now), now, "500")
    async with first.slots.lease(Tenant("t")):
        status, told = probes.health()
    assert (status, told["status"]) == (200, "degraded")
    assert told["workers"] == {
        "w0": "busy",
        "w1": "unavailable",
        "w2": "unavailable",
        "w3": "unknown",
    }
    assert told["reasons"] == {"w1": "breaker open", "w2": "refused"}
