"""The ring of the latest events, and what its readers find in it."""

import json
from collections.abc import Sequence

import pytest
import trio

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.events import BreakerChanged, ExchangeEnded, WorkerActivated
from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.observability.event_feed import BYTES_MAX, ENTRIES_MAX, EventFeed
from cortexd.observability.recent_exchanges import RecentExchanges
from cortexd.ports import FeedEntry

WALL_S = 1_800_000_000.0
FIRST = int(WALL_S * 1000)
ALL = 10_000


def _feed() -> EventFeed:
    return EventFeed(lambda: WALL_S, more_kinds=["child_restarted"])


def _activated(name: str = "w") -> WorkerActivated:
    return WorkerActivated(worker=WorkerName(name))


def _ended(number: int = 0, *, failures: tuple[str, ...] = ()) -> ExchangeEnded:
    return ExchangeEnded(
        request_id=RequestId(f"r-{number}"),
        door="openai",
        model="m",
        outcome=Outcome.SERVED,
        duration_s=1.23456789,
        first_token_s=None,
        worker=WorkerName("w"),
        candidates=(),
        attempts=1,
        failures=failures,
        resumed=0,
        cache=CacheUse.BYPASS,
        usage=None,
        usage_is_estimate=False,
    )


def _numbers(entries: Sequence[FeedEntry]) -> list[int]:
    return [entry.number for entry in entries]


def test_events_are_numbered_documents() -> None:
    """A kind in snake case, a time, and the fields in JSON; what is no event is among them."""
    feed = _feed()
    before = feed.latest
    feed.observe(_activated("groq"))
    feed.add("child_restarted", {"child": "root/a"})

    first, second = feed.read(before, entries_max=ALL).entries

    assert (first.number, second.number) == (FIRST, FIRST + 1)
    assert (first.kind, second.kind) == ("worker_activated", "child_restarted")
    at = "2027-01-15T08:00:00+00:00"
    assert json.loads(first.data) == {"at": at, "worker": "groq"}
    assert json.loads(second.data) == {"at": at, "child": "root/a"}
    assert {first.kind, second.kind} <= feed.kinds


def test_a_reader_goes_on_behind_its_number() -> None:
    """It gets what is new to it, the oldest first, and no more than it asks for."""
    feed = _feed()
    for _ in range(5):
        feed.observe(_activated())

    reading = feed.read(FIRST + 1, entries_max=2)

    assert (reading.missed, _numbers(reading.entries)) == (0, [FIRST + 2, FIRST + 3])
    assert feed.read(feed.latest, entries_max=2).entries == ()
    assert feed.read(feed.latest, entries_max=2).missed == 0


def test_who_comes_too_late_is_told_how_much_it_has_missed() -> None:
    """The ring keeps so many entries; what fell out of it is counted."""
    feed = _feed()
    before = feed.latest
    for _ in range(ENTRIES_MAX + 7):
        feed.observe(_activated())

    reading = feed.read(before, entries_max=ALL)

    assert reading.missed == 7
    assert len(reading.entries) == ENTRIES_MAX
    assert reading.entries[0].number == FIRST + 7


@pytest.mark.parametrize("number", [0, FIRST - 2, FIRST + 1000])
def test_a_number_of_another_run_is_none_of_ours(number: int) -> None:
    """Nobody knows what was missed; what is there is given from its beginning."""
    feed = _feed()
    feed.observe(_activated())

    reading = feed.read(number, entries_max=ALL)

    assert reading.missed is None
    assert _numbers(reading.entries) == [FIRST]


def test_the_ring_is_bounded_by_bytes() -> None:
    """An account that quotes long failures takes the room of many short ones."""
    feed = _feed()
    before = feed.latest
    for number in range(20):
        feed.observe(_ended(number, failures=("x" * (BYTES_MAX // 10),)))

    reading = feed.read(before, entries_max=ALL)

    assert len(reading.entries) == 9
    assert reading.missed == 11


async def test_a_reader_waits_for_more() -> None:
    """It wakes with the next event, and not before; all who wait do."""
    feed = _feed()
    woken: list[float] = []

    async def wait() -> None:
        await feed.wait_beyond(feed.latest)
        woken.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.sleep(10)
        assert woken == []
        feed.observe(_activated())

    assert len(woken) == 2


async def test_readers_leave_with_the_feed() -> None:
    """Nobody waits behind its end, whether they came before it or after."""
    feed = _feed()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.wait_beyond, feed.latest)
        await trio.testing.wait_all_tasks_blocked()
        feed.close()
    await feed.wait_beyond(feed.latest)
    assert feed.is_closed


def test_recent_exchanges_are_the_latest_first_and_not_too_many() -> None:
    """Accounts with all of their fields, and when they were closed; other events are passed by."""
    recent = RecentExchanges(lambda: WALL_S)
    for number in range(250):
        recent.observe(_ended(number))
    recent.observe(
        BreakerChanged(worker=WorkerName("w"), before="a", after="b", reason="c", open_s=None)
    )

    documents = recent.documents()

    assert [one["request_id"] for one in documents] == [f"r-{n}" for n in range(249, 49, -1)]
    assert documents[0]["ended_at"] == "2027-01-15T08:00:00+00:00"
    assert (documents[0]["outcome"], documents[0]["duration_s"]) == ("served", 1.234568)
