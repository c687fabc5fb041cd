"""R2, R3, R4 and R6 for what nodes share of answers, limits and keys: no chat fails with it."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count

import pytest
import trio

from tests.cluster.shared_nodes import SharedNode, SharedNodes, running_nodes
from tests.faults.client import until
from tests.faults.upstream import ServerLoop
from tests.load.conftest import many_files  # noqa: F401  a fixture for all
from tests.servers.redis import RedisServer, running_redis

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CHATS = 30
TEXTS = count()


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis to break, and to mend again."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, fragile: RedisServer, loop: ServerLoop
) -> Iterator[SharedNodes]:
    """Two nodes over it."""
    folder = tmp_path_factory.mktemp("shared")
    with running_nodes(folder, fragile, loop, count=2) as nodes:
        yield nodes


async def _chats(shared: SharedNodes, key: str | None = None) -> set[int]:
    """The statuses of many new requests, to both nodes."""
    statuses: set[int] = set()

    async def ask(node: SharedNode) -> None:
        answer = await node.ask(f"new {next(TEXTS)}", key or shared.key)
        statuses.add(answer.status)

    async with trio.open_nursery() as nursery:
        for number in range(CHATS):
            nursery.start_soon(ask, shared.nodes[number % 2])
    return statuses


async def _wait_shared(shared: SharedNodes) -> None:
    """Until an answer of one node is a hit on the other."""
    one, other = shared.nodes
    with trio.fail_after(20.0):
        found = ""
        while found != "hit":
            await trio.sleep(0.2)
            text = f"shared {next(TEXTS)}"
            await one.ask(text, shared.key)
            found = (await other.ask(text, shared.key)).headers["x-cortexd-cache"]


async def _wait_told(redis: RedisServer) -> None:
    """Until the nodes have told again of their keys."""
    with trio.fail_after(20.0):
        while not redis.command("keys", "cortexd:*:client-keys-version:*"):  # noqa: ASYNC110  Redis tells
            await trio.sleep(0.1)


def _errors(shared: SharedNodes) -> list[object]:
    """What the logs have of errors: a link that is lost is none."""
    return [
        entry for node in shared.nodes for entry in node.failures() if entry["level"] == "error"
    ]


async def test_r2_a_frozen_redis_fails_no_chat(shared: SharedNodes, fragile: RedisServer) -> None:
    """Soon nobody waits for it any more; thawed, it is shared again."""
    fragile.freeze()
    try:
        assert await _chats(shared) == {200}
        for node in shared.nodes:
            await until(node, partial(_has_noticed, node))
        assert await _chats(shared) == {200}
    finally:
        fragile.thaw()
    await _wait_shared(shared)
    assert _errors(shared) == []


def _has_noticed(node: SharedNode) -> bool:
    return "no answer within" in node.daemon.log


@contextmanager
def _full(redis: RedisServer) -> Iterator[None]:
    redis.command("config", "set", "maxmemory", "1")
    try:
        yield
    finally:
        redis.command("config", "set", "maxmemory", "0")


@contextmanager
def _read_only(redis: RedisServer) -> Iterator[None]:
    redis.command("replicaof", "127.0.0.1", "1")
    try:
        yield
    finally:
        redis.command("replicaof", "no", "one")


@contextmanager
def _locked(redis: RedisServer) -> Iterator[None]:
    redis.command("config", "set", "requirepass", "other")
    redis.command("-a", "other", "client", "kill", "type", "normal")
    try:
        yield
    finally:
        redis.command("-a", "other", "config", "set", "requirepass", "")


@pytest.mark.parametrize(
    "refusing", [_full, _read_only, _locked, RedisServer.loading, RedisServer.reloading]
)
async def test_r3_a_redis_that_refuses_fails_no_chat(
    shared: SharedNodes,
    fragile: RedisServer,
    refusing: Callable[[RedisServer], AbstractContextManager[None]],
) -> None:
    """Each node goes by what it has itself, and tells operators what is wrong."""
    limited = await trio.to_thread.run_sync(
        lambda: shared.nodes[0].make_key(requests_per_minute=600)
    )
    await trio.to_thread.run_sync(shared.wait_all, limited["id"])
    with refusing(fragile):
        assert await _chats(shared) == {200}
        assert await _chats(shared, limited["key"]) == {200}
        for node in shared.nodes:
            assert node.daemon.admin("/admin/cluster")["redis"]["failure"]
    await _wait_shared(shared)
    assert _errors(shared) == []


async def test_r4_a_redis_that_forgets_opens_no_door(
    shared: SharedNodes, fragile: RedisServer
) -> None:
    """As after a fail-over: a revoked key stays so, and a limit is overrun once at most."""
    one, other = shared.nodes
    revoked = await trio.to_thread.run_sync(one.make_key)
    limited = await trio.to_thread.run_sync(lambda: one.make_key(requests_per_minute=6))
    for each in (revoked, limited):
        await trio.to_thread.run_sync(shared.wait_all, each["id"])
    await trio.to_thread.run_sync(one.operate, "DELETE", f"/admin/keys/{revoked['id']}")
    await until(other, lambda: other.knows(revoked["id"], state="revoked"))
    granted = [(await one.ask("limited", limited["key"])).status for _ in range(8)].count(200)
    fragile.command("flushall")
    granted += [(await other.ask("limited", limited["key"])).status for _ in range(8)].count(200)
    assert 6 <= granted <= 2 * 6 + 1
    await _wait_shared(shared)
    for node in shared.nodes:
        assert (await node.ask("k", revoked["key"])).status == 401
        assert (await node.ask("k", "cx_live_unknown0_x")).status == 401
        assert (await node.ask("k", shared.key)).status == 200
    assert _errors(shared) == []


async def test_r4_without_redis_each_node_has_its_part_of_a_limit(
    shared: SharedNodes, fragile: RedisServer
) -> None:
    """Both parts together are the limit again, and no door stays open or shut for it."""
    one, other = shared.nodes
    limited = await trio.to_thread.run_sync(lambda: one.make_key(requests_per_minute=20))
    await trio.to_thread.run_sync(shared.wait_all, limited["id"])
    for node in shared.nodes:
        await until(node, partial(_is_one_of_two, node))
    fragile.freeze()
    try:
        began_at = time.monotonic()
        for node in (one, other):
            statuses = [(await node.ask("part", limited["key"])).status for _ in range(20)]
            gained = (time.monotonic() - began_at) / 6
            assert set(statuses) == {200, 429}
            assert 10 <= statuses.count(200) <= 10 + gained + 1
            assert (await node.ask("k", "cx_live_unknown0_x")).status == 401
    finally:
        fragile.thaw()
    await _wait_shared(shared)


def _is_one_of_two(node: SharedNode) -> bool:
    return len(node.daemon.admin("/admin/cluster")["nodes"]) == 2


GARBAGE = {
    "text": ("set", "garbage"),
    "hostile JSON": ("set", '{"py/object": "os.system", "a": [[[[[]]]]]}'),
    "another type": ("rpush", "a"),
    "another hash": ("hset", "requests", "nan", "tokens", "-inf", "made:abcdefgh", "x"),
    "huge": ("setrange", "9000000", "x"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_r6_garbage_in_every_key_is_a_miss(
    shared: SharedNodes, fragile: RedisServer, garbage: tuple[str, ...]
) -> None:
    """No client sees anything of it, nothing is loaded from it, and sharing goes on."""
    one, other = shared.nodes
    limited = await trio.to_thread.run_sync(lambda: one.make_key(requests_per_minute=600))
    await trio.to_thread.run_sync(shared.wait_all, limited["id"])
    fragile.command("flushall")
    texts = [f"spoilt {next(TEXTS)}" for _ in range(3)]
    for text in texts:
        assert (await one.ask(text, limited["key"])).status == 200
    await _wait_told(fragile)
    command, *words = garbage
    names = [
        name
        for kind in ("answer", "claim", "limit", "client-keys", "client-keys-version")
        for name in fragile.command("keys", f"cortexd:*:{kind}:*").split()
    ]
    assert len(names) >= len(texts) + 2
    for name in names:
        fragile.command("del", name)
        fragile.command(command, name, *words)
    for text in texts:
        answer = await other.ask(text, limited["key"])
        assert (answer.status, answer.said) == (200, "Hello world")
    assert await _chats(shared) == {200}
    await _wait_shared(shared)
    made = await trio.to_thread.run_sync(other.make_key)
    await trio.to_thread.run_sync(shared.wait_all, made["id"])
    assert _errors(shared) == []
