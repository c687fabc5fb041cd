"""Retrying dead letters: one at a time each, a few in all; what breaks off changes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.published import Published
from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.dead_letter import (
    DeadLetter,
    DeadLetterLimits,
    DeadLetterStats,
    dead_letter_id,
)
from cortexd.domain.errors import DeadlineExceeded, RequestRefused, StorageFailed
from cortexd.domain.events import DeadLetterRetried, Event
from cortexd.domain.ids import DeadLetterId, RequestId
from cortexd.domain.outcome import Outcome
from cortexd.http.admin.dead_letters import RETRIES_MAX, DeadLettersAdmin
from cortexd.http.dead_letter_retry import ANSWER_BYTES_MAX, DeadLetterRunner
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters
from tests.inline_database import InlineDatabase

PATH = "/v1/chat/completions"
BODY = b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"seed":1}'


@attrs.define(eq=False)
class FakeDoor(Door):
    """Answers what a test says, once it lets go."""

    pieces: Sequence[bytes] = (b'{"a":', b"1}")
    is_open: trio.Event = attrs.Factory(trio.Event)
    finishes: bool = True
    requests: list[DoorRequest] = attrs.Factory(list)

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        self.requests.append(request)
        await self.is_open.wait()
        await respond.start(200, [])
        for piece in self.pieces:
            await respond.send(piece)
        if self.finishes:
            await respond.finish()


class Office:
    """The operations over a queue of letters."""

    def __init__(self, door: FakeDoor) -> None:
        limits = DeadLetterLimits(entries_max=100, bytes_max=10**8, age_s_max=10**6)
        self.database = InlineDatabase(Path("unused"), MIGRATIONS)
        self.store = SqliteDeadLetters(self.database, limits)
        self.stats = Published(DeadLetterStats())
        self.events: list[Event] = []
        runner = DeadLetterRunner(doors={PATH: door}, wall_clock=lambda: 1000.0)
        self.admin = DeadLettersAdmin(
            self.store, self.stats, runner, self.events.append, lambda: 1000.0
        )

    async def keep(self, number: int = 0, *, path: str = PATH) -> DeadLetterId:
        """Another letter."""
        letter = DeadLetter(
            id=dead_letter_id(float(number), 0),
            kept_at=float(number),
            request_id=RequestId("r-1"),
            door="openai",
            path=path,
            model="m",
            outcome=Outcome.FAILED,
            error="server_error",
            message="",
            attempts=(),
            key_id=ClientKeyId("abcd1234"),
            body_bytes=len(BODY),
            has_body=True,
            body=BODY,
        )
        await self.store.keep(letter)
        return letter.id

    async def retry(self, letter: DeadLetterId) -> Any:
        """The item after it."""
        _, document = await self.admin.retry(_request(letter))
        return document


def _request(letter: DeadLetterId, body: bytes = b"") -> DoorRequest:
    headers = {"content-type": "application/json"}
    return DoorRequest(method="POST", path="/", headers=headers, body=body, params={"id": letter})


@pytest.fixture
def door() -> FakeDoor:
    """One that answers at once."""
    door = FakeDoor()
    door.is_open.set()
    return door


async def test_a_retry_asks_as_the_client_did(door: FakeDoor) -> None:
    """In its name, for the whole answer, within a time, and not out of a cache."""
    office = Office(door)
    letter = await office.keep()

    item = await office.retry(letter)

    [asked] = door.requests
    assert (asked.method, asked.path, asked.is_retry) == ("POST", PATH, True)
    assert asked.body == b'{"model":"m","stream":false,"seed":1}'
    assert asked.caller.key_id == ClientKeyId("abcd1234")
    assert asked.headers["x-request-timeout"] == "60"
    assert asked.headers["cache-control"] == "no-cache"
    assert asked.headers["x-request-id"] == "r-1"
    assert item["retried"]["answer"] == {"a": 1}
    assert office.events == [DeadLetterRetried(dead_letter=letter, status=200)]


async def test_a_long_answer_is_cut(door: FakeDoor) -> None:
    """What is kept of it is bounded, and said to be the beginning."""
    door.pieces = [b"x" * 100_000] * 5
    office = Office(door)
    item = await office.retry(await office.keep())
    assert len(item["retried"]["answer"]) == ANSWER_BYTES_MAX
    assert item["retried"]["answer_is_cut"] is True


async def test_one_retry_at_a_time_of_each_and_few_in_all() -> None:
    """Until it has ended, the letter cannot be retried, deleted or purged."""
    door = FakeDoor()
    office = Office(door)
    letters = [await office.keep(number) for number in range(RETRIES_MAX + 1)]
    async with trio.open_nursery() as nursery:
        for letter in letters[:RETRIES_MAX]:
            nursery.start_soon(office.retry, letter)
        await trio.testing.wait_all_tasks_blocked()

        for operation in (office.admin.retry, office.admin.delete):
            with pytest.raises(RequestRefused) as refused:
                await operation(_request(letters[0]))
            assert (refused.value.status, refused.value.code) == (409, "being_retried")
        with pytest.raises(RequestRefused) as refused:
            await office.retry(letters[-1])
        assert (refused.value.status, refused.value.code) == (429, "too_many_retries")
        _, purged = await office.admin.purge(_request(letters[0], b"{}"))
        assert purged == {"purged": 1}
        door.is_open.set()

    assert len(office.events) == RETRIES_MAX
    await office.retry(letters[0])


async def test_an_operator_who_leaves_changes_nothing() -> None:
    """The exchange ends with them, and the letter is free again."""
    door = FakeDoor()
    office = Office(door)
    letter = await office.keep()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(office.retry, letter)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    found = await office.store.find(letter)
    assert found is not None
    assert (found.retries, found.retried) == (0, None)
    door.is_open.set()
    assert (await office.retry(letter))["retries"]["count"] == 1


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_retry_that_comes_to_no_end_is_given_up(*, hangs: bool) -> None:
    """Whether the door hangs or leaves its answer unfinished."""
    door = FakeDoor(finishes=False)
    if not hangs:
        door.is_open.set()
    office = Office(door)
    letter = await office.keep()
    with pytest.raises(DeadlineExceeded):
        await office.retry(letter)
    found = await office.store.find(letter)
    assert found is not None
    assert found.retried is None


async def test_a_door_that_has_gone_is_named(door: FakeDoor) -> None:
    """A letter may be older than the daemon."""
    office = Office(door)
    letter = await office.keep(path="/v1/gone")
    with pytest.raises(RequestRefused, match="door is not there") as refused:
        await office.retry(letter)
    assert refused.value.status == 409


async def test_a_letter_that_cannot_be_read_is_not_sent(door: FakeDoor) -> None:
    """Operators see that it is there, and can throw it away; the others are as ever."""
    office = Office(door)
    letters = [await office.keep(number) for number in range(3)]
    await office.database.write(
        lambda connection: connection.execute(
            "UPDATE letters SET outcome = 'postponed' WHERE id = ?", (letters[1],)
        )
    )
    office.stats.publish(await office.store.statistics())

    for operation in (office.admin.show, office.admin.retry):
        with pytest.raises(StorageFailed, match="cannot be read"):
            await operation(_request(letters[1]))
    assert door.requests == []
    assert (await office.retry(letters[0]))["retried"]["status"] == 200
    listed = await _listed(office)
    assert [item["id"] for item in listed["items"]] == [letters[2], letters[0]]
    assert (listed["total"], listed["unreadable"], listed["next_cursor"]) == (3, 1, None)

    assert await office.admin.delete(_request(letters[1])) == (200, {"deleted": True})
    office.stats.publish(await office.store.statistics())
    listed = await _listed(office)
    assert (listed["total"], listed["unreadable"]) == (2, 0)


async def _listed(office: Office) -> Any:
    _, document = await office.admin.list(DoorRequest(method="GET", path="/", headers={}, body=b""))
    return document
