"""The keeper of the dead letters: figures, retention, and no harm where the store fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from cortexd.actors.dead_letter_queue import DEAD_LETTER_QUEUE, SWEEP_S, DeadLetterQueue
from cortexd.actors.published import Published
from cortexd.domain.dead_letter import (
    DeadLetter,
    DeadLetterLimits,
    DeadLetterStats,
    dead_letter_id,
)
from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import DeadLettersDropped, Event
from cortexd.domain.ids import RequestId
from cortexd.domain.outcome import Outcome
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters
from supervisor_tree import ChildSpec, Strategy, Supervisor, whereis
from supervisor_tree.testing import running
from tests.inline_database import InlineDatabase

NOW_S = 1_800_000_000.0


class Moody(SqliteDeadLetters):
    """A store that can be made to fail."""

    fails = False

    async def statistics(self) -> DeadLetterStats:
        if self.fails:
            raise StorageFailed("no disk")
        return await super().statistics()


@attrs.frozen(eq=False)
class Queue:
    """The actor and what it works on."""

    database: InlineDatabase
    store: Moody
    stats: Published[DeadLetterStats]
    events: list[Event]

    async def keep(self, number: int) -> None:
        """Put in another letter."""
        at = NOW_S + trio.current_time()
        await self.store.keep(
            DeadLetter(
                id=dead_letter_id(at, number),
                kept_at=at,
                request_id=RequestId(f"r-{number}"),
                door="openai",
                path="/",
                model=None,
                outcome=Outcome.FAILED,
                error="server_error",
                message="",
                attempts=(),
                key_id=None,
                body_bytes=0,
                has_body=False,
            )
        )

    async def wait_total(self, total: int) -> None:
        """Until so many are published."""
        with trio.fail_after(10.0):
            await self.stats.wait_until(lambda stats: stats.total == total)


@asynccontextmanager
async def _queue(path: Path, *, age_s_max: float = 86_400.0) -> AsyncIterator[Queue]:
    limits = DeadLetterLimits(entries_max=3, bytes_max=10**6, age_s_max=age_s_max)
    events: list[Event] = []
    database = InlineDatabase(path, MIGRATIONS)
    queue = Queue(database, Moody(database, limits), Published(DeadLetterStats()), events)

    def actor() -> DeadLetterQueue:
        return DeadLetterQueue(
            queue.store, queue.stats, events.append, lambda: NOW_S + trio.current_time()
        )

    supervisor = Supervisor(
        ChildSpec("dead-letter-queue", actor, name=DEAD_LETTER_QUEUE),
        strategy=Strategy.ONE_FOR_ONE,
    )
    async with running(supervisor):
        yield queue


async def test_figures_are_published_soon(tmp_path: Path) -> None:
    """What is there at the start, and what changes."""
    async with _queue(tmp_path) as queue:
        await queue.wait_total(0)
        await queue.keep(1)
        await queue.wait_total(1)
        assert queue.stats.value.by_error == {"server_error": 1}


async def test_old_letters_are_swept(tmp_path: Path) -> None:
    """Nobody has to write for that; it is told how many have gone."""
    async with _queue(tmp_path, age_s_max=90.0) as queue:
        await queue.keep(1)
        await queue.wait_total(1)
        await trio.sleep(2 * SWEEP_S + 1)
        assert queue.stats.value.total == 0
        assert queue.stats.value.dropped == 1
        assert queue.events == [DeadLettersDropped(count=1)]


async def test_what_cannot_be_read_is_found_by_the_sweep(tmp_path: Path) -> None:
    """Also where nobody writes; operators see how many there are, and are told of trouble."""
    async with _queue(tmp_path) as queue:
        for number in range(3):
            await queue.keep(number)
        await queue.wait_total(3)
        assert queue.stats.value.unreadable == 0
        await queue.database.write(
            lambda connection: connection.execute(
                "UPDATE letters SET outcome = 'postponed' WHERE request_id <> 'r-1'"
            )
        )
        await trio.sleep(SWEEP_S + 1)
        stats = queue.stats.value
        assert (stats.total, stats.unreadable) == (3, 2)
        assert [letter.request_id for letter in stats.recent] == ["r-1"]
        assert queue.store.trouble == "2 letters in it cannot be read, and stay as they are"
        assert queue.events == []


async def test_letters_that_make_room_are_told(tmp_path: Path) -> None:
    """Never silently, though the store drops them by itself."""
    async with _queue(tmp_path) as queue:
        await trio.sleep(1.5)
        for number in range(5):
            await queue.keep(number)
        await queue.wait_total(3)
        assert queue.events == [DeadLettersDropped(count=2)]


async def test_a_store_that_fails_is_asked_again(tmp_path: Path) -> None:
    """The last figures stand, and the actor lives."""
    async with _queue(tmp_path) as queue:
        await queue.keep(1)
        await queue.wait_total(1)
        queue.store.fails = True
        await queue.keep(2)
        await trio.sleep(10.0)
        assert queue.stats.value.total == 1
        queue.store.fails = False
        await queue.wait_total(2)


async def test_another_incarnation_goes_on_from_there(tmp_path: Path) -> None:
    """It tells nobody again of those dropped before its time."""
    async with _queue(tmp_path) as queue:
        for number in range(5):
            await queue.keep(number)
        await queue.wait_total(3)
        told = len(queue.events)
        whereis(DEAD_LETTER_QUEUE).cast(_crash)
        await trio.sleep(5.0)
        await queue.keep(6)
        await queue.stats.wait_until(lambda stats: stats.dropped == 3)
        assert queue.events[told:] == [DeadLettersDropped(count=1)]


async def _crash(_actor: DeadLetterQueue) -> None:
    raise ArithmeticError("as told")
