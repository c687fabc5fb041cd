"""A link that knows its own slowness from that of Redis."""

import time

import pytest
import trio
from anyio import BrokenResourceError, ClosedResourceError

from cortexd.cluster.redis_link import LATE_IN_A_ROW_MAX, Client
from cortexd.domain.errors import SharedStoreFailed
from tests.cluster.linked import HANGS_S, linked, wait_up
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]


async def test_a_node_that_is_busy_waits_for_what_has_come(redis: RedisServer) -> None:
    """The answer is there when it looks; nobody is late, and the link stays up."""
    async with linked(redis) as link:

        async def be_busy() -> None:
            for _ in range(6):
                time.sleep(0.08)  # noqa: ASYNC251  what a burst of requests does
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(be_busy)
            for _ in range(5):
                await link.call(lambda client: client.get("a"))
        assert link.is_up


async def test_a_frozen_one_makes_few_wait_and_comes_back(fragile_redis: RedisServer) -> None:
    """As for any link."""
    async with linked(fragile_redis) as link:
        fragile_redis.freeze()
        for _ in range(LATE_IN_A_ROW_MAX):
            with pytest.raises(SharedStoreFailed, match="no answer within"):
                await link.call(lambda client: client.get("a"))
        assert not link.is_up
        fragile_redis.thaw()
        await wait_up(link)
        assert await link.call(lambda client: client.get("a"), limit_s=HANGS_S) is None


async def test_who_leaves_while_it_is_frozen_is_gone(fragile_redis: RedisServer) -> None:
    """By the limit, and it is no verdict on Redis."""
    async with linked(fragile_redis) as link:
        fragile_redis.freeze()
        with trio.fail_after(HANGS_S):
            with trio.move_on_after(0.01) as scope:
                await link.call(lambda client: client.get("a"))
            assert scope.cancelled_caught
        assert link.is_up
        fragile_redis.thaw()


@pytest.mark.parametrize(
    "said",
    [RuntimeError("no pool"), ClosedResourceError("a buffer"), BrokenResourceError("its end")],
    ids=repr,
)
async def test_what_a_client_says_that_closes_is_a_lost_connection(
    redis: RedisServer, said: Exception
) -> None:
    """A plain RuntimeError of the pool, or what its buffers say; before the link itself knows."""
    async with linked(redis) as link:

        async def fail(_: Client) -> None:
            await trio.lowlevel.checkpoint()
            raise said

        with pytest.raises(SharedStoreFailed, match=str(said)):
            await link.call(fail)
        assert not link.is_up
        await wait_up(link)
