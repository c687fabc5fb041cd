"""The alerts of a cluster over nodes that die, are cut off and come back, on a clock that jumps."""

import attrs
import pytest
import trio

from cortexd.domain.alert import AlertState, Condition, Rule, Severity
from cortexd.domain.alert_ledger import Untold
from cortexd.domain.cluster import NodeName
from cortexd.policy.membership import alone_view
from tests.actors.alert_cluster import SETTINGS, Hook, Node, cluster_of, settle
from tests.actors.alert_store import Store, Wire, Writes

BROKEN = "breaker_open:x"
A, B, C = (NodeName(name) for name in "abc")


async def test_what_nodes_share_is_told_by_their_leader_once() -> None:
    """However many of them see it; and so is its end."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cluster.breaks("x")
        await settle()
        assert all(node.state(BROKEN) is AlertState.FIRING for node in cluster.nodes.values())
        cluster.breaks()
        await settle()
        assert cluster.whats == [f"fired {BROKEN}", f"resolved {BROKEN}"]
        assert {telling.node for telling in cluster.told} == {leader.name}


async def test_what_one_node_sees_is_told_as_well() -> None:
    """The message says who sees it."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cluster.others(leader.name)[0].breaks("x")
        await settle()
        (telling,) = cluster.told
        assert telling.notice.message.endswith(
            f"(seen only by {cluster.others(leader.name)[0].name})"
        )


async def test_the_same_matter_with_two_nodes_is_two_alerts() -> None:
    """Each by the name of its node."""
    async with cluster_of("a", "b", "c") as cluster:
        for name in (A, B):
            cluster.nodes[name].keeps_letters(51)
        await settle()
        assert sorted(cluster.whats) == ["fired dead_letters:a", "fired dead_letters:b"]
        cluster.nodes[A].keeps_letters(0)
        await settle()
        assert cluster.whats[2:] == ["resolved dead_letters:a"]


async def test_a_leader_that_dies_is_told_of_and_nothing_else_is_told_again() -> None:
    """By the next leader; and when it is back that is told, too."""
    async with cluster_of("a", "b", "c") as cluster:
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        dead = (await cluster.wait_leader()).name
        cluster.kill(dead)
        await cluster.wait_told(f"fired node_lost:{dead}")
        await settle()
        cluster.start(dead)
        await cluster.wait_told(f"resolved node_lost:{dead}")
        cluster.breaks()
        await settle()
        assert cluster.whats == [
            f"fired {BROKEN}",
            f"fired node_lost:{dead}",
            f"resolved node_lost:{dead}",
            f"resolved {BROKEN}",
        ]


async def test_a_node_that_leaves_is_no_loss() -> None:
    """What was the matter with it is over."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        leaving = cluster.others(leader.name)[0].name
        cluster.nodes[leaving].keeps_letters(51)
        await cluster.wait_told(f"fired dead_letters:{leaving}")
        cluster.kill(leaving)
        cluster.store.leave(leaving)
        await settle()
        assert cluster.whats == [
            f"fired dead_letters:{leaving}",
            f"resolved dead_letters:{leaving}",
        ]


async def test_what_the_leader_could_not_tell_any_more_its_successor_tells() -> None:
    """It was written before."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        leader.hook.is_stuck = True
        cluster.breaks("x")
        await cluster.wait_written(BROKEN)
        cluster.kill(leader.name)
        await settle()
        assert sorted(cluster.whats) == [f"fired {BROKEN}", f"fired node_lost:{leader.name}"]


@pytest.mark.parametrize("is_done", [False, True])
async def test_nothing_is_told_that_is_not_known_to_be_written(*, is_done: bool) -> None:
    """A leader that has no answer looks whether it was done, and does it again if not."""
    async with cluster_of("a", "b") as cluster:
        leader = await cluster.wait_leader()
        leader.wire.writes = Writes.UNANSWERED if is_done else Writes.REFUSED
        cluster.breaks("x")
        with trio.fail_after(60):
            while not leader.wire.tried:  # noqa: ASYNC110  a fault that the test makes
                await trio.sleep(0.01)
        assert cluster.told == []
        await trio.sleep(5.0)
        assert cluster.whats == ([f"fired {BROKEN}"] if is_done else [])
        leader.wire.writes = Writes.DONE
        await settle()
        assert cluster.whats == [f"fired {BROKEN}"]


async def test_a_leader_that_loses_its_office_while_it_writes_tells_nothing() -> None:
    """Who leads next has it from the ledger."""
    async with cluster_of("a", "b", "c") as cluster:
        old = await cluster.wait_leader()
        view = alone_view(old.view.value, "the lease is over")
        await trio.sleep(1.0)
        old.wire.in_between = lambda: old.view.publish(view)
        cluster.breaks("x")
        await cluster.wait_written(BROKEN)
        cluster.kill(old.name)
        assert cluster.told == []
        await settle()
        assert cluster.whats.count(f"fired {BROKEN}") == 1


async def test_a_leader_takes_back_what_it_has_not_told_as_soon_as_it_is_none() -> None:
    """It does not wait for its next look."""
    async with cluster_of("a", "b") as cluster:
        old = await cluster.wait_leader()
        old.hook.is_failing = True
        cluster.breaks("x")
        await cluster.wait_written(BROKEN)
        assert old.outbox.queued == 1
        await trio.sleep(0.1)
        old.view.publish(alone_view(old.view.value, "the lease is over"))
        await trio.sleep(0.01)
        assert old.outbox.queued == 0


async def test_told_but_not_taken_out_is_told_twice_at_worst() -> None:
    """The one case: the leader dies between the two. Nothing is lost for it."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        leader.hook.takes_s = 4.0
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        cluster.kill(leader.name)
        await settle()
        assert cluster.whats.count(f"fired {BROKEN}") == 2


async def test_what_is_told_is_taken_out_at_once() -> None:
    """A leader that dies right afterwards has no successor that tells it again."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}", look_s=0.01)
        await trio.sleep(0.01)
        cluster.kill(leader.name)
        await settle()
        assert cluster.whats == [f"fired {BROKEN}", f"fired node_lost:{leader.name}"]


async def test_somebody_acknowledges_on_any_node() -> None:
    """All nodes show it before two seconds are over; nobody is told again but of the end."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cluster.breaks("x", "y")
        await cluster.wait_told(f"fired {BROKEN}", "fired breaker_open:y")
        await trio.sleep(1.0)
        asked = cluster.others(leader.name)[0]
        for node, alert_id in ((asked, BROKEN), (leader, "breaker_open:y")):
            await node.acknowledge(alert_id)
            for _ in range(20):
                assert node.state(alert_id) is AlertState.ACKNOWLEDGED
                await trio.sleep(0.1)
        for node in cluster.nodes.values():
            assert node.state(BROKEN) is AlertState.ACKNOWLEDGED
            assert node.state("breaker_open:y") is AlertState.ACKNOWLEDGED
        cluster.kill(leader.name)
        await settle()
        assert asked.state(BROKEN) is AlertState.ACKNOWLEDGED


def _untold(store: Store) -> list[str]:
    return [each.notice.alert_id for each in store.ledger.untold]


@pytest.fixture
def by_hand() -> Node:
    """A node that looks when a test says so, and whose notices stay in its outbox."""
    store = Store()
    return Node(name=A, wire=Wire(store), hook=Hook(A, []))


async def _look_twice(node: Node, *targets: str) -> None:
    found = [
        Condition(rule=Rule.BREAKER_OPEN, target=each, severity=Severity.WARNING, message="m: do")
        for each in targets
    ]
    for _ in range(2):
        await node.alerts.look(found)
        await trio.sleep(SETTINGS.pending_seconds)


async def test_a_leader_that_was_asleep_goes_by_what_others_have_written(by_hand: Node) -> None:
    """What it had to tell then, they have told; what they had to tell, it tells."""
    node, store = by_hand, by_hand.wire.store
    node.leads(token=5)
    await _look_twice(node, "x")
    assert [each.alert_id for each in node.outbox.unsettled] == [BROKEN]
    notice = attrs.evolve(node.outbox.unsettled[0], alert_id="breaker_open:y", target="y")
    untold = (Untold(notice=notice, channels=("hook", "of-another-node")),)
    other = attrs.evolve(store.ledger, revision=store.ledger.revision + 10, untold=untold)
    store.ledger, store.token = other, 7
    node.leads(token=9)
    await _look_twice(node, "x")
    assert [each.alert_id for each in node.outbox.unsettled] == ["breaker_open:y"]
    assert (store.token, _untold(store)) == (9, ["breaker_open:y"])


async def test_a_leader_of_yesterday_writes_and_tells_nothing(by_hand: Node) -> None:
    """Somebody else leads, whatever it believes."""
    node, store = by_hand, by_hand.wire.store
    node.leads(token=5)
    await _look_twice(node, "x")
    assert [each.alert_id for each in node.outbox.unsettled] == [BROKEN]
    store.token, before = 6, store.ledger
    await _look_twice(node, "x", "y")
    assert (node.outbox.unsettled, store.ledger) == ((), before)


async def test_a_leader_whose_ledger_cannot_be_read_writes_another(by_hand: Node) -> None:
    """In the place of what is there."""
    node, store = by_hand, by_hand.wire.store
    store.unreadable_revision = 40
    node.leads(token=5)
    await _look_twice(node, "x")
    assert store.ledger.revision > 40
    assert _untold(store) == [BROKEN]
