"""The limits of clients in a real Redis: the arithmetic of memory, by the clock of Redis."""

import random

import pytest
import trio

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.shared_limits import DEBT_MINUTES_MAX, RedisLimits
from cortexd.cluster_ports import SpendingVerdict, SpendingWish
from cortexd.domain.errors import SharedStoreFailed
from cortexd.policy.rate_limit import Bucket
from tests.cluster.linked import linked
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CLOSE = 0.5
"""What flows in while a test runs; its limits are small."""


async def _spend(
    limits: RedisLimits, client: str, *, taken: float, owed: float = 0.0, per_minute: int = 6
) -> SpendingVerdict:
    verdict, none = await limits.spend(client, [SpendingWish(per_minute, taken, owed), None])
    assert none is None
    assert verdict is not None
    return verdict


async def test_it_spends_as_a_bucket_in_memory_does(redis: RedisServer) -> None:
    """Whatever is asked: more than ever fits, debts, and what is given back."""
    chance = random.Random(7)  # noqa: S311  a seed, no secret
    async with linked(redis) as link:
        limits = RedisLimits(link, "arithmetic")
        bucket = Bucket(6)
        for _ in range(60):
            owed, taken = chance.choice((0, 0, 3, -4, 9)), chance.choice((0, 1, 2, 8))
            now = trio.current_time()
            bucket.settle(owed, now)
            expected = bucket.take(taken, now)
            verdict = await _spend(limits, "a", taken=taken, owed=owed)
            assert verdict.level == pytest.approx(bucket.level(now), abs=CLOSE)
            assert verdict.wait_s == pytest.approx(expected, abs=10 * CLOSE)


async def test_tokens_are_not_spent_where_requests_are_refused(redis: RedisServer) -> None:
    """And what is owed counts in any case."""
    async with linked(redis) as link:
        limits = RedisLimits(link, "both")
        wishes = [SpendingWish(1, 1, 0), SpendingWish(10, 4, 1)]
        await limits.spend("a", wishes)
        requests, tokens = await limits.spend("a", wishes)
        assert requests is not None
        assert tokens is not None
        assert requests.wait_s > 50.0
        assert tokens.wait_s == 0.0
        assert tokens.level == pytest.approx(10 - 4 - 1 - 1, abs=CLOSE)


async def test_it_is_gone_once_it_is_full(redis: RedisServer) -> None:
    """So that no more is kept than there are clients at work."""
    async with linked(redis) as link:
        limits = RedisLimits(link, "gone")
        await _spend(limits, "a", taken=2)
        await _spend(limits, "b", taken=0, owed=1e300)
    assert 0 < int(redis.command("pttl", name_of("gone", "limit", "a"))) <= 20_001
    longest_ms = (DEBT_MINUTES_MAX + 1) * 60_000 + 1
    assert 0 < int(redis.command("pttl", name_of("gone", "limit", "b"))) <= longest_ms


@pytest.mark.parametrize("number", ["garbage", "nan", "-nan", "inf", "-inf", "1e400", "0x7f", ""])
async def test_a_hostile_number_neither_opens_nor_breaks_anything(
    redis: RedisServer, number: str
) -> None:
    """No more than the limit comes of it; what is a debt is one for a day at most."""
    name = name_of("hostile", "limit", "a")
    redis.command("del", name)
    redis.command("hset", name, "requests", number, "tokens", number, "at", number)
    async with linked(redis) as link:
        verdict = await _spend(RedisLimits(link, "hostile"), "a", taken=1)
    assert -6 * DEBT_MINUTES_MAX <= verdict.level <= 6
    assert int(redis.command("pttl", name)) > 0


async def test_another_type_is_a_failure_that_is_told(redis: RedisServer) -> None:
    """The nodes go on with their own parts, and the link says what is wrong."""
    redis.command("rpush", name_of("typed", "limit", "a"), "1")
    async with linked(redis) as link:
        with pytest.raises(SharedStoreFailed):
            await _spend(RedisLimits(link, "typed"), "a", taken=1)
        assert "wrong kind" in (link.trouble(trio.current_time()) or "").lower()
        assert link.is_up


async def test_a_replica_that_may_not_be_written_is_a_failure(fragile_redis: RedisServer) -> None:
    """After a fail-over: no limit is forgotten, each node has its part."""
    async with linked(fragile_redis) as link:
        limits = RedisLimits(link, "replica")
        await _spend(limits, "a", taken=1)
        fragile_redis.command("replicaof", "127.0.0.1", "1")
        with pytest.raises(SharedStoreFailed):
            await _spend(limits, "a", taken=1)
