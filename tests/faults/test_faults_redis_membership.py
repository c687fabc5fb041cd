"""Rows R1, R2, R3, R5 and R6 of the fault catalogue, as far as membership and workers go.

Two real nodes over a Redis of their own, one of them over a wire that can be cut; clients chat
with both all the while, and none of them is failed.
"""

from collections.abc import Callable, Iterator
from functools import partial

import attrs
import pytest

from cortexd.cluster.keys import key
from tests.cluster.member_nodes import (
    WORKERS,
    MemberNode,
    chatting,
    running_members,
    started,
    wait_settled,
)
from tests.operator import wait_until
from tests.servers.redis import RedisServer, running_redis
from tests.servers.relay import Relay, relaying

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

NAMES = ("node-a", "node-b")
LEASE_S = 2.0


@attrs.define(eq=False)
class Pair:
    """Two nodes, the second one over a wire of its own."""

    cluster: str
    redis: RedisServer
    wire: Relay
    nodes: list[MemberNode]
    start: Callable[[str], MemberNode]

    def all_are(self, state: str) -> Callable[[], bool]:
        """Whether both see themselves so."""
        return lambda: all(node.cluster()["state"] == state for node in self.nodes)

    def tokens(self) -> list[int]:
        """Those of both, as the first one sees them."""
        return [each["token"] for each in self.nodes[0].cluster()["nodes"]]


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Started once for all tests."""
    folder = tmp_path_factory.mktemp("pair")
    with running_redis(tmp_path_factory.mktemp("redis")) as redis, relaying(redis.port) as wire:
        urls = dict.fromkeys(("node-a", "node-c"), redis.url)
        urls["node-b"] = f"redis://127.0.0.1:{wire.port}"
        with running_members(folder, urls, cluster=folder.name, lease_s=LEASE_S) as start:
            yield Pair(folder.name, redis, wire, started(start, *NAMES), start)


@pytest.fixture
def pair(lasting: Pair) -> Pair:
    """Both are well, and members."""
    wait_settled(*lasting.nodes)
    return lasting


def test_faults_redis_r1_killed_and_restarted(pair: Pair) -> None:
    """Each is alone, serves on, and joins again with a greater token; its workers are as before.

    What an operator does in between is so at once on his node, and on all when Redis is back. A
    node that starts without Redis serves as well, and joins when it can.
    """
    a, b = pair.nodes
    a.ask("POST", "/admin/workers", {"name": "kept", "type": "scripted"})
    wait_until(lambda: "kept" in b.active())
    before = pair.tokens()
    with chatting(a, b) as crowds:
        pair.redis.kill()
        wait_until(pair.all_are("alone"))
        assert a.cluster()["leader"] is None
        assert a.cluster()["redis"]["up"] is False
        assert "cannot be reached" in a.cluster()["redis"]["failure"]
        b.ask("POST", "/admin/workers/w0/deactivate")
        assert (b.active()["w0"], a.active()["w0"]) == (False, True)
        newcomer = pair.start("node-c")
        with chatting(newcomer):
            assert newcomer.cluster()["state"] == "alone"
        for crowd in crowds:
            crowd.wait_for_more()
        pair.redis.start()
        everybody = [*NAMES, "node-c"]
        wait_until(lambda: a.members() == b.members() == newcomer.members() == everybody)
        wait_until(lambda: not a.active()["w0"])
        assert a.active() == b.active()
        assert "kept" in a.active()
    newcomer.daemon.stop()
    wait_until(lambda: a.members() == b.members() == [*NAMES])
    assert min(pair.tokens()) > max(before)
    b.ask("POST", "/admin/workers/w0/activate")
    b.ask("DELETE", "/admin/workers/kept")
    wait_until(lambda: a.active() == b.active() == dict.fromkeys(WORKERS, True))


def test_faults_redis_r2_frozen(pair: Pair) -> None:
    """As one that is gone, and without anybody waiting for it."""
    a, b = pair.nodes
    with chatting(a, b) as crowds:
        pair.redis.freeze()
        try:
            wait_until(pair.all_are("alone"))
            for crowd in crowds:
                crowd.wait_for_more()
        finally:
            pair.redis.thaw()
        wait_until(pair.all_are("member"))
    wait_settled(a, b)


def test_faults_redis_r3_full(pair: Pair) -> None:
    """Of other things: members stay members, and what is done to a worker is so on all."""
    a, b = pair.nodes
    before = pair.tokens()
    pair.redis.command("config", "set", "maxmemory", "1")
    try:
        with chatting(a, b):
            b.ask("POST", "/admin/workers/w3/deactivate")
            a.ask("POST", "/admin/workers", {"name": "more", "type": "scripted"})
            wait_until(lambda: not a.active()["w3"] and "more" in b.active())
    finally:
        pair.redis.command("config", "set", "maxmemory", "0")
    assert pair.tokens() == before
    b.ask("POST", "/admin/workers/w3/activate")
    b.ask("DELETE", "/admin/workers/more")
    wait_until(lambda: a.active() == b.active() == dict.fromkeys(WORKERS, True))


def test_faults_redis_r3_loading(pair: Pair) -> None:
    """It is there, and good for nothing yet: each is alone and says why, and joins afterwards."""
    a, b = pair.nodes
    before = pair.tokens()
    with chatting(a, b) as crowds:
        with pair.redis.loading():
            wait_until(pair.all_are("alone"))
            for node in pair.nodes:
                wait_until(partial(_says_it_is_loading, node))
            for crowd in crowds:
                crowd.wait_for_more()
            assert pair.all_are("alone")()
        wait_settled(a, b)
    assert min(pair.tokens()) > max(before)
    restarts = [*a.logged("child restarts"), *b.logged("child restarts")]
    assert not any("links/redis" in line for line in restarts)


def _says_it_is_loading(node: MemberNode) -> bool:
    seen = node.cluster()
    assert not seen["redis"]["up"]
    return "loading" in seen["reason"] and "loading" in seen["redis"]["failure"]


def test_faults_redis_r5_partition(pair: Pair) -> None:
    """Who does not see Redis decides nothing and serves on; who sees it takes over all."""
    a, b = pair.nodes
    with chatting(a, b) as crowds:
        pair.wire.cut()
        try:
            wait_until(lambda: b.cluster()["state"] == "alone")
            cut = b.cluster()
            assert (cut["leader"], cut["is_leader"]) == (None, False)
            assert {each["owner"] for each in cut["workers"]} == {None}
            wait_until(lambda: a.members() == ["node-a"])
            wait_until(lambda: set(a.owners().values()) == {"node-a"})
            assert a.cluster()["is_leader"]
            a.ask("POST", "/admin/workers/w1/deactivate")
            for crowd in crowds:
                crowd.wait_for_more()
            assert b.active()["w1"]
        finally:
            pair.wire.mend()
        wait_until(lambda: not b.active()["w1"])
    wait_settled(a, b)
    assert a.cluster()["leader"] == "node-a"
    b.ask("POST", "/admin/workers/w1/activate")
    wait_until(lambda: a.active()["w1"])


def test_faults_redis_r6_garbage(pair: Pair) -> None:
    """What no node would have written is passed over, and told once; nothing of it is run."""
    a, b = pair.nodes
    told = len(a.logged("shared value rejected"))

    def write(part: str, *words: str) -> None:
        pair.redis.command("hset", key(pair.cluster, part), *words)

    with chatting(a, b):
        write("members", "ghost", "not a lease")
        write("workers", "bad", "no line", "worse", '1 1 present {"by":"x","is_active":true}')
        write("tables", "worse", '{"name":"worse","type":"!!python/object:os.system","odd":1}')
        write("workers", "plain", '2 1 present {"by":"x","is_active":true}')
        write("tables", "plain", '{"name":"plain","type":"scripted"}')
        write("state", "version", "1000000")
        wait_until(lambda: "plain" in a.active() and "plain" in b.active())
        wait_until(lambda: a.cluster()["unshared"])
        assert [each["worker"] for each in a.cluster()["unshared"]] == ["worse"]
        write("state", "version", "nonsense")
        b.ask("POST", "/admin/workers/w2/deactivate")
        wait_until(lambda: not a.active()["w2"])
    assert not {"bad", "worse"} & {*a.active(), *b.active()}
    assert len(set(pair.tokens())) == len(NAMES)
    rejected = a.logged("shared value rejected")[told:]
    assert any("the shared worker bad" in line for line in rejected)
    assert len(rejected) <= 2
    b.ask("POST", "/admin/workers/w2/activate")
    b.ask("DELETE", "/admin/workers/plain")
    wait_until(lambda: a.active() == b.active() == dict.fromkeys(WORKERS, True))
