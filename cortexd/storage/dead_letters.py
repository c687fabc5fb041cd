"""Dead letters on disk."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar

import attrs
import msgspec

from cortexd.domain.dead_letter import DeadLetter, DeadLetterLimits, DeadLetterStats, Retry
from cortexd.domain.ids import DeadLetterId
from cortexd.ports import DeadLetterStore
from cortexd.storage import dead_letter_queries as queries
from cortexd.storage.database import Database

T = TypeVar("T")

MIGRATIONS: Final = (
    """
    CREATE TABLE letters (
        id TEXT PRIMARY KEY, kept_at REAL NOT NULL, request_id TEXT NOT NULL, door TEXT NOT NULL,
        path TEXT NOT NULL, model TEXT, outcome TEXT NOT NULL, error TEXT NOT NULL,
        message TEXT NOT NULL, attempts TEXT NOT NULL, key_id TEXT,
        body_bytes INTEGER NOT NULL, has_body INTEGER NOT NULL,
        retries INTEGER NOT NULL DEFAULT 0, retried_at REAL, retried_status INTEGER,
        answer_is_cut INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX letters_by_error ON letters (error, id);
    -- Apart from the letters, so that lists and sums do not read what may be large.
    CREATE TABLE contents (
        id TEXT PRIMARY KEY REFERENCES letters ON DELETE CASCADE, body BLOB, answer BLOB
    ) STRICT;
    CREATE TABLE dropped (count INTEGER NOT NULL) STRICT;
    INSERT INTO dropped VALUES (0);
    """,
)

OVERHEAD_BYTES: Final = 1024
"""What a letter takes besides its body and its answer, about."""

# Newest first, each with all that is newer than it: what does not fit any more is to go. In the
# order of their coming, whatever the clock has said; and the newest, which is just being promised,
# stays even if it is more than all of them may be.
_BEYOND_LIMITS: Final = """
    SELECT id FROM (
        SELECT id, kept_at, row_number() OVER newest AS place, sum(bytes) OVER newest AS so_far
        FROM letters JOIN contents USING (id) WINDOW newest AS (ORDER BY contents.rowid DESC)
    ) WHERE place > :entries_max OR place > 1 AND so_far > :bytes_max OR kept_at < :oldest_at
"""


class SqliteDeadLetters(DeadLetterStore):
    """The store in a database of its own.

    What is not to be read in it is passed over, and stays as it is: the cortexd that has written it
    may come back. It counts as a letter, and goes as the others do: when it is too old or there is
    no room, when all of its age are purged, and when it is deleted by its id.
    """

    def __init__(self, database: Database, limits: DeadLetterLimits) -> None:
        self._database = database
        self._limits = limits
        self._changes = 0
        self._removals = 0
        self._unreadable = 0
        self._counted_after: int | None = None

    @property
    def changes(self) -> int:
        """How often it was written to."""
        return self._changes

    async def keep(self, letter: DeadLetter) -> None:
        """Put it on disk."""
        await self._write(partial(_insert, letter=letter, limits=self._limits))

    async def list_page(
        self, count: int, *, before: DeadLetterId | None, error: str | None
    ) -> tuple[Sequence[DeadLetter], int]:
        """The newest ones, and how many there are."""
        page = partial(queries.list_page, count=count, before=before, error=error)
        return await self._database.read(page)

    async def find(self, letter: DeadLetterId) -> DeadLetter | None:
        """One of them, with everything."""
        return await self._database.read(partial(queries.find, letter=letter))

    async def retried(self, letter: DeadLetterId, retry: Retry) -> bool:
        """Keep what came of a retry."""
        return await self._write(partial(_retried, letter=letter, retry=retry, limits=self._limits))

    async def delete(self, letter: DeadLetterId) -> bool:
        """Forget one of them."""
        return await self._write(partial(_delete, letter=letter), frees=True)

    async def purge(self, *, kept_before: float, sparing: Collection[DeadLetterId]) -> int:
        """Forget all that were kept earlier."""
        purge = partial(_purge, kept_before=kept_before, sparing=tuple(sparing))
        return await self._write(purge, frees=True)

    async def expire(self, now_s: float) -> None:
        """Drop what is too old; what can be read is counted anew after it."""
        await self._write(partial(_drop, limits=self._limits, now_s=now_s), frees=True)

    async def statistics(self) -> DeadLetterStats:
        """What there is, and what has gone."""
        removals = self._removals
        if removals != self._counted_after:
            # Not each time, as all of them are read for it. What is kept meanwhile can be read.
            self._unreadable = await self._count_unreadable()
            self._counted_after = removals
            self._database.note(_flaw(self._unreadable))
        stats = await self._database.read(queries.statistics)
        return attrs.evolve(stats, unreadable=self._unreadable)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the database, if anything."""
        return self._database.trouble

    async def _count_unreadable(self) -> int:
        """Look through all of them, in steps, so that no write waits for long."""
        unreadable = 0
        after: bytes | None = b""
        while after is not None:
            found, after = await self._database.read(partial(queries.unreadable, after=after))
            unreadable += found
        return unreadable

    async def _write(self, work: Callable[[sqlite3.Connection], T], *, frees: bool = False) -> T:
        try:
            return await self._database.write(work, frees=frees)
        finally:
            self._changes += 1
            self._removals += frees


def _insert(connection: sqlite3.Connection, letter: DeadLetter, limits: DeadLetterLimits) -> None:
    attempts = msgspec.json.encode([attrs.astuple(each) for each in letter.attempts]).decode()
    body = letter.body or b""
    size = OVERHEAD_BYTES + len(attempts) + len(letter.message) + len(body)
    connection.execute(
        "INSERT INTO letters (id, kept_at, request_id, door, path, model, outcome, error, message,"
        " attempts, key_id, body_bytes, has_body, bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            letter.id,
            letter.kept_at,
            letter.request_id,
            letter.door,
            letter.path,
            letter.model,
            letter.outcome.value,
            letter.error,
            letter.message,
            attempts,
            letter.key_id,
            letter.body_bytes,
            letter.has_body,
            size,
        ),
    )
    connection.execute("INSERT INTO contents (id, body) VALUES (?, ?)", (letter.id, letter.body))
    _make_room(connection, limits)


def _make_room(connection: sqlite3.Connection, limits: DeadLetterLimits) -> None:
    count, size = connection.execute("SELECT count(*), sum(bytes) FROM letters").fetchone()
    if count > limits.entries_max or size > limits.bytes_max:
        # Age is not for here: the oldest is dropped when its time has come, not when another comes.
        _drop(connection, limits, now_s=0.0)


def _drop(connection: sqlite3.Connection, limits: DeadLetterLimits, now_s: float) -> None:
    dropped = connection.execute(
        f"DELETE FROM letters WHERE id IN ({_BEYOND_LIMITS})",  # noqa: S608  no word of it is foreign
        {
            "entries_max": limits.entries_max,
            "bytes_max": limits.bytes_max,
            "oldest_at": now_s - limits.age_s_max,
        },
    ).rowcount
    connection.execute("UPDATE dropped SET count = count + ?", (dropped,))


def _retried(
    connection: sqlite3.Connection, letter: DeadLetterId, retry: Retry, limits: DeadLetterLimits
) -> bool:
    answer = retry.answer or b""
    changed = connection.execute(
        "UPDATE letters SET retries = retries + 1, retried_at = ?, retried_status = ?,"
        " answer_is_cut = ?, bytes = bytes + ? - ifnull("
        " (SELECT length(answer) FROM contents WHERE contents.id = letters.id), 0) WHERE id = ?",
        (retry.at, retry.status, retry.is_cut, len(answer), letter),
    ).rowcount
    connection.execute("UPDATE contents SET answer = ? WHERE id = ?", (retry.answer, letter))
    _make_room(connection, limits)
    return changed > 0


def _delete(connection: sqlite3.Connection, letter: DeadLetterId) -> bool:
    return connection.execute("DELETE FROM letters WHERE id = ?", (letter,)).rowcount > 0


def _purge(
    connection: sqlite3.Connection, kept_before: float, sparing: Sequence[DeadLetterId]
) -> int:
    spared = msgspec.json.encode(sparing).decode()
    return connection.execute(
        "DELETE FROM letters WHERE kept_at < ? AND id NOT IN (SELECT value FROM json_each(?))",
        (kept_before, spared),
    ).rowcount


def _flaw(unreadable: int) -> str | None:
    """What to tell operators of it."""
    if not unreadable:
        return None
    if unreadable == 1:
        return "1 letter in it cannot be read, and stays as it is"
    return f"{unreadable} letters in it cannot be read, and stay as they are"
