"""The stream of events as its readers see it, on a clock that jumps."""

import json
from collections.abc import Sequence

import attrs
import pytest
import trio

from cortexd.domain.events import WorkerActivated, WorkerDeactivated
from cortexd.domain.ids import WorkerName
from cortexd.http.admin.events import HEARTBEAT_S, READERS_MAX, EventsDoor
from cortexd.http.doors.door import Caller, DoorRequest
from cortexd.observability.event_feed import ENTRIES_MAX, EventFeed

WORKER = WorkerName("w")


@attrs.define(eq=False)
class Reader:
    """A client that takes `pause_s` over each write."""

    pause_s: float = 0.0
    status: int = 0
    text: str = ""
    headers: dict[str, str] = attrs.Factory(dict)
    writes: int = 0
    is_finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Note the status."""
        self.status = status
        self.headers = dict(headers)

    async def send(self, data: bytes) -> None:
        """Take a write."""
        self.text += data.decode()
        self.writes += 1
        await trio.sleep(self.pause_s)

    async def finish(self) -> None:
        """Note the end."""
        self.is_finished = True

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events that have come."""
        return [
            line.removeprefix("event: ")
            for line in self.text.splitlines()
            if line.startswith("event: ")
        ]


@pytest.fixture
def feed() -> EventFeed:
    """An empty one."""
    return EventFeed(lambda: 1_000.0)


def _request(query: str = "", *, after: int | None = None) -> DoorRequest:
    headers = {} if after is None else {"last-event-id": str(after)}
    return DoorRequest(method="GET", path="/admin/events", headers=headers, body=b"", query=query)


def _stays(_caller: Caller) -> bool:
    return False


def _happen(feed: EventFeed, count: int = 1) -> None:
    for _ in range(count):
        feed.observe(WorkerActivated(worker=WORKER))


async def test_the_answer_begins_at_once(feed: EventFeed) -> None:
    """Before anything happens, so that the client knows that it is connected."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EventsDoor(feed, _stays).answer, _request(), reader)
        await trio.testing.wait_all_tasks_blocked()
        assert (reader.status, reader.writes) == (200, 1)
        assert reader.text.startswith(":")
        nursery.cancel_scope.cancel()


async def test_silence_is_broken_by_heartbeats(feed: EventFeed) -> None:
    """Also where things happen that the reader does not want to know of."""
    quiet, choosy = Reader(), Reader()
    door = EventsDoor(feed, _stays)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.answer, _request(), quiet)
        nursery.start_soon(door.answer, _request("kinds=worker_deactivated"), choosy)
        await trio.sleep(3.5 * HEARTBEAT_S)
        assert (quiet.writes, choosy.writes) == (4, 4)
        for _ in range(100):
            await trio.sleep(1)
            _happen(feed)
        assert choosy.kinds == []
        assert choosy.text.count(": still here") >= 10
        assert len(quiet.kinds) >= 99
        nursery.cancel_scope.cancel()


async def test_what_happens_together_is_sent_together(feed: EventFeed) -> None:
    """A thousand requests a second must not be a thousand writes to each reader."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EventsDoor(feed, _stays).answer, _request(), reader)
        await trio.sleep(1)
        _happen(feed, 50)
        await trio.sleep(1)
        assert (len(reader.kinds), reader.writes) == (50, 2)
        nursery.cancel_scope.cancel()


async def test_a_slow_reader_skips_and_is_told(feed: EventFeed) -> None:
    """What has left the buffer before it was read is counted; then it goes on from there."""
    reader = Reader(pause_s=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EventsDoor(feed, _stays).answer, _request(), reader)
        await trio.sleep(1)
        _happen(feed, ENTRIES_MAX + 234)
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()

    assert reader.kinds[0] == "gap"
    assert reader.kinds[1:] == ["worker_activated"] * ENTRIES_MAX
    first_data = next(line for line in reader.text.splitlines() if line.startswith("data: "))
    assert json.loads(first_data.removeprefix("data: ")) == {"missed": 234}


async def test_only_what_was_asked_for_is_sent(feed: EventFeed) -> None:
    """By kinds; the ids of the others are passed over."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        request = _request("kinds=worker_deactivated,exchange_ended")
        nursery.start_soon(EventsDoor(feed, _stays).answer, request, reader)
        await trio.sleep(1)
        _happen(feed)
        feed.observe(WorkerDeactivated(worker=WORKER))
        _happen(feed)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert reader.kinds == ["worker_deactivated"]


async def test_readers_are_limited_and_a_place_is_given_back(feed: EventFeed) -> None:
    """However a reader leaves."""
    door = EventsDoor(feed, _stays)
    async with trio.open_nursery() as nursery:
        for _ in range(READERS_MAX):
            nursery.start_soon(door.answer, _request(), Reader())
        await trio.testing.wait_all_tasks_blocked()
        turned_away = Reader()
        await door.answer(_request(), turned_away)
        assert turned_away.status == 503
        assert "too_many_readers" in turned_away.text
        assert "retry-after" in turned_away.headers
        nursery.cancel_scope.cancel()

    with trio.move_on_after(1):
        welcome = Reader()
        await door.answer(_request(), welcome)
    assert welcome.status == 200


async def test_readers_get_what_is_left_when_the_feed_closes(feed: EventFeed) -> None:
    """And then a clean end, before anybody would have to cut them off."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EventsDoor(feed, _stays).answer, _request(), reader)
        await trio.sleep(1)
        _happen(feed, 3)
        feed.close()
    assert reader.is_finished
    assert len(reader.kinds) == 3
    late = Reader()
    await EventsDoor(feed, _stays).answer(_request(), late)
    assert late.is_finished


async def test_who_logs_out_hears_no_more(feed: EventFeed) -> None:
    """Nor who has been here for too long: the next event is not theirs, nor is a heartbeat."""
    gone: set[Caller] = set()
    busy, quiet = Reader(), Reader()
    request = attrs.evolve(_request(), caller=Caller(session="cookie"))
    async with trio.open_nursery() as nursery:
        for reader in (busy, quiet):
            door = EventsDoor(feed, gone.__contains__)
            nursery.start_soon(door.answer, request, reader)
        await trio.sleep(1)
        _happen(feed)
        await trio.sleep(1)
        gone.add(request.caller)
        await trio.sleep(HEARTBEAT_S)
        _happen(feed)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [each.kinds for each in (busy, quiet)] == [["worker_activated"]] * 2
    assert [each.is_finished for each in (busy, quiet)] == [True, True]


@pytest.mark.parametrize("after", [0, 5, 10**17])
async def test_an_unknown_id_is_a_gap_and_no_loop(feed: EventFeed, after: int) -> None:
    """It is told once, whether there is anything in the buffer or not."""
    for count in (0, 2):
        _happen(feed, count)
        reader = await _read_for(3600, feed, _request(after=after))
        assert reader.kinds.count("gap") == 1


async def _read_for(seconds: float, feed: EventFeed, request: DoorRequest) -> Reader:
    reader = Reader()
    with trio.move_on_after(seconds):
        await EventsDoor(feed, _stays).answer(request, reader)
    return reader
