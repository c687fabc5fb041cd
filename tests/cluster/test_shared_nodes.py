"""Three real nodes and a real Redis: what one of them knows, all do."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import cycle

import pytest
import trio

from cortexd.cluster.loop_ticks import STRETCH_MAX
from cortexd.cluster.redis_link import CALL_S_MAX
from tests.cluster.shared_nodes import SharedNodes, request, running_nodes
from tests.fakes.scene import Scene
from tests.faults.client import HANGS_S, FaultyClient, connected, until
from tests.faults.upstream import ServerLoop, server_loop
from tests.faults.upstream_wire import play
from tests.load.conftest import many_files  # noqa: F401  a fixture for all
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CROWD = 1000
SMALL_CROWD = 90
CROWDS_MAX = 5
ROUNDS = 15
TEXT = "all is well that ends well"


@pytest.fixture(scope="module")
def loop() -> Iterator[ServerLoop]:
    """Where the upstreams serve."""
    with server_loop() as loop:
        yield loop


@pytest.fixture(scope="module")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, loop: ServerLoop
) -> Iterator[SharedNodes]:
    """Nodes that nobody breaks."""
    with running_nodes(tmp_path_factory.mktemp("shared"), redis, loop) as nodes:
        yield nodes


@pytest.fixture
def shared(lasting: SharedNodes) -> SharedNodes:
    """The nodes, whose upstream is well and has forgotten what it was asked."""
    lasting.upstream.fake.play(Scene.text(TEXT))
    lasting.upstream.fault = play
    lasting.upstream.asked.clear()
    return lasting


async def test_an_answer_of_one_node_is_a_hit_on_the_others(shared: SharedNodes) -> None:
    """The worker is asked once; each node says which level of the cache had it."""
    one, other, third = shared.nodes
    first = await one.ask("kept", shared.key)
    before = other.daemon.admin("/admin/cache")
    second, again = [await other.ask("kept", shared.key) for _ in range(2)]
    last = await third.ask("kept", shared.key)
    answers = (first, second, again, last)
    assert [each.headers["x-cortexd-cache"] for each in answers] == ["miss", "hit", "hit", "hit"]
    assert {(each.status, each.said) for each in answers} == {(200, TEXT)}
    assert len(shared.upstream.asked) == 1
    after = other.daemon.admin("/admin/cache")
    assert {name: after[name] - before[name] for name in ("hits", "l2_hits", "l2_misses")} == {
        "hits": 1,
        "l2_hits": 1,
        "l2_misses": 0,
    }


async def test_an_idempotency_key_holds_on_all_nodes(shared: SharedNodes) -> None:
    """The same request has the same answer there, and another one is refused."""
    one, other, _ = shared.nodes
    name = {"idempotency_key": "order-1"}
    first = await one.ask("the order", shared.key, **name)
    again = await other.ask("the order", shared.key, **name)
    wrong = await other.ask("another order", shared.key, **name)
    assert (first.status, again.status, wrong.status) == (200, 200, 422)
    assert again.said == TEXT
    assert again.headers["x-cortexd-cache"] == "hit"
    assert len(shared.upstream.asked) == 1


async def test_sixty_a_minute_are_sixty_over_three_nodes(shared: SharedNodes) -> None:
    """What the bucket gains while they are asked comes on top, and nothing else."""
    made = await trio.to_thread.run_sync(lambda: shared.nodes[0].make_key(requests_per_minute=60))
    await trio.to_thread.run_sync(shared.wait_all, made["id"])
    statuses: Counter[int] = Counter()

    async def ask(place: int) -> None:
        for _ in range(ROUNDS):
            answer = await shared.nodes[place].ask("limited", made["key"])
            statuses[answer.status] += 1
            if answer.status == 429:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.headers["x-ratelimit-limit-requests"] == "60"

    began_at = time.monotonic()
    async with trio.open_nursery() as nursery:
        for place in range(len(shared.nodes)):
            nursery.start_soon(ask, place)
            nursery.start_soon(ask, place)
    gained = time.monotonic() - began_at
    assert set(statuses) == {200, 429}
    assert 60 <= statuses[200] <= 60 + gained + 2


async def test_a_thousand_equal_requests_are_one_upstream_call(shared: SharedNodes) -> None:
    """All at once, over three nodes, while the worker has not said a word."""
    async with AsyncExitStack() as stack:
        crowd = await _crowd(stack, shared, CROWD)
        await _release(shared, crowd)
    assert Counter((each.answer.status, each.answer.said) for each in crowd) == {(200, TEXT): CROWD}
    assert len(shared.upstream.asked) == 1
    assert Counter(each.answer.headers["x-cortexd-cache"] for each in crowd) == {
        "miss": 1,
        "hit": CROWD - 1,
    }


async def test_a_crowd_outlives_the_node_that_asks_for_it(shared: SharedNodes) -> None:
    """Killed in the middle of the call; another node takes it over, once, and nobody else fails."""
    async with AsyncExitStack() as stack:
        crowd = await _crowd(stack, shared, SMALL_CROWD)
        [asking] = [place for place, node in enumerate(shared.nodes) if node.loads()["w"] == (1, 0)]
        shared.nodes[asking].daemon.process.kill()
        survivor = shared.nodes[asking - 1]
        await until(survivor, lambda: len(shared.upstream.asked) > 1)
        others = [each for n, each in enumerate(crowd) if n % len(shared.nodes) != asking]
        await _release(shared, others)
    assert {(each.answer.status, each.answer.said) for each in others} == {(200, TEXT)}
    assert len(shared.upstream.asked) == 2
    await trio.to_thread.run_sync(shared.revive, asking)


async def _crowd(stack: AsyncExitStack, shared: SharedNodes, count: int) -> list[FaultyClient]:
    """So many who ask the same, in turn at each node; the upstream has it and says nothing.

    Where Redis is late, as on a machine that has too much to do, a node asks by itself: then
    another crowd asks something else.
    """
    for attempt in range(CROWDS_MAX):
        shared.hold()
        shared.upstream.fake.play(Scene.text(TEXT))
        late = shared.late_calls()
        crowd = [
            await stack.enter_async_context(connected(node.port))
            for node, _ in zip(cycle(shared.nodes), range(count), strict=False)
        ]
        async with trio.open_nursery() as nursery:
            for client in crowd:
                nursery.start_soon(client.send, request(f"the same, {count}.{attempt}", shared.key))
        await until(shared.nodes[0], lambda: shared.in_flight() == count)
        # By now each of them has had the word of Redis, or has gone on without it.
        await trio.sleep(STRETCH_MAX * CALL_S_MAX)
        if shared.late_calls() == late:
            return crowd
        await _release(shared, crowd)
    raise AssertionError("Redis was late for each crowd")


async def _release(shared: SharedNodes, clients: Sequence[FaultyClient]) -> None:
    """Have the upstream speak, and each of these hear it to the end."""
    await trio.to_thread.run_sync(shared.upstream.release)
    with trio.fail_after(HANGS_S):
        for client in clients:
            await client.hear()


async def test_a_key_is_good_everywhere_until_it_is_revoked_anywhere(shared: SharedNodes) -> None:
    """Whichever node made it, and whichever revokes it."""
    one, other, third = shared.nodes
    made = await trio.to_thread.run_sync(other.make_key)
    await trio.to_thread.run_sync(shared.wait_all, made["id"])
    assert [(await node.ask("k", made["key"])).status for node in shared.nodes] == [200] * 3
    path = f"/admin/keys/{made['id']}"
    await trio.to_thread.run_sync(third.operate, "DELETE", path)
    await until(one, lambda: one.knows(made["id"], state="revoked"))
    await until(other, lambda: other.knows(made["id"], state="revoked"))
    assert [(await node.ask("k", made["key"])).status for node in shared.nodes] == [401] * 3
