"""The shared workers: the same from a real Redis and from the one in memory that tests use."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from cortexd.cluster.keys import key
from cortexd.cluster.membership import RedisMembership
from cortexd.cluster.redis_link import RedisLink
from cortexd.cluster.shared_workers import TABLE_BYTES_MAX, RedisSharedWorkers
from cortexd.cluster_ports import SharedWorkerStore
from cortexd.config.server_url import parse_server_url
from cortexd.domain.cluster import NodeName, NodeReport, SharedWorkerRefused
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Event, SharedValueRejected
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import SharedWorker
from tests.fakes.shared_worker_store import FakeSharedWorkers
from tests.servers.redis import RedisServer

HANGS_S = 20.0

pytestmark = pytest.mark.real_time

TABLE = {"name": "gpu", "type": "ollama", "base_url": "http://10.0.0.9:11434", "models": ["a", "b"]}


@attrs.define(eq=False)
class Shared:
    """A store, and the fencing token of a node that may change it."""

    store: SharedWorkerStore
    token: int
    server: RedisServer
    events: list[Event]
    cluster: str

    async def share(self, name: str, **fields: object) -> int | None:
        """A change by the node `a`."""
        change = SharedWorker(name=WorkerName(name), by=NodeName("a"), **fields)  # type: ignore[arg-type]
        return await self.store.share(change, token=self.token, known_version=0)


@asynccontextmanager
async def _shared(server: RedisServer, cluster: str, *, is_real: bool) -> AsyncIterator[Shared]:
    events: list[Event] = []
    if not is_real:
        yield Shared(FakeSharedWorkers(), 1, server, events, cluster)
        return
    chance = random.Random(1)  # noqa: S311  a seed, no secret
    url, node = parse_server_url(server.url), NodeName("a")
    link = RedisLink(url, client_name=cluster, chance=chance, emit=lambda _: None)
    member = RedisMembership(
        link, cluster=cluster, node=node, instance="1", held_s=60.0, emit=events.append
    )
    store = RedisSharedWorkers(link, cluster=cluster, node=node, emit=events.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        with trio.fail_after(HANGS_S):
            while not link.is_up:  # noqa: ASYNC110  the hot path asks it, too
                await trio.sleep(0.01)
        sighting = await member.beat(NodeReport(), token=0, known_token=0)
        yield Shared(store, sighting.token, server, events, cluster)
        nursery.cancel_scope.cancel()


@pytest.fixture(params=["redis", "memory"])
def is_real(request: pytest.FixtureRequest) -> bool:
    """Which of the two it is."""
    return bool(request.param == "redis")


async def test_what_is_shared_is_what_is_read(redis: RedisServer, *, is_real: bool) -> None:
    """The latest change of each, with a version of its own."""
    async with _shared(redis, f"shared-{is_real}", is_real=is_real) as shared:
        before = await shared.store.version()
        assert await shared.share("gpu", table=TABLE) == 1
        assert await shared.share("cpu", is_active=False) == 2
        staff = await shared.store.read()
        assert (staff.epoch, staff.version) == await shared.store.version() != before
        gpu, cpu = staff.workers[WorkerName("gpu")], staff.workers[WorkerName("cpu")]
        assert (gpu.version, gpu.by, gpu.table, gpu.is_active) == (1, "a", TABLE, True)
        assert (cpu.version, cpu.table, cpu.is_active, cpu.is_removed) == (2, None, False, False)
        assert 0 < gpu.at <= cpu.at


async def test_a_change_without_a_table_leaves_it(redis: RedisServer, *, is_real: bool) -> None:
    """And a removal takes it away."""
    async with _shared(redis, f"tables-{is_real}", is_real=is_real) as shared:
        await shared.share("gpu", table=TABLE)
        await shared.share("gpu", is_active=False)
        (gpu,) = (await shared.store.read()).workers.values()
        assert (gpu.table, gpu.is_active, gpu.version) == (TABLE, False, 2)
        await shared.share("gpu", is_removed=True)
        (gpu,) = (await shared.store.read()).workers.values()
        assert (gpu.table, gpu.is_removed, gpu.version) == (None, True, 3)


async def test_the_later_change_wins(redis: RedisServer, *, is_real: bool) -> None:
    """Even where the earlier one gets there last."""
    async with _shared(redis, f"late-{is_real}", is_real=is_real) as shared:
        await shared.share("gpu", is_active=False)
        (gpu,) = (await shared.store.read()).workers.values()
        assert await shared.share("gpu", is_active=True, at=gpu.at - 1.0) is None
        assert not (await shared.store.read()).workers[WorkerName("gpu")].is_active
        assert await shared.share("gpu", is_active=True, at=gpu.at) == 2


async def test_no_change_was_made_in_the_future(redis: RedisServer, *, is_real: bool) -> None:
    """By the clock of an earlier Redis it may seem so: it counts from now, and yields to others."""
    async with _shared(redis, f"future-{is_real}", is_real=is_real) as shared:
        await shared.share("old", is_active=False)
        now = (await shared.store.read()).workers[WorkerName("old")].at
        await shared.share("gpu", is_active=False, at=now + 3600.0)
        assert (await shared.store.read()).workers[WorkerName("gpu")].at < now + 60.0
        assert await shared.share("gpu", is_active=True) == 3


async def test_it_is_reminded_of_what_it_has_forgotten(
    redis: RedisServer, *, is_real: bool
) -> None:
    """What it has in a later version stays; versions go on where they were."""
    async with _shared(redis, f"remind-{is_real}", is_real=is_real) as shared:
        for name in ("x", "y", "y"):
            await shared.share(name, is_active=False)
        old = SharedWorker(name=WorkerName("y"), version=1, at=1.0, by=NodeName("b"))
        known = SharedWorker(
            name=WorkerName("z"), version=9, at=2.5, by=NodeName("b"), table=TABLE, is_active=False
        )
        await shared.store.remind([old, known], token=shared.token)
        staff = await shared.store.read()
        assert staff.workers[WorkerName("z")] == known
        assert staff.workers[WorkerName("y")].version == 3
        assert await shared.share("x") == 10


async def test_who_is_no_member_changes_nothing(redis: RedisServer, *, is_real: bool) -> None:
    """By its fencing token: another node may have gone on without it."""
    async with _shared(redis, f"fence-{is_real}", is_real=is_real) as shared:
        shared.token = 0
        with pytest.raises(SharedStoreFailed):
            await shared.share("x")
        with pytest.raises(SharedStoreFailed):
            await shared.store.remind([], token=0)
        assert not (await shared.store.read()).workers


async def test_nonsense_is_told_once(redis: RedisServer) -> None:
    """And the others are read all the same; the next change makes it good."""
    async with _shared(redis, "odd", is_real=True) as shared:
        await shared.share("good", is_active=False)
        where = key("odd", "workers")
        for name, line in {
            "no-line": "x",
            "no-number": "a 1 present {}",
            "no-state": '1 1 here {"by":"a","is_active":true}',
            "no-json": "1 1 present {",
            "wrong-type": '1 1 present {"by":1,"is_active":true}',
            "huge-number": f'{2**60} 1 present {{"by":"a","is_active":true}}',
            "too-long": '1 1 present {"by":"' + "x" * 70_000 + '","is_active":true}',
        }.items():
            shared.server.command("hset", where, name, line)
        for name, table in {"good": "[1]", "deep": '{"a":' + "[" * 60_000}.items():
            shared.server.command("hset", where, name, '1 1 present {"by":"a","is_active":true}')
            shared.server.command("hset", key("odd", "tables"), name, table)
        for _ in range(3):
            assert set((await shared.store.read()).workers) == set()
        told = [event.what for event in shared.events if isinstance(event, SharedValueRejected)]
        assert len(told) == len(set(told)) == 9
        await shared.share("good", table=TABLE)
        assert set((await shared.store.read()).workers) == {"good"}
        shared.server.command("hset", key("odd", "state"), "version", "nonsense")
        assert (await shared.store.version())[1] == 0
        await shared.share("good", is_active=True)
        assert (await shared.store.version())[1] == 1


async def test_a_table_has_an_end(redis: RedisServer) -> None:
    """One that is longer stays on its node."""
    async with _shared(redis, "big", is_real=True) as shared:
        with pytest.raises(SharedWorkerRefused, match="its table has more than"):
            await shared.share("x", table={"name": "x" * TABLE_BYTES_MAX})
