"""An embedded worker on three real nodes over a real Redis: one engine, and another if it is gone.

A node that has just started runs its engine until it knows the others. It would end it after a
minute without use (see `test_standby_engine.py`); one that dies before is not started again.
"""

import os
import signal
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.cluster.member_nodes import (
    CHAT_S_MAX,
    MemberNode,
    Members,
    chatting,
    running_members,
    started,
    wait_settled,
)
from tests.operator import wait_until
from tests.servers.redis import RedisServer, running_redis

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

OWNER = "node-a"
NAMES = (OWNER, "node-b", "node-c")
LEASE_S = 2.0
WORKER = f"""
[[workers]]
name = "own"
type = "embedded"
node = "{OWNER}"
"""


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server to kill."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, own_redis: RedisServer) -> Iterator[Members]:
    """Nodes that have nothing but the embedded worker."""
    folder = tmp_path_factory.mktemp("embedded")
    urls = dict.fromkeys(NAMES, own_redis.url)
    with running_members(
        folder, urls, cluster=folder.name, lease_s=LEASE_S, workers=WORKER
    ) as start:
        yield Members(started(start, *NAMES), start)


@pytest.fixture
def nodes(lasting: Members) -> list[MemberNode]:
    """The owner of the worker, whose engine runs, and two whose engines rest."""
    lasting.revive()
    owner, *others = lasting.nodes
    # One that has come back owns it only after a lease.
    wait_until(lambda: all(_owner(node) == OWNER for node in lasting.nodes))
    wait_until(partial(_is_well, owner))
    for node in others:
        _end_engine(node)
    return [owner, *others]


def _owner(node: MemberNode) -> str | None:
    return node.owners()["own"]


def _end_engine(node: MemberNode) -> None:
    """Have it die, if it runs, and wait until its supervisor has seen to that."""
    restarts, engines = _restarts(node), node.daemon.descendants()
    for engine in engines:
        os.kill(engine, signal.SIGKILL)
    wait_until(lambda: _restarts(node) == restarts + len(engines))


def _restarts(node: MemberNode) -> int:
    tree = node.get("/admin/tree")
    (engines,) = [each for each in tree["children"] if each["path"].endswith("engines")]
    restarts: int = engines["children"][0]["restarts"]
    return restarts


def _running(nodes: list[MemberNode]) -> list[MemberNode]:
    """Those whose engines run: a node has no other processes."""
    return [node for node in nodes if node.daemon.descendants()]


def _is_well(node: MemberNode) -> bool:
    """What a check finds now: an engine that answers, rests or wakes is well, a new one is not."""
    answer = node.ask("POST", "/admin/workers/own/check")
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["status"] == "available")


def _chat(node: MemberNode) -> httpx.Response:
    message = {"role": "user", "content": "Say hello."}
    body = {"model": "auto", "messages": [message], "max_tokens": 1}
    return httpx.post(f"{node.daemon.url}/v1/chat/completions", json=body, timeout=CHAT_S_MAX)


def test_one_engine_runs_until_another_node_is_asked(nodes: list[MemberNode]) -> None:
    """All nodes are well by it. A client of another node has one run there, as long as it lasts."""
    owner, standby, _ = nodes
    assert all(_is_well(node) for node in nodes)
    assert _chat(owner).status_code == 200
    assert _running(nodes) == [owner]
    assert _chat(standby).status_code == 200
    assert _running(nodes) == [owner, standby]
    _end_engine(standby)
    assert all(_is_well(node) for node in nodes)
    assert _running(nodes) == [owner]


def test_another_node_takes_over_from_one_that_is_killed(nodes: list[MemberNode]) -> None:
    """One of them, and unasked; whoever comes to it while its engine loads is answered then."""
    owner, *others = nodes
    owner.daemon.process.kill()
    (heir,) = wait_until(lambda: _running(others))
    with chatting(heir, tokens_max=1):
        wait_settled(*others)
    assert [_owner(node) for node in others] == [heir.name] * len(others)
    assert _running(others) == [heir]


def test_without_redis_each_node_runs_an_engine(
    nodes: list[MemberNode], own_redis: RedisServer
) -> None:
    """None can know of the others then; whoever comes while it loads is answered as well."""
    _, standby, _ = nodes
    own_redis.kill()
    try:
        wait_until(lambda: len(_running(nodes)) == len(nodes))
        with chatting(standby, tokens_max=1):
            wait_until(lambda: all(node.cluster()["state"] == "alone" for node in nodes))
    finally:
        own_redis.start()
    wait_settled(*nodes)
