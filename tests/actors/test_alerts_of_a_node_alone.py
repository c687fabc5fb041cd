"""Nodes of a cluster that cannot reach what they share, and what they tell of then."""

import pytest
import trio

from cortexd.actors.cluster_alerts import AlertsOutOfReach
from cortexd.domain.alert import AlertState
from cortexd.domain.cluster import ClusterState, NodeName
from tests.actors.alert_cluster import cluster_of, settle
from tests.actors.alert_store import LEASE_S

BROKEN = "breaker_open:x"
A, B, C = (NodeName(name) for name in "abc")


@pytest.mark.parametrize("is_wiped", [False, True])
async def test_a_leader_that_is_none_any_more_leaves_it_to_the_next(*, is_wiped: bool) -> None:
    """What it has begun to tell, and tries in vain, as well: be it cut off, or only a member."""
    async with cluster_of("a", "b", "c") as cluster:
        old = await cluster.wait_leader()
        old.hook.is_stuck = True
        cluster.breaks("x")
        await cluster.wait_written(BROKEN)
        old.beats_late_s = 1.0
        if is_wiped:
            cluster.store.wipe()
        else:
            old.wire.is_cut = True
        await cluster.wait_told(f"fired {BROKEN}")
        old.hook.is_stuck = False
        await settle()
        assert cluster.leader != old.name
        assert cluster.whats.count(f"fired {BROKEN}") == 1


async def test_a_leader_that_cannot_reach_the_ledger_tells_nothing_meanwhile() -> None:
    """It could not be taken out, and the next one would tell it again."""
    async with cluster_of("a", "b", "c") as cluster:
        old = await cluster.wait_leader()
        old.hook.is_failing = True
        cluster.breaks("x")
        await cluster.wait_written(BROKEN)
        old.wire.is_cut = True
        await trio.sleep(0.6)
        old.hook.is_failing = False
        await settle()
        assert [
            each.node == old.name for each in cluster.told if each.notice.alert_id == BROKEN
        ] == [False]


async def test_what_the_leader_knew_last_counts_where_all_is_forgotten() -> None:
    """People were told, and the store was gone before that could be written."""
    async with cluster_of("a", "b", "c") as cluster:
        old = await cluster.wait_leader()
        old.hook.takes_s = 1.0
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        await trio.sleep(0.6)  # The others have read that it is to be told.
        cluster.store.is_down = True
        await trio.sleep(2 * LEASE_S)
        old.wire.is_cut = True
        cluster.store.wipe()
        cluster.store.is_down = False
        await trio.sleep(1.0)
        old.wire.is_cut = False
        await settle()
        assert cluster.leader != old.name
        assert cluster.whats == [f"fired {BROKEN}"]


async def test_r5_a_node_that_is_cut_off_tells_of_itself_alone() -> None:
    """And hands over what has become of that: nobody is told of it again."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cut = cluster.others(leader.name)[0]
        mine, lost = f"dead_letters:{cut.name}", f"node_lost:{cut.name}"
        cut.keeps_letters(51)
        await cluster.wait_told(f"fired {mine}")
        await trio.sleep(1.0)
        cut.wire.is_cut = True
        await cluster.wait_told(f"fired {lost}")
        cluster.breaks("x")
        cut.keeps_letters(0)
        await cluster.wait_told(f"resolved {mine}", f"fired {BROKEN}")
        assert [each.node for each in cluster.told if each.what == f"resolved {mine}"] == [cut.name]
        cut.keeps_letters(99)
        await settle()
        cut.wire.is_cut = False
        await cluster.wait_told(f"resolved {lost}")
        cluster.breaks()
        cut.keeps_letters(0)
        await settle()
        assert sorted(cluster.whats) == sorted(
            [
                *(f"fired {mine}", f"resolved {mine}"),
                *(f"fired {lost}", f"resolved {lost}"),
                *(f"fired {BROKEN}", f"resolved {BROKEN}"),
            ]
        )


async def test_what_a_node_told_of_itself_while_alone_the_leader_knows() -> None:
    """Its end is told by the leader, and its beginning not again."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cut = cluster.others(leader.name)[0]
        cut.wire.is_cut = True
        await cluster.wait_told(f"fired node_lost:{cut.name}")
        cut.keeps_letters(51)
        await cluster.wait_told(f"fired dead_letters:{cut.name}")
        cut.wire.is_cut = False
        await settle()
        assert all(
            node.state(f"dead_letters:{cut.name}") is AlertState.FIRING
            for node in cluster.nodes.values()
        )
        cut.keeps_letters(0)
        await settle()
        about = [each for each in cluster.told if "dead_letters" in each.what]
        assert [each.what.partition(" ")[0] for each in about] == ["fired", "resolved"]
        assert [each.node for each in about] == [cut.name, leader.name]


async def test_r5_a_leader_that_is_cut_off_leaves_what_is_shared_to_the_next() -> None:
    """Being back it is none, and tells nothing again."""
    async with cluster_of("a", "b", "c") as cluster:
        old = await cluster.wait_leader()
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        old.wire.is_cut = True
        cluster.breaks("x", "y")
        await cluster.wait_told("fired breaker_open:y")
        assert [each.node == old.name for each in cluster.told] == [True, False, False]
        old.wire.is_cut = False
        await settle()
        cluster.breaks()
        await settle()
        assert cluster.leader != old.name
        assert sorted(cluster.whats) == sorted(
            f"{occasion} {alert}"
            for alert in (BROKEN, "breaker_open:y", f"node_lost:{old.name}")
            for occasion in ("fired", "resolved")
        )


async def test_a_store_that_has_forgotten_all_is_reminded() -> None:
    """By whoever knows most, before anybody leads; also where it went just after a telling."""
    async with cluster_of("a", "b", "c") as cluster:
        await cluster.wait_leader()
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        cluster.store.is_down = True
        await trio.sleep(2 * LEASE_S)
        assert {node.view.value.state for node in cluster.nodes.values()} == {ClusterState.ALONE}
        cluster.store.wipe()
        cluster.store.is_down = False
        # One that knows nothing is the first to be there.
        cluster.start("d")
        await cluster.wait_leader()
        await settle()
        cluster.breaks()
        await settle()
        assert cluster.whats == [f"fired {BROKEN}", f"resolved {BROKEN}"]


async def test_a_node_that_is_alone_acknowledges_what_is_its_own() -> None:
    """What is shared it cannot, and says so; the other goes with it into the cluster."""
    async with cluster_of("a", "b", "c") as cluster:
        leader = await cluster.wait_leader()
        cut = cluster.others(leader.name)[0]
        mine = f"dead_letters:{cut.name}"
        cluster.breaks("x")
        await cluster.wait_told(f"fired {BROKEN}")
        await trio.sleep(1.0)
        cut.wire.is_cut = True
        cut.keeps_letters(51)
        await cluster.wait_told(f"fired {mine}")
        await cut.acknowledge(mine)
        with pytest.raises(AlertsOutOfReach):
            await cut.acknowledge(BROKEN)
        assert cut.state(mine) is AlertState.ACKNOWLEDGED
        cut.wire.is_cut = False
        await settle()
        assert leader.state(mine) is AlertState.ACKNOWLEDGED
        assert cut.state(BROKEN) is AlertState.FIRING


async def test_r2_a_store_that_hangs_holds_up_nobody() -> None:
    """The manager goes on looking, and is not killed for it; in the end the node is alone."""
    async with cluster_of("a") as cluster:
        node = await cluster.wait_leader()
        node.wire.is_hanging = True
        node.keeps_letters(51)
        with trio.fail_after(30):
            await cluster.wait_told("fired dead_letters:a")
        node.wire.is_hanging = False
        await settle()
        node.keeps_letters(0)
        await settle()
        assert cluster.whats == ["fired dead_letters:a", "resolved dead_letters:a"]


async def test_a_node_that_never_was_a_member_waits_for_a_lease() -> None:
    """Then it tells of itself: it might have become one."""
    async with cluster_of("a") as cluster:
        cluster.start("b")
        node = cluster.nodes[B]
        node.wire.is_cut = True
        node.keeps_letters(51)
        await trio.sleep(LEASE_S - 0.5)
        assert cluster.told == []
        assert node.reported.value
        await settle()
        assert cluster.whats == ["fired dead_letters:b"]
