"""The lease arithmetic on a clock of the test's own, with a store that loses and delays things."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio

from cortexd.actors.cluster_membership import ClusterMembership, MembershipParts
from cortexd.actors.published import Published
from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    NodeName,
    NodeReport,
    Verdict,
    WorkerKey,
    WorkerReport,
)
from cortexd.domain.events import ClusterStateChanged, Event, NodeJoined, NodeLeft
from cortexd.domain.ids import WorkerName
from cortexd.policy.membership import LeaseTerms, rank
from supervisor_tree import ChildSpec, Supervisor, open_tree
from tests.fakes.cluster_store import FakeClusterStore

LEASE_S, BEAT_S = 10.0, 3.0
"""What a node has if nothing is set."""

SLACK_S = 0.1


@attrs.define(eq=False)
class Node:
    """A node as far as it is a member of something."""

    name: NodeName
    view: Published[ClusterView]
    workers: list[WorkerReport]
    events: list[Event] = attrs.Factory(list)
    looked_at: list[str] = attrs.Factory(list)
    stopping: trio.Event = attrs.Factory(trio.Event)

    @property
    def state(self) -> ClusterState:
        """How it stands to its cluster."""
        return self.view.value.state

    @property
    def seen(self) -> list[str]:
        """The members it knows of."""
        return [member.name for member in self.view.value.members]

    def spec(self, store: FakeClusterStore, instance: str = "1") -> ChildSpec:
        """Its membership, to be run."""
        parts = MembershipParts(
            store=store.end(self.name, instance),
            terms=LeaseTerms(node=self.name, lease_s=LEASE_S, beat_s=BEAT_S),
            view=self.view,
            report=lambda: NodeReport(workers=tuple(self.workers)),
            look_at=self.looked_at.append,
            stopping=self.stopping,
            emit=self.events.append,
        )
        return ChildSpec(f"{self.name}-{instance}", partial(ClusterMembership, parts))


def _worker(name: str, **fields: object) -> WorkerReport:
    known: dict[str, object] = {"is_active": True, "state": "available", "breaker": "closed"}
    return WorkerReport(name=WorkerName(name), type="ollama", **(known | fields))  # type: ignore[arg-type]


def _node(name: str, workers: str = "abcdefgh") -> Node:
    view = Published(ClusterView(state=ClusterState.ALONE, node=NodeName(name), reason="it is new"))
    return Node(NodeName(name), view, [_worker(each) for each in workers])


@asynccontextmanager
async def _running(store: FakeClusterStore, *nodes: Node) -> AsyncIterator[None]:
    async with open_tree(Supervisor(*(node.spec(store) for node in nodes))):
        yield


@pytest.fixture
def store() -> FakeClusterStore:
    """One that works, for leases of ten seconds."""
    return FakeClusterStore(held_s=LEASE_S - BEAT_S)


def _owners(node: Node) -> dict[str, str]:
    return {key[0]: owner for key, owner in node.view.value.owners.items()}


async def test_a_joiner_is_seen_by_all_within_a_beat(store: FakeClusterStore) -> None:
    """And leads nobody who was there before it."""
    first, second = _node("z"), _node("a")
    async with _running(store, first):
        await trio.sleep(LEASE_S + BEAT_S)
        assert first.view.value.is_leader
        async with _running(store, second):
            await trio.sleep(BEAT_S + SLACK_S)
            assert first.seen == second.seen == ["a", "z"]
            assert [second.view.value.leader, first.view.value.leader] == ["z", "z"]
    assert first.events[1] == NodeJoined(node=NodeName("a"), token=2)


async def test_nobody_leads_before_a_lease_has_passed(store: FakeClusterStore) -> None:
    """One who has led before this Redis was there may believe that it still does."""
    node = _node("a")
    async with _running(store, node):
        await trio.sleep(LEASE_S - SLACK_S)
        assert (node.state, node.view.value.leader) == (ClusterState.MEMBER, None)
        await trio.sleep(BEAT_S)
        assert node.view.value.is_leader


async def test_a_death_is_seen_within_the_lease(store: FakeClusterStore) -> None:
    """What it has owned is owned by those who are left, and by no two of them."""
    dying, b, c = _node("a"), _node("b"), _node("c")
    async with _running(store, b, c):
        async with _running(store, dying):
            await trio.sleep(2 * LEASE_S)
            owned = {worker for worker, owner in _owners(b).items() if owner == "a"}
            assert owned
            store.cut_off.add("a")
            died_at = trio.current_time()
        await trio.sleep_until(died_at + LEASE_S)
        assert b.seen == c.seen == ["b", "c"]
        assert _owners(b) == _owners(c)
        assert set(_owners(b)) == set("abcdefgh")
    assert NodeLeft(node=NodeName("a"), reason="lost") in b.events


async def test_who_leaves_is_gone_at_once(store: FakeClusterStore) -> None:
    """Nobody waits for a lease to run out, and nobody takes it for a death."""
    a, b = _node("a"), _node("b")
    async with _running(store, a, b):
        await trio.sleep(2 * LEASE_S)
        a.stopping.set()
        await trio.sleep(BEAT_S + SLACK_S)
        assert (b.seen, a.state, a.view.value.reason) == (
            ["b"],
            ClusterState.ALONE,
            "the node is stopping",
        )
        assert b.view.value.is_leader
    assert NodeLeft(node=NodeName("a"), reason="left") in b.events


async def test_a_node_without_redis_is_alone_before_it_is_missed(store: FakeClusterStore) -> None:
    """Counted from its last good beat; it decides nothing any more, but knows how many we were."""
    a, b = _node("a"), _node("b")
    async with _running(store, a, b):
        await trio.sleep(2 * LEASE_S)
        assert a.view.value.is_leader
        store.cut_off.add("a")
        await trio.sleep(LEASE_S - BEAT_S + SLACK_S)
        view = a.view.value
        assert (view.state, view.leader, view.owners, view.size_seen) == (
            ClusterState.ALONE,
            None,
            {},
            2,
        )
        assert view.reason == "it cannot be reached"
        await trio.sleep(BEAT_S)
        assert b.view.value.is_leader
        store.cut_off.clear()
        await trio.sleep(1.0)
        assert (a.state, a.view.value.is_leader) == (ClusterState.MEMBER, False)
        assert a.view.value.token == 3
    told = [event.state for event in a.events if isinstance(event, ClusterStateChanged)]
    assert told[:3] == [ClusterState.MEMBER, ClusterState.ALONE, ClusterState.MEMBER]


async def test_a_lost_beat_is_sent_again(store: FakeClusterStore) -> None:
    """Within a second, so that one or two cost nothing."""
    a, b = _node("a"), _node("b")
    async with _running(store, a, b):
        await trio.sleep(LEASE_S)
        store.is_down = True
        await trio.sleep(BEAT_S + 1.0)
        store.is_down = False
        await trio.sleep(1.0)
        assert a.seen == b.seen == ["a", "b"]
        assert a.view.value.token + b.view.value.token == 3


async def test_two_nodes_of_one_name(store: FakeClusterStore) -> None:
    """The later one says so, decides nothing, and has the name when the earlier one is gone."""
    first, second = _node("a"), _node("a")
    async with open_tree(Supervisor(second.spec(store, "2"))), _running(store, first):
        await trio.sleep(LEASE_S)
        # Whichever came first.
        early, late = (first, second) if first.state is ClusterState.MEMBER else (second, first)
        assert (late.state, late.view.value.reason) == (
            ClusterState.ALONE,
            "another node is called a",
        )
        early.stopping.set()
        await trio.sleep(1.0)
        assert late.state is ClusterState.MEMBER


async def test_tokens_grow_also_when_redis_has_forgotten_them(store: FakeClusterStore) -> None:
    """Each node reminds it of the greatest it has seen."""
    a, b = _node("a"), _node("b")
    async with _running(store, a, b):
        await trio.sleep(LEASE_S)
        before = max(a.view.value.token, b.view.value.token)
        store.restart()
        await trio.sleep(2 * BEAT_S + SLACK_S)
        assert a.seen == b.seen == ["a", "b"]
        assert min(a.view.value.token, b.view.value.token) > before


async def test_the_node_that_is_named_owns(store: FakeClusterStore) -> None:
    """As long as it is there; else they share it out."""
    a, b = _node("a", "x"), _node("b", "x")
    a.workers = [_worker("x")]
    preferred = "a" if _first_choice() == "b" else "b"
    for node in (a, b):
        node.workers = [_worker("x", is_preferred=node.name == preferred)]
    async with _running(store, a, b):
        await trio.sleep(2 * LEASE_S)
        assert _owners(a) == _owners(b) == {"x": preferred}
        store.cut_off.add(preferred)
        await trio.sleep(LEASE_S)
        other = b if preferred == "a" else a
        assert _owners(other) == {"x": other.name}


def _first_choice() -> str:
    key = (WorkerName("x"), _worker("x").identity)
    return max("ab", key=lambda name: rank(key, NodeName(name), is_preferred=False))


async def test_what_another_finds_wrong_is_looked_at_once(store: FakeClusterStore) -> None:
    """A breaker that has opened there, and a bad verdict of its owner: hints, no verdicts."""
    a, b = _node("a", "xy"), _node("b", "xz")
    async with _running(store, a, b):
        await trio.sleep(2 * LEASE_S)
        a.workers = [_worker("x", breaker="open"), _worker("y", breaker="open")]
        await trio.sleep(3 * BEAT_S)
        assert b.looked_at == ["x"]
        a.workers = [_worker("x"), _worker("y")]
        await trio.sleep(2 * BEAT_S)
        bad = Verdict(is_good=False, age_s=1.0)
        for node in (a, b):
            node.workers = [_worker("x", verdict=bad)]
        await trio.sleep(3 * BEAT_S)
        owner, other = (a, b) if _owners(a)["x"] == "a" else (b, a)
        assert (owner.looked_at.count("x"), other.looked_at[-1]) == (owner is b, "x")


@attrs.define(eq=False)
class Beliefs:
    """All views, looked at whenever one of them changes."""

    views: list[Published[ClusterView]] = attrs.Factory(list)
    led: set[str] = attrs.Factory(set)
    owned: set[tuple[str, WorkerKey]] = attrs.Factory(set)
    wrong: list[str] = attrs.Factory(list)

    def check(self) -> None:
        """Note where two nodes believe the same of themselves."""
        views = [view.value for view in self.views]
        leaders = [view.node for view in views if view.is_leader]
        if len(leaders) > 1:
            self.wrong.append(f"{leaders} lead at {trio.current_time()}")
        self.led.update(leaders)
        for worker in {key for view in views for key in view.owners}:
            owners = [view.node for view in views if view.owns(worker)]
            if len(owners) > 1:
                self.wrong.append(f"{owners} own {worker} at {trio.current_time()}")
            self.owned.update((owner, worker) for owner in owners)


class CheckedView(Published[ClusterView]):
    """A view that has all of them looked at when it changes."""

    __slots__ = ("_beliefs",)

    def __init__(self, value: ClusterView, beliefs: Beliefs) -> None:
        super().__init__(value)
        self._beliefs = beliefs
        beliefs.views.append(self)

    def publish(self, value: ClusterView) -> None:
        """Replace the value, and look."""
        super().publish(value)
        self._beliefs.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_never_two_at_once(seed: int) -> None:
    """Neither leaders nor owners, whatever is lost, late, cut off, restarted or configured."""
    chance = random.Random(seed)  # noqa: S311  a seed, no secret
    store = FakeClusterStore(held_s=LEASE_S - BEAT_S, weather=chance)
    beliefs = Beliefs()
    nodes = [_node(name, "xyz") for name in "abcd"]
    for node in nodes:
        node.view = CheckedView(node.view.value, beliefs)
    async with _running(store, *nodes):
        for _ in range(300):
            await trio.sleep(chance.uniform(0.0, LEASE_S))
            node = chance.choice(nodes)
            match chance.randrange(8):
                case 0 | 1:
                    store.cut_off.add(node.name)
                case 2 | 3:
                    store.cut_off.discard(node.name)
                case 4:
                    store.cut_off.clear()
                case 5 if chance.random() < 0.3:
                    store.restart()
                case 6:
                    names = chance.sample("xyz", chance.randint(0, 3))
                    preferred = chance.random() < 0.3
                    node.workers = [_worker(each, is_preferred=preferred) for each in names]
                case _:
                    store.save()
    assert not beliefs.wrong
    assert len(beliefs.led) > 1
    assert len({owner for owner, _ in beliefs.owned}) > 1
