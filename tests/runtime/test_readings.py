"""What the alerts go by, read from what the parts of a node publish."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, registered
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import FIRST_KEY, KeyIndex, WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerHealth, WorkerSettings, WorkerStatus, WorkerType
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.health import WorkerState
from cortexd.policy.key_health import KeyState
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.load_tally import LoadCounts
from cortexd.policy.ttft_buckets import BUCKETS, bucket_of
from cortexd.providers.scripted.worker import ScriptedWorker
from cortexd.runtime.readings import TROUBLE_CHARACTERS_MAX, NodeReader, ReadingParts
from supervisor_tree import NodeSnapshot
from tests.parts import TERMS

AVAILABLE = WorkerHealth(status=WorkerStatus.AVAILABLE)


def _worker(name: str, keys: int = 0) -> RegisteredWorker:
    settings = WorkerSettings(
        name=WorkerName(name),
        type=WorkerType.SCRIPTED,
        priority=10,
        api_keys=tuple(Secret(str(number)) for number in range(keys)),
    )
    return registered(settings, ScriptedWorker(settings, lambda: "id"), TERMS)


def _child(path: str, restarts: int, *children: NodeSnapshot) -> NodeSnapshot:
    fields: dict[str, Any] = {field.name: None for field in attrs.fields(NodeSnapshot)}
    return NodeSnapshot(**fields | {"path": path, "restarts": restarts, "children": children})


@attrs.define(eq=False)
class Parts:
    """What is published, for a test to change."""

    view: Published[PoolView]
    degradation: Published[DegradationState]
    snapshot: NodeSnapshot | None = None
    load: LoadCounts = attrs.Factory(LoadCounts)
    troubles: Mapping[str, str] = attrs.Factory(dict)
    letters: int = 0
    link_trouble: str | None = None

    def reader(self) -> NodeReader:
        """One that reads them."""
        return NodeReader(
            ReadingParts(
                view=self.view,
                degradation=self.degradation,
                snapshot=lambda: self.snapshot,
                load=lambda: self.load,
                dead_letters=lambda: self.letters,
                memory_bytes=lambda: 4096,
                troubles=lambda: self.troubles,
                link_trouble=lambda _now: self.link_trouble,
                lease_s=10.0,
            )
        )

    def show(self, *members: PoolMember) -> None:
        """Publish these workers."""
        self.view.publish(PoolView(members, PoolStrategy.LOCAL_FIRST))


@pytest.fixture
def parts() -> Parts:
    """A node without anything in it."""
    return Parts(Published(PoolView((), PoolStrategy.LOCAL_FIRST)), Published(DegradationState()))


async def test_what_is_published_is_what_is_read(parts: Parts) -> None:
    """Levels, letters, memory and databases."""
    parts.degradation.publish(DegradationState(level=DegradationLevel.CRITICAL, forced=True))
    parts.letters, parts.troubles = 7, {"keys.db": "full"}
    readings = parts.reader().read()
    assert (readings.level, readings.level_is_forced) == (DegradationLevel.CRITICAL, True)
    assert (readings.dead_letters, readings.memory_bytes) == (7, 4096)
    assert readings.troubles == {"keys.db": "full"}
    assert (readings.workers, readings.restarts) == ((), {})


async def test_workers_are_read_with_their_breakers_and_keys(parts: Parts) -> None:
    """One in need of a person has it told by these."""
    well, troubled = _worker("well"), _worker("troubled", keys=2)
    now = trio.current_time()
    troubled.traffic.keys.rejected(KeyIndex(1), now)
    for _ in range(5):
        troubled.breaker.failed(troubled.breaker.begin(now), now, "connection refused")
    parts.show(PoolMember(well, AVAILABLE), PoolMember(troubled, AVAILABLE))
    one, other = parts.reader().read().workers
    assert (one.name, one.state, one.breaker, one.keys) == (
        "well",
        WorkerState.AVAILABLE,
        BreakerState.CLOSED,
        {},
    )
    assert other.state is WorkerState.UNAVAILABLE
    assert other.breaker is BreakerState.OPEN
    assert other.keys == {FIRST_KEY: KeyState.GOOD, KeyIndex(1): KeyState.REJECTED}


@pytest.mark.parametrize("kind", [FailureKind.UNTRUSTED, FailureKind.UNREACHABLE, None])
async def test_u19_a_worker_with_a_bad_certificate_is_told_apart(
    parts: Parts, kind: FailureKind | None
) -> None:
    """From one that is merely not there."""
    health = WorkerHealth(status=WorkerStatus.UNAVAILABLE, reason="x", failure=kind)
    parts.show(PoolMember(_worker("a"), health))
    (reading,) = parts.reader().read().workers
    assert reading.is_untrusted is (kind is FailureKind.UNTRUSTED)


async def test_restarts_are_those_of_the_last_minute(
    parts: Parts, autojump_clock: trio.testing.MockClock
) -> None:
    """Of each child; what was before the first look does not count."""
    reader = parts.reader()
    parts.snapshot = _child("root", 0, _child("root/a", 5))
    assert reader.read().restarts == {"root": 0, "root/a": 0}
    await trio.sleep(10)
    parts.snapshot = _child("root", 0, _child("root/a", 7), _child("root/new", 1))
    assert reader.read().restarts == {"root": 0, "root/a": 2, "root/new": 1}
    for _ in range(120):
        await trio.sleep(1)
        reader.read()
    assert reader.read().restarts == {"root": 0, "root/a": 0, "root/new": 0}


async def test_traffic_is_that_of_the_last_minute(
    parts: Parts, autojump_clock: trio.testing.MockClock
) -> None:
    """How many, how many failed, and how long the slowest of twenty waited."""
    reader = parts.reader()
    parts.load = LoadCounts(requests=100, judged=100, errors=100)
    reader.read()
    await trio.sleep(5)
    ttft = [0] * BUCKETS
    ttft[bucket_of(1.0)], ttft[bucket_of(40.0)] = 18, 2
    parts.load = LoadCounts(requests=130, judged=120, errors=104, ttft=tuple(ttft))
    traffic = reader.read().traffic
    assert traffic is not None
    assert (traffic.exchanges, traffic.failed) == (20, 4)
    assert traffic.ttft_s_p95 == pytest.approx(40.0, rel=0.05)
    for _ in range(120):
        await trio.sleep(1)
        traffic = reader.read().traffic
    assert traffic is not None
    assert (traffic.exchanges, traffic.failed, traffic.ttft_s_p95) == (0, 0, None)


async def test_r3_trouble_with_the_cluster_counts_when_it_has_lasted_for_a_lease(
    parts: Parts, autojump_clock: trio.testing.MockClock
) -> None:
    """From when the link was last well; what a server says of it is cut, and shows no password."""
    reader = parts.reader()
    assert reader.read().cluster_trouble is None
    parts.link_trouble = "redis://me:secret@host is down " + "x" * 1000
    for _ in range(10):
        await trio.sleep(1.0)
        assert reader.read().cluster_trouble is None
    await trio.sleep(1.0)
    trouble = reader.read().cluster_trouble
    assert trouble is not None
    assert trouble.startswith("redis://***@host is down")
    assert len(trouble) == TROUBLE_CHARACTERS_MAX
    parts.link_trouble = None
    assert reader.read().cluster_trouble is None
    parts.link_trouble = "it is down"
    assert reader.read().cluster_trouble is None
