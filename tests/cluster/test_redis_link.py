"""The way to Redis against a real one that is killed, frozen, full and wrong."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.redis_link import LATE_IN_A_ROW_MAX, Client, RedisLink
from cortexd.config.server_url import parse_server_url
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import ClusterLinkChanged, Event
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 20.0


class _Linked:
    def __init__(self, url: str) -> None:
        self.events: list[Event] = []
        self.link = RedisLink(
            parse_server_url(url),
            client_name="test",
            chance=random.Random(1),  # noqa: S311  waits, no secret
            emit=self.events.append,
        )

    async def wait(self, *, is_up: bool) -> None:
        with trio.fail_after(HANGS_S):
            while self.link.is_up is not is_up:  # noqa: ASYNC110  the hot path asks it, too
                await trio.sleep(0.01)

    async def get(self) -> bytes | None:
        return await self.link.call(lambda client: client.get("a"))


@asynccontextmanager
async def _linked(url: str) -> AsyncIterator[_Linked]:
    linked = _Linked(url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(linked.link.run)
        yield linked
        nursery.cancel_scope.cancel()


async def test_commands_and_scripts(redis: RedisServer) -> None:
    """A script is known by its digest, whether or not Redis has seen it."""
    script = LuaScript("return {KEYS[1], ARGV[1], ARGV[2]}")
    async with _linked(redis.url) as linked:
        await linked.wait(is_up=True)
        await linked.link.call(lambda client: client.set("a", b"1"))
        assert await linked.get() == b"1"
        for _ in range(2):
            said = await linked.link.run_script(script, ["k"], ["x", 7], limit_s=HANGS_S)
            assert list(said) == [b"k", b"x", b"7"]
        assert linked.link.trouble(trio.current_time()) is None


async def test_one_that_is_not_there_costs_nobody_a_wait() -> None:
    """It is told why, once, and goes on trying by itself."""
    async with _linked("redis://127.0.0.1:9") as linked:
        await trio.sleep(1.0)
        with pytest.raises(SharedStoreFailed, match="cannot be reached"):
            await linked.get()
        (told,) = linked.events
        assert isinstance(told, ClusterLinkChanged)
        assert (told.is_up, told.reason) == (False, linked.link.trouble(trio.current_time()))
        assert "cannot be reached" in (linked.link.trouble(trio.current_time()) or "")


async def test_a_killed_one_is_down_and_comes_back(fragile_redis: RedisServer) -> None:
    """Both are told, once each."""
    async with _linked(fragile_redis.url) as linked:
        await linked.wait(is_up=True)
        fragile_redis.kill()
        with pytest.raises(SharedStoreFailed):
            await linked.get()
        await linked.wait(is_up=False)
        fragile_redis.start()
        await linked.wait(is_up=True)
        assert await linked.get() is None
    assert [type(event) is ClusterLinkChanged and event.is_up for event in linked.events][:3] == [
        True,
        False,
        True,
    ]


async def test_a_frozen_one_makes_few_wait(fragile_redis: RedisServer) -> None:
    """After a few late calls nobody waits any more; once it goes on, the link is up again."""
    async with _linked(fragile_redis.url) as linked:
        await linked.wait(is_up=True)
        fragile_redis.freeze()
        for _ in range(LATE_IN_A_ROW_MAX):
            assert linked.link.is_up
            with pytest.raises(SharedStoreFailed, match="no answer within"):
                await linked.get()
        assert not linked.link.is_up
        with trio.fail_after(1.0):
            for _ in range(1000):
                with pytest.raises(SharedStoreFailed, match="no answer within"):
                    await linked.get()
        fragile_redis.thaw()
        await linked.wait(is_up=True)
        assert await linked.get() is None


async def test_who_gives_up_leaves_the_link_as_it_is(redis: RedisServer) -> None:
    """A client that leaves in the middle of a call is no verdict on Redis."""
    async with _linked(redis.url) as linked:
        await linked.wait(is_up=True)
        for _ in range(50):
            with trio.move_on_after(0.00005):
                await linked.get()
        assert linked.link.is_up
        await linked.link.call(lambda client: client.get("a"), limit_s=HANGS_S)
        assert len(linked.events) == 1


async def test_refusals_are_told_and_break_nothing(fragile_redis: RedisServer) -> None:
    """Full, and of another type: a call fails, and the others go on."""

    async def fill(client: Client) -> object:
        return await client.set("b", b"x" * 1000)

    async with _linked(fragile_redis.url) as linked:
        await linked.wait(is_up=True)
        fragile_redis.command("config", "set", "maxmemory", "1")
        with pytest.raises(SharedStoreFailed, match=r"OOM|maxmemory"):
            await linked.link.call(fill, limit_s=HANGS_S)
        assert linked.link.is_up
        assert "maxmemory" in (linked.link.trouble(trio.current_time()) or "")
        fragile_redis.command("config", "set", "maxmemory", "0")
        fragile_redis.command("rpush", "a", "1")
        with pytest.raises(SharedStoreFailed, match=r"WRONGTYPE|wrong kind"):
            await linked.link.call(lambda client: client.get("a"), limit_s=HANGS_S)


async def test_a_wrong_password_is_said(fragile_redis: RedisServer) -> None:
    """In words, without the password."""
    fragile_redis.command("config", "set", "requirepass", "right")
    url = f"redis://:wrong-{'x' * 8}@127.0.0.1:{fragile_redis.port}"
    async with _linked(url) as linked:
        await trio.sleep(0.5)
        trouble = linked.link.trouble(trio.current_time())
    assert trouble is not None
    assert "password" in trouble.lower()
    assert "wrong-x" not in trouble
