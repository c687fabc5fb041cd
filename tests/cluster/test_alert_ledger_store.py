"""The ledger of a cluster's alerts, in a real Redis and as the tests of the managers have it."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from cortexd.cluster.alert_ledger import NOTES_MAX, RedisAlertLedger
from cortexd.cluster.keys import key
from cortexd.cluster.redis_link import RedisLink
from cortexd.cluster_ports import AlertLedger
from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity
from cortexd.domain.alert_book import Alert, Told
from cortexd.domain.alert_ledger import Acknowledged, HandedOver, Ledger, Untold
from cortexd.domain.cluster import NodeName
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Event, SharedValueRejected
from tests.actors.alert_store import Store, Wire
from tests.cluster.linked import HANGS_S, linked
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

B = NodeName("b")
CONDITION = Condition(
    rule=Rule.BREAKER_OPEN, target="größer/x", severity=Severity.WARNING, message="broken: mend it"
)
SEEN = Told(at=12.0, severity=Severity.WARNING, worst=Severity.CRITICAL)
ALERT = Alert(
    condition=CONDITION,
    state=AlertState.FIRING,
    since=10.0,
    absent_since=11.0,
    last_fired=12.0,
    resolved=None,
    count=3,
    told=SEEN,
)
NOTICE = Notice(
    alert_id=CONDITION.alert_id,
    rule=CONDITION.rule,
    target=CONDITION.target,
    severity=CONDITION.severity,
    occasion=Occasion.FIRED,
    message=CONDITION.message,
    since=10.0,
    at=12.0,
)
LEDGER = Ledger(
    revision=4,
    book={CONDITION.alert_id: ALERT},
    untold=(Untold(notice=NOTICE, channels=("hook", "log-0")),),
    members={B: 7},
    lost={NodeName("c"): 9.0},
)


@attrs.define(eq=False)
class Desk:
    """A ledger of one cluster, and the nodes' ways to it."""

    cluster: str
    link: RedisLink | None
    store: Store = attrs.Factory(Store)
    events: list[Event] = attrs.Factory(list)

    def end(self) -> AlertLedger:
        """One node's."""
        if self.link is None:
            return Wire(self.store)
        return RedisAlertLedger(self.link, cluster=self.cluster, emit=self.events.append)

    def key(self, part: str) -> str:
        """What it is called in Redis."""
        return key(self.cluster, "alerts", part)


@asynccontextmanager
async def _desk(server: RedisServer, *, is_real: bool = True) -> AsyncIterator[Desk]:
    async with linked(server) as link:
        yield Desk(secrets.token_hex(4), link if is_real else None)


both = pytest.mark.parametrize("is_real", [True, False], ids=["redis", "memory"])


def _is_same(ledger: Ledger | None, other: Ledger, *, off_s: float = 1.0) -> bool:
    """Whether it is the same, give or take the time that the way takes."""
    if ledger is None:
        return False
    by_s = other.lost[NodeName("c")] - ledger.lost[NodeName("c")]
    moved = ledger.shifted(by_s)

    def rounded(alert: Alert) -> Alert:
        return attrs.evolve(
            alert,
            since=round(alert.since, 3),
            absent_since=round(alert.absent_since or 0.0, 3),
            last_fired=round(alert.last_fired or 0.0, 3),
            told=attrs.evolve(alert.told or SEEN, at=round((alert.told or SEEN).at, 3)),
        )

    found = rounded(moved.book[CONDITION.alert_id])
    notice = moved.untold[0].notice
    return (
        abs(by_s) < off_s
        and found == rounded(other.book[CONDITION.alert_id])
        and (round(notice.since, 3), round(notice.at, 3)) == (10.0, 12.0)
        and moved.untold[0].channels == ("hook", "log-0")
        and moved.members == other.members
        and moved.revision == other.revision
    )


@both
async def test_what_the_leader_writes_all_read(redis: RedisServer, *, is_real: bool) -> None:
    """Once: who has that revision is not told it again."""
    async with _desk(redis, is_real=is_real) as desk:
        leader, other = desk.end(), desk.end()
        nothing = await other.look(0)
        assert (nothing.revision, nothing.token, nothing.ledger) == (0, 0, None)
        assert await leader.write(LEDGER, token=5, notes_done=0)
        reading = await other.look(0)
        assert (reading.revision, reading.token) == (4, 5)
        assert _is_same(reading.ledger, LEDGER)
        assert (await other.look(4)).ledger is None
        assert _is_same((await other.look(6)).ledger, LEDGER)


@both
async def test_a_leader_of_yesterday_writes_nothing(redis: RedisServer, *, is_real: bool) -> None:
    """Nor does one that has not seen what was written last."""
    async with _desk(redis, is_real=is_real) as desk:
        old, new = desk.end(), desk.end()
        assert await old.write(LEDGER, token=5, notes_done=0)
        assert await new.write(attrs.evolve(LEDGER, revision=6), token=8, notes_done=0)
        assert not await old.write(attrs.evolve(LEDGER, revision=8), token=5, notes_done=0)
        assert not await new.write(attrs.evolve(LEDGER, revision=6), token=8, notes_done=0)
        reading = await old.look(0)
        assert (reading.revision, reading.token) == (6, 8)


@both
async def test_what_was_forgotten_is_put_back(redis: RedisServer, *, is_real: bool) -> None:
    """The latest of what is offered, and nothing any more once the leader has written."""
    async with _desk(redis, is_real=is_real) as desk:
        end = desk.end()
        for revision, is_newer in ((4, True), (3, False), (5, True), (5, False)):
            offered = attrs.evolve(LEDGER, revision=revision)
            assert await end.offer(offered, leader=8) is is_newer
        reading = await end.look(0)
        assert (reading.revision, reading.token) == (5, 0)
        assert _is_same(reading.ledger, attrs.evolve(LEDGER, revision=5))
        assert await end.write(attrs.evolve(LEDGER, revision=6), token=8, notes_done=0)
        assert not await end.offer(attrs.evolve(LEDGER, revision=99), leader=8)
        # That one is gone, and the next has not written yet.
        assert await end.offer(attrs.evolve(LEDGER, revision=7), leader=9)


@both
async def test_notes_are_there_until_they_are_written_in(
    redis: RedisServer, *, is_real: bool
) -> None:
    """In their order; those that come in between stay."""
    async with _desk(redis, is_real=is_real) as desk:
        end = desk.end()
        notes = [Acknowledged(alert_id=f"breaker_open:{n}") for n in range(3)]
        for note in notes[:2]:
            await end.hand_in(note)
        assert (await end.look(0)).notes_count == 0
        reading = await end.look(0, with_notes=True)
        assert (list(reading.notes), reading.notes_count) == (notes[:2], 2)
        await end.hand_in(notes[2])
        assert await end.write(LEDGER, token=5, notes_done=reading.notes_count)
        assert list((await end.look(4, with_notes=True)).notes) == notes[2:]


@both
async def test_alerts_are_handed_over_with_their_times(
    redis: RedisServer, *, is_real: bool
) -> None:
    """On the clock of whoever reads them."""
    async with _desk(redis, is_real=is_real) as desk:
        end = desk.end()
        await end.hand_in(HandedOver(node=B, token=7, alerts=(ALERT,)))
        (note,) = (await end.look(0, with_notes=True)).notes
        assert isinstance(note, HandedOver)
        assert (note.node, note.token) == (B, 7)
        (alert,) = note.alerts
        by_s = ALERT.since - alert.since
        assert abs(by_s) < 1.0
        assert alert.shifted(by_s).state is AlertState.FIRING
        assert alert.shifted(by_s).count == 3


async def test_a_reader_with_another_clock_has_the_times_on_it(redis: RedisServer) -> None:
    """A node that was started an hour before has read another time for the same moment."""
    async with _desk(redis) as desk:
        end = desk.end()
        assert await end.write(LEDGER, token=5, notes_done=0)
        data = json.loads(redis.command("hget", desk.key("ledger"), "data"))
        data["written_at"] += 3600.0
        redis.command("hset", desk.key("ledger"), "data", json.dumps(data))
        ledger = (await end.look(0)).ledger
        assert ledger is not None
        assert abs(ledger.book[CONDITION.alert_id].since - (10.0 - 3600.0)) < 5.0


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "{",
        "[]",
        "\x80\x04K\x01.",
        '{"written_at": 1e300, "alerts": [], "untold": [], "members": {}, "lost": {}}',
        '{"written_at": 1, "alerts": [1], "untold": [], "members": {}, "lost": {}}',
        '{"written_at": 1, "alerts": [], "untold": [], "members": {"a": -1}, "lost": {}}',
        '{"written_at": 1, "alerts": [], "untold": [], "members": {"'
        + "n" * 501
        + '": 1}, "lost": {}}',
    ],
)
async def test_r6_garbage_is_told_once_and_written_over(redis: RedisServer, garbage: str) -> None:
    """Nobody goes by it."""
    async with _desk(redis) as desk:
        end = desk.end()
        redis.command("hset", desk.key("ledger"), "revision", "7", "token", "3", "data", garbage)
        for _ in range(3):
            reading = await end.look(0)
            assert (reading.revision, reading.ledger) == (7, None)
        assert [type(event) for event in desk.events] == [SharedValueRejected]
        assert await end.write(attrs.evolve(LEDGER, revision=8), token=5, notes_done=0)
        assert (await end.look(0)).ledger is not None


@pytest.mark.parametrize(
    "number", ["x", "-3", "1e300", "nan", "inf", "-inf", "99999999999999999999"]
)
async def test_r6_numbers_that_are_none(redis: RedisServer, number: str) -> None:
    """They are 0, so that a leader can write."""
    async with _desk(redis) as desk:
        end = desk.end()
        ledger = desk.key("ledger")
        redis.command("hset", ledger, "revision", number, "token", number, "at", number)
        reading = await end.look(1)
        assert (reading.revision, reading.token) == (0, 0)
        assert await end.write(LEDGER, token=5, notes_done=0)


async def test_r6_notes_that_are_none_are_passed_over(redis: RedisServer) -> None:
    """Each is told, counted, and gone with the next writing."""
    async with _desk(redis) as desk:
        end = desk.end()
        huge = '1 {"type":"acknowledged","alert_id":"' + "x" * 300_000 + '"}'
        hostile = ("", "x", "1 {}", "1 " + "9" * 5000, "9" * 5000 + " {}", huge, "-5 []")
        assert desk.link is not None
        notes = desk.key("notes")
        await desk.link.call(lambda client: client.rpush(notes, hostile), limit_s=HANGS_S)
        await end.hand_in(Acknowledged(alert_id="breaker_open:x"))
        reading = await end.look(0, with_notes=True)
        assert list(reading.notes) == [Acknowledged(alert_id="breaker_open:x")]
        assert reading.notes_count == len(hostile) + 1
        assert len(desk.events) == len(hostile)
        assert await end.write(LEDGER, token=5, notes_done=reading.notes_count)
        assert (await end.look(4, with_notes=True)).notes_count == 0


async def test_a_rule_that_is_not_known_here_is_passed_over(redis: RedisServer) -> None:
    """A newer node has written it."""
    async with _desk(redis) as desk:
        end = desk.end()
        assert await end.write(LEDGER, token=5, notes_done=0)
        data = redis.command("hget", desk.key("ledger"), "data")
        newer = data.replace('"breaker_open"', '"from_the_future"')
        redis.command("hset", desk.key("ledger"), "data", newer)
        ledger = (await end.look(0)).ledger
        assert ledger is not None
        assert (ledger.book, ledger.untold, ledger.members) == ({}, (), {B: 7})
        assert desk.events == []


async def test_no_more_notes_are_kept_than_a_leader_could_read(redis: RedisServer) -> None:
    """Nobody fills Redis with them where there is no leader."""
    async with _desk(redis) as desk:
        end = desk.end()
        for _ in range(NOTES_MAX):
            await end.hand_in(Acknowledged(alert_id="breaker_open:x"))
        with pytest.raises(SharedStoreFailed, match="notes wait"):
            await end.hand_in(Acknowledged(alert_id="breaker_open:x"))
        assert 0 < int(redis.command("ttl", desk.key("notes"))) <= 60


async def test_r3_what_is_of_another_type_is_a_refusal(redis: RedisServer) -> None:
    """No exception of the library gets out."""
    async with _desk(redis) as desk:
        redis.command("set", desk.key("ledger"), "x")
        with pytest.raises(SharedStoreFailed, match=r"wrong kind|WRONGTYPE"):
            await desk.end().look(0)
