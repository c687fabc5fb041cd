"""What can be asked of the dead letters on disk. Errors: `sqlite3.Error`."""

import sqlite3
from collections.abc import Sequence
from itertools import islice
from typing import Final

import attrs

from cortexd.domain.dead_letter import DeadLetter, DeadLetterStats
from cortexd.domain.errors import StorageFailed
from cortexd.domain.ids import DeadLetterId
from cortexd.storage.dead_letter_row import COLUMNS, MOMENT_S_MAX, read_letter

RECENT_MAX: Final = 10

LETTERS_AT_ONCE_MAX: Final = 1000
"""So many are looked through while writes have to wait."""

_OK: Final = range(200, 300)


def list_page(
    connection: sqlite3.Connection, count: int, before: DeadLetterId | None, error: str | None
) -> tuple[Sequence[DeadLetter], int]:
    """The newest that can be read, without their contents, and how many rows there are in all."""
    chosen = "error = :error" if error is not None else "TRUE"
    values = {"error": error, "before": before}
    (total,) = connection.execute(
        f"SELECT count(*) FROM letters WHERE {chosen}",  # noqa: S608  no word of it is foreign
        values,
    ).fetchone()
    # Not so many rows, but so many letters: a page that falls short would be taken for the last.
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM letters WHERE {chosen} AND (:before IS NULL OR id < :before)"  # noqa: S608  as above
        " ORDER BY id DESC",
        values,
    )
    return list(islice(filter(None, map(read_letter, rows)), count)), total


def find(connection: sqlite3.Connection, letter: DeadLetterId) -> DeadLetter | None:
    """One of them, with everything. Errors also: `StorageFailed` where it cannot be read."""
    row = connection.execute(
        f"SELECT {COLUMNS}, body, answer FROM letters JOIN contents USING (id) WHERE id = ?",  # noqa: S608  as above
        (letter,),
    ).fetchone()
    if row is None:
        return None
    *columns, body, answer = row
    found = read_letter(columns)
    if found is None:
        raise StorageFailed("this dead letter cannot be read, and is kept as it is")
    retried = found.retried and attrs.evolve(found.retried, answer=answer)
    return attrs.evolve(found, body=body, retried=retried)


def statistics(connection: sqlite3.Connection) -> DeadLetterStats:
    """What there is, and what has gone; not which of it can be read."""
    total, size, oldest_at, answered = connection.execute(
        "SELECT count(*), ifnull(sum(bytes), 0),"
        " min(kept_at) FILTER (WHERE kept_at BETWEEN 0 AND ?),"
        " count(*) FILTER (WHERE retried_status BETWEEN ? AND ?) FROM letters",
        (MOMENT_S_MAX, _OK.start, _OK.stop - 1),
    ).fetchone()
    (dropped,) = connection.execute("SELECT count FROM dropped").fetchone()
    by_error = connection.execute(
        "SELECT CAST(error AS BLOB), count(*) FROM letters"
        " GROUP BY error ORDER BY count(*) DESC, error"
    ).fetchall()
    recent, _ = list_page(connection, RECENT_MAX, None, None)
    return DeadLetterStats(
        total=total,
        waiting=total - answered,
        bytes=size,
        by_error={str(error, "utf-8", "replace"): count for error, count in by_error},
        oldest_at=oldest_at,
        dropped=dropped,
        recent=tuple(recent),
    )


def unreadable(connection: sqlite3.Connection, after: bytes) -> tuple[int, bytes | None]:
    """How many cannot be read of the next letters `after` an id, and the id to go on after."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM letters WHERE id > CAST(? AS TEXT) ORDER BY id LIMIT ?",  # noqa: S608  as above
        (after, LETTERS_AT_ONCE_MAX),
    ).fetchall()
    last = rows[-1][0] if len(rows) == LETTERS_AT_ONCE_MAX else None
    return sum(read_letter(row) is None for row in rows), last
