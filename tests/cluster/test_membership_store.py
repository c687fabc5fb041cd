"""The members in a real Redis: who joins, stays, leaves, dies, comes back, and writes nonsense."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from cortexd.cluster.keys import key
from cortexd.cluster.membership import RedisMembership
from cortexd.cluster.redis_link import RedisLink
from cortexd.config.server_url import parse_server_url
from cortexd.domain.alert import Condition, Rule, Severity
from cortexd.domain.cluster import (
    Identity,
    NameTaken,
    NodeName,
    NodeReport,
    Sighting,
    Verdict,
    WorkerReport,
)
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Event, SharedValueRejected
from cortexd.domain.ids import WorkerName
from tests.servers.redis import RedisServer

HANGS_S = 20.0
HELD_S = 0.4

pytestmark = pytest.mark.real_time

REPORT = NodeReport(
    address="http://10.0.0.7:4001",
    version="1.2.3",
    in_flight=3,
    requests_per_second=1.5,
    status="healthy",
    degradation_level="minor_issues",
    workers=(
        WorkerReport(
            name=WorkerName("gpu"),
            type="ollama",
            is_active=True,
            state="available",
            breaker="closed",
            is_owned=True,
            identity=Identity("x1"),
            is_preferred=True,
            since=1.25,
            verdict=Verdict(is_good=True, models=("llama", "phi"), age_s=0.5),
        ),
        WorkerReport(
            name=WorkerName("cpu"), type="openai", is_active=False, state="busy", breaker="open"
        ),
    ),
    conditions=(
        Condition(
            rule=Rule.BREAKER_OPEN, target="cpu", severity=Severity.WARNING, message="look at it"
        ),
    ),
)


@attrs.define(eq=False)
class Meeting:
    """A cluster in Redis, and what nodes have told."""

    server: RedisServer
    cluster: str
    link: RedisLink
    events: list[Event] = attrs.Factory(list)

    def end(self, node: str, instance: str = "1", *, held_s: float = 60.0) -> RedisMembership:
        """A node's end of it."""
        return RedisMembership(
            self.link,
            cluster=self.cluster,
            node=NodeName(node),
            instance=instance,
            held_s=held_s,
            emit=self.events.append,
        )

    def redis(self, *words: str) -> str:
        """What somebody else does to it."""
        return self.server.command(*words)

    def key(self, part: str) -> str:
        """Where something is."""
        return key(self.cluster, part)


@asynccontextmanager
async def _meeting(server: RedisServer, cluster: str) -> AsyncIterator[Meeting]:
    chance = random.Random(1)  # noqa: S311  a seed, no secret
    link = RedisLink(
        parse_server_url(server.url), client_name=cluster, chance=chance, emit=lambda _: None
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await _wait_up(link)
        yield Meeting(server, cluster, link)
        nursery.cancel_scope.cancel()


async def _wait_up(link: RedisLink) -> None:
    with trio.fail_after(HANGS_S):
        while not link.is_up:  # noqa: ASYNC110  the hot path asks it, too
            await trio.sleep(0.01)


async def _beat(end: RedisMembership, token: int = 0, known: int = 0) -> Sighting:
    return await end.beat(REPORT, token=token, known_token=known)


def _seen(sighting: Sighting) -> dict[str, int]:
    return {member.name: member.token for member in sighting.members}


async def _beat_again(end: RedisMembership, token: int) -> Sighting:
    """As soon as it is there again."""
    with trio.fail_after(HANGS_S):
        while True:
            try:
                return await _beat(end, token, token)
            except SharedStoreFailed:
                await trio.sleep(0.05)


async def test_what_a_node_tells_is_what_others_read(redis: RedisServer) -> None:
    """All of it, with the times of Redis."""
    async with _meeting(redis, "told") as meeting:
        mine = await _beat(meeting.end("a"))
        theirs = await _beat(meeting.end("b"))
        assert (_seen(mine), _seen(theirs)) == ({"a": 1}, {"a": 1, "b": 2})
        a, b = theirs.members
        assert a.report == b.report == REPORT
        assert mine.at == a.joined_at == a.reported_at < b.joined_at == theirs.at
        assert mine.born_at == theirs.born_at == mine.at


async def test_a_member_keeps_its_token_and_a_joiner_gets_a_greater_one(redis: RedisServer) -> None:
    """Greater than any that it has seen, too."""
    async with _meeting(redis, "tokens") as meeting:
        a = meeting.end("a")
        first = await _beat(a)
        again = await _beat(a, first.token, first.token)
        assert (again.token, again.members[0].joined_at) == (1, first.members[0].joined_at)
        assert (await _beat(a)).token == 2
        assert (await _beat(meeting.end("b"), 0, 40)).token == 41
        assert (await _beat(meeting.end("c"))).token == 42


async def test_a_lease_runs_out_by_the_clock_of_redis(redis: RedisServer) -> None:
    """Who has not beaten in time is gone, and joins anew."""
    async with _meeting(redis, "leases") as meeting:
        short, long = meeting.end("a", held_s=HELD_S), meeting.end("b")
        await _beat(short)
        token = (await _beat(long)).token
        with trio.fail_after(HANGS_S):
            while "a" in _seen(sighting := await _beat(long, token)):
                assert not sighting.left
                await trio.sleep(0.02)
        assert (await _beat(short, 1)).token == 3


async def test_two_of_one_name(redis: RedisServer) -> None:
    """The second one is told, until the first has left or its lease is over."""
    async with _meeting(redis, "names") as meeting:
        first, second = meeting.end("a", "1"), meeting.end("a", "2", held_s=HELD_S)
        await _beat(first)
        with pytest.raises(NameTaken, match="another node is called a"):
            await _beat(second)
        await second.leave()
        assert (await _beat(first, 1)).token == 1
        await first.leave()
        assert (await _beat(second)).token == 2


async def test_who_has_left_is_told_apart_from_the_dead(redis: RedisServer) -> None:
    """For as long as its lease would have lasted."""
    async with _meeting(redis, "leaving") as meeting:
        a, b = meeting.end("a"), meeting.end("b")
        await _beat(a)
        await a.leave()
        sighting = await _beat(b)
        assert _seen(sighting) == {"b": 2}
        assert sighting.left == {"a"}
        assert _seen(await _beat(a)) == {"a": 3, "b": 2}


async def test_a_redis_that_starts_anew(fragile_redis: RedisServer) -> None:
    """All join again with greater tokens, and it is known since when this one has been there."""
    async with _meeting(fragile_redis, "anew") as meeting:
        end = meeting.end("a")
        before = await _beat(end)
        fragile_redis.kill()
        fragile_redis.start()
        after = await _beat_again(end, before.token)
        assert after.token == before.token + 1
        assert after.born_at > before.born_at


async def test_nonsense_is_told_once_and_harms_nobody(redis: RedisServer) -> None:
    """A report that is none leaves a member of whom nothing is known; a lease that is none goes."""
    async with _meeting(redis, "nonsense") as meeting:
        end = meeting.end("a")
        await _beat(end)
        await _beat(meeting.end("b"))
        nonsense = (
            *('{"workers": [{"name": ""}]}', '{"in_flight": -1}', "\\x00", "[1]"),
            '{"workers": [' + ",".join(["{}"] * 5) + "]}",
            '{"status": "' + "x" * 70_000 + '"}',
            '{"new": ' + "[" * 60_000,
        )
        for text in nonsense:
            meeting.redis("hset", meeting.key("reports"), "b", text)
            sighting = await _beat(end, 1)
            assert sighting.members[1].report == NodeReport()
        rejected = [event for event in meeting.events if isinstance(event, SharedValueRejected)]
        assert [event.what for event in rejected] == ["the report of b"]
        for text in ("", "1", "x x x x x x", "1 2 99999999999999999999 3 7 i"):
            meeting.redis("hset", meeting.key("members"), "c", text)
            assert _seen(await _beat(end, 1)) == {"a": 1, "b": 2}
        assert meeting.redis("hexists", meeting.key("members"), "c") == "0"


async def test_an_alert_that_is_not_known_here_is_passed_over(redis: RedisServer) -> None:
    """It comes from a newer node."""
    async with _meeting(redis, "newer") as meeting:
        end = meeting.end("a")
        await _beat(end)
        report = (
            '{"status":"ok","new":1,"conditions":[{"rule":"new","severity":"info","message":"m"}]}'
        )
        await _beat(meeting.end("b"))
        meeting.redis("hset", meeting.key("reports"), "b", report)
        assert (await _beat(end, 1)).members[1].report == NodeReport(status="ok")
        assert not meeting.events


async def test_a_report_that_is_too_long_is_cut(redis: RedisServer) -> None:
    """Members stay members with whatever there is room for."""
    async with _meeting(redis, "long") as meeting:
        models = tuple(f"{number:0100}" for number in range(100))
        workers = tuple(
            WorkerReport(
                name=WorkerName(f"w{number}"),
                type="ollama",
                is_active=True,
                state="available",
                breaker="closed",
                verdict=Verdict(is_good=True, models=models),
            )
            for number in range(2000)
        )
        sighting = await meeting.end("a").beat(NodeReport(workers=workers), token=0, known_token=0)
        found = sighting.members[0].report.workers
        assert 100 < len(found) < 1000
        assert found[0].verdict is None
        assert not meeting.events


async def test_members_that_were_evicted_join_again(redis: RedisServer) -> None:
    """As in a Redis that has been there for no time: an earlier leader may not know yet."""
    async with _meeting(redis, "evicted") as meeting:
        end = meeting.end("a")
        first = await _beat(end)
        meeting.redis("del", meeting.key("members"))
        again = await _beat(end, first.token, first.token)
        assert again.token == 2
        assert again.born_at > first.born_at
