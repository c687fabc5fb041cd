"""Two nodes with workers in common, over a store in memory: what is done on one is so on both."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, Roster, UnfitWorker, registered
from cortexd.actors.shared_workers import (
    POLL_S,
    SHARED_WORKERS,
    SharedMemory,
    SharedWorkers,
    SharingParts,
)
from cortexd.actors.worker_pool import WORKER_POOL, HealthBoard, WorkerPool, pool_view
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.domain.cluster import ClusterState, ClusterView, Member, NodeName, Sighting
from cortexd.domain.events import Event, SharedWorkerSkipped
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import SharedWorker
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.membership import LeaseTerms, Standing, alone_view, member_view
from supervisor_tree import ActorRef, ChildSpec, Name, Supervisor, open_tree, whereis
from tests.actors.conftest import Patient
from tests.fakes.shared_worker_store import FakeSharedWorkers
from tests.parts import TERMS

SEEN_S = 2 * POLL_S
"""Within this time it is so everywhere: a second."""

TABLE = {"name": "gpu", "type": "ollama"}


def _hired(table: Mapping[str, Any]) -> RegisteredWorker:
    if "wrong" in table:
        raise UnfitWorker((f"unknown key: {table['wrong']}",))
    name = WorkerName(table["name"])
    settings = WorkerSettings(
        name=name, type=WorkerType.SCRIPTED, priority=10, models=tuple(table.get("models", ()))
    )
    return registered(settings, Patient(name), TERMS)


@attrs.define(eq=False)
class Node:
    """The part of a node that has to do with its workers."""

    name: str
    store: FakeSharedWorkers
    roster: Roster
    cluster: Published[ClusterView]
    events: list[Event] = attrs.Factory(list)
    memory: Published[SharedMemory] = attrs.Factory(lambda: Published(SharedMemory()))
    checked: list[str] = attrs.Factory(list)
    actors: dict[Name[Any], ActorRef[Any]] = attrs.Factory(dict)

    @property
    def workers(self) -> dict[str, bool]:
        """Who there is, and whether active."""
        return {worker.name: worker.is_active for worker in self.roster.value}

    def models(self, worker: str) -> tuple[str, ...]:
        """What a worker has been taken on with."""
        (found,) = [each for each in self.roster.value if each.name == worker]
        return found.settings.models

    async def add(self, **table: object) -> None:
        """What an operator does here."""
        worker = _hired(table)
        await self._ask(WORKER_REGISTRY, WorkerRegistry.register, worker)
        await self._note(SharedWorker(name=worker.name, table=table))

    async def remove(self, name: str) -> None:
        """Take one out."""
        await self._ask(WORKER_REGISTRY, WorkerRegistry.unregister, WorkerName(name))
        await self._note(SharedWorker(name=WorkerName(name), is_removed=True))

    async def switch(self, name: str, *, is_active: bool) -> None:
        """Put one in rotation, or out of it."""
        order = WorkerRegistry.activate if is_active else WorkerRegistry.deactivate
        await self._ask(WORKER_REGISTRY, order, WorkerName(name))
        await self._note(SharedWorker(name=WorkerName(name), is_active=is_active))

    def cut_off(self) -> None:
        """Be no member any more."""
        self.cluster.publish(alone_view(self.cluster.value, "it is cut off"))

    def come_back(self) -> None:
        """Be one, or be one again."""
        now, at = trio.current_time(), self.store.time
        member = Member(name=NodeName(self.name), token=1, joined_at=at)
        sighting = Sighting(token=1, at=at, born_at=0.0, members=(member,))
        terms = LeaseTerms(node=member.name, lease_s=10.0, beat_s=3.0)
        self.cluster.publish(member_view(Standing(sent_at=now, sighting=sighting), terms, now))

    async def _note(self, change: SharedWorker) -> None:
        change = attrs.evolve(change, by=NodeName(self.name))
        await self._ask(SHARED_WORKERS, SharedWorkers.note, change)

    async def _ask(self, name: Name[Any], order: Any, *arguments: Any) -> None:
        await self.actors[name].call(order, *arguments)


@asynccontextmanager
async def _node(name: str, store: FakeSharedWorkers, *configured: str) -> AsyncIterator[Node]:
    roster: Roster = Published(tuple(_hired({"name": each}) for each in configured))
    view = ClusterView(state=ClusterState.ALONE, node=NodeName(name))
    node = Node(name, store, roster, Published(view))
    node.come_back()
    board: HealthBoard = Published({})
    strategy = PoolStrategy.LOCAL_FIRST
    pool = Published(pool_view(roster, board, strategy))
    parts = SharingParts(
        store=store,
        memory=node.memory,
        cluster=node.cluster,
        roster=roster,
        recruit=_hired,
        check_soon=node.checked.append,
        emit=node.events.append,
    )
    tree = Supervisor(
        ChildSpec(
            "registry",
            partial(WorkerRegistry, roster, Published(()), node.events.append),
            name=WORKER_REGISTRY,
        ),
        ChildSpec("pool", partial(WorkerPool, roster, board, pool, strategy), name=WORKER_POOL),
        ChildSpec("shared", partial(SharedWorkers, parts), name=SHARED_WORKERS),
    )
    async with open_tree(tree):
        node.actors = {each: whereis(each) for each in (WORKER_REGISTRY, SHARED_WORKERS)}
        yield node


@pytest.fixture
def store() -> FakeSharedWorkers:
    """Nothing in it yet."""
    return FakeSharedWorkers()


async def test_what_is_done_on_one_is_so_on_all(store: FakeSharedWorkers) -> None:
    """Within a second: added, deactivated, activated, removed."""
    async with _node("a", store, "old") as a, _node("b", store, "old") as b:
        await a.add(name="gpu", models=["x"])
        await b.switch("old", is_active=False)
        await trio.sleep(SEEN_S)
        assert a.workers == b.workers == {"old": False, "gpu": True}
        assert (b.models("gpu"), b.checked, a.checked) == (("x",), ["gpu"], [])
        await b.switch("gpu", is_active=False)
        await a.switch("old", is_active=True)
        await trio.sleep(SEEN_S)
        assert a.workers == b.workers == {"old": True, "gpu": False}
        await b.remove("gpu")
        await a.remove("old")
        await trio.sleep(SEEN_S)
        assert a.workers == b.workers == {}


async def test_a_node_that_comes_later_catches_up(store: FakeSharedWorkers) -> None:
    """Also one that was restarted: what was added, and what was switched off."""
    async with _node("a", store, "old", "gone") as a:
        await a.add(name="gpu", models=["x"])
        await a.switch("gpu", is_active=False)
        await a.switch("old", is_active=False)
        await a.remove("gone")
        await trio.sleep(SEEN_S)
        async with _node("b", store, "old", "gone") as b:
            await trio.sleep(SEEN_S)
            assert b.workers == a.workers == {"old": False, "gpu": False}


async def test_nothing_is_read_when_nothing_has_changed(store: FakeSharedWorkers) -> None:
    """A look at the version is all."""
    async with _node("a", store) as a:
        await a.add(name="gpu")
        await trio.sleep(SEEN_S)
        reads = store.reads
        await trio.sleep(60.0)
        assert store.reads == reads


@pytest.mark.parametrize("how", ["down", "alone"])
async def test_a_change_without_redis_is_so_here_and_later_everywhere(
    store: FakeSharedWorkers, how: str
) -> None:
    """The last of several is the one that counts."""
    async with _node("a", store, "old") as a, _node("b", store, "old") as b:
        await trio.sleep(SEEN_S)
        store.is_down = how == "down"
        if how == "alone":
            a.cut_off()
        await a.add(name="gpu")
        await a.switch("gpu", is_active=False)
        await a.switch("old", is_active=False)
        await a.switch("old", is_active=True)
        await trio.sleep(10.0)
        assert (a.workers, b.workers) == ({"old": True, "gpu": False}, {"old": True})
        assert set(a.memory.value.pending) == {"gpu", "old"}
        store.is_down = False
        a.come_back()
        await trio.sleep(2 * SEEN_S)
        assert b.workers == {"old": True, "gpu": False}
        assert not a.memory.value.pending


async def test_of_two_changes_the_later_one_wins(store: FakeSharedWorkers) -> None:
    """By when they were made, not by when they got there; also where both have added a worker."""
    async with _node("a", store, "old") as a, _node("b", store, "old") as b:
        await trio.sleep(SEEN_S)
        a.cut_off()
        await a.switch("old", is_active=False)
        await a.add(name="gpu", models=["early"])
        await trio.sleep(5.0)
        await b.switch("old", is_active=False)
        await b.switch("old", is_active=True)
        await b.add(name="gpu", models=["late"])
        await trio.sleep(5.0)
        a.come_back()
        await trio.sleep(2 * SEEN_S)
        assert a.workers == b.workers == {"old": True, "gpu": True}
        assert a.models("gpu") == b.models("gpu") == ("late",)


async def test_a_redis_that_has_forgotten_is_reminded(store: FakeSharedWorkers) -> None:
    """No worker goes because of it, and what has changed meanwhile is kept."""
    async with _node("a", store, "old") as a, _node("b", store, "old") as b:
        await a.add(name="gpu")
        await b.switch("old", is_active=False)
        await trio.sleep(SEEN_S)
        version = store.last
        store.forget()
        await trio.sleep(2 * SEEN_S)
        assert a.workers == b.workers == {"old": False, "gpu": True}
        assert (set(store.workers), store.last) == ({"old", "gpu"}, version)
        await a.remove("gpu")
        await trio.sleep(SEEN_S)
        assert b.workers == {"old": False}


async def test_what_cannot_be_used_here_is_skipped_and_told_once(store: FakeSharedWorkers) -> None:
    """The others go on; a better table is taken."""
    async with _node("a", store) as a, _node("b", store) as b:
        table = {"name": "odd", "wrong": "kind"}
        odd = SharedWorker(name=WorkerName("odd"), table=table, by=NodeName("c"))
        await store.share(odd, token=1, known_version=0)
        await a.add(name="gpu")
        await trio.sleep(60.0)
        skipped = SharedWorkerSkipped(worker=WorkerName("odd"), reason="unknown key: kind")
        assert [each for each in b.events if isinstance(each, SharedWorkerSkipped)] == [skipped]
        assert (b.workers, b.memory.value.unshared) == (
            {"gpu": True},
            {"odd": "unknown key: kind"},
        )
        await a.add(name="odd")
        await trio.sleep(SEEN_S)
        assert (b.workers, b.memory.value.unshared) == ({"gpu": True, "odd": True}, {})


async def test_secrets_do_not_travel(store: FakeSharedWorkers) -> None:
    """A worker whose table has one in it stays here, whatever is done to it."""
    async with _node("a", store) as a, _node("b", store) as b:
        await a.add(name="cloud", api_keys=["sk-secret"])
        await a.switch("cloud", is_active=False)
        await a.add(name="other", api_keys=["env:KEY"])
        await trio.sleep(SEEN_S)
        assert (a.workers, b.workers) == ({"cloud": False, "other": True}, {"other": True})
        assert "secrets do not travel" in a.memory.value.unshared[WorkerName("cloud")]
        await a.remove("cloud")
        await trio.sleep(SEEN_S)
        assert not a.memory.value.unshared
        assert "sk-secret" not in repr((store.workers, a.memory.value, a.events))


async def test_what_there_is_no_room_for_stays_here(store: FakeSharedWorkers) -> None:
    """And is not tried again and again."""
    store.workers_max = 1
    async with _node("a", store) as a, _node("b", store) as b:
        await a.add(name="x")
        await a.add(name="y")
        await trio.sleep(SEEN_S)
        assert (b.workers, a.memory.value.unshared, a.memory.value.pending) == (
            {"x": True},
            {"y": "there is no room"},
            {},
        )


async def test_the_keeper_may_die(store: FakeSharedWorkers) -> None:
    """What it knew, and what waits, is not lost with it."""
    async with _node("a", store) as a, _node("b", store) as b:
        await b.add(name="x")
        await trio.sleep(SEEN_S)
        store.is_down = True
        await a.add(name="y")
        a.actors[SHARED_WORKERS].kill()
        store.is_down = False
        await trio.sleep(2 * SEEN_S)
        assert a.workers == b.workers == {"x": True, "y": True}
