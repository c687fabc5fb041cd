"""Opening a database file: its settings, its check, its migrations.

Rule of this file: it raises what is wrong and mends nothing.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from cortexd.storage.damage import WAL_MAGIC, FileUnfit, remedy_for

BUSY_S_MAX: Final = 5.0
"""How long a lock that another process holds is waited for."""

WAL_BYTES_KEPT: Final = 8 * 1024 * 1024
"""The write-ahead log is cut back to this much whenever it has been written to the database."""


def open_connection(path: Path, migrations: Sequence[str], *, durable: bool) -> sqlite3.Connection:
    """A checked connection to the file, which is made if it is not there.

    `durable`: what is committed survives a loss of power; else only the end of the process.
    Errors: `sqlite3.Error`, `OSError`, `FileUnfit`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_log(path.with_name(path.name + "-wal"))
    # SQLite gives its companions the permissions of the database: nobody else reads a prompt.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
    )
    with ExitStack() as on_failure:
        on_failure.callback(connection.close)
        _configure(connection, durable=durable)
        _migrate(connection, migrations)
        on_failure.pop_all()
    return connection


def _check_log(log: Path) -> None:
    """SQLite takes a log with a broken head for an empty one, and what it held is gone unseen."""
    try:
        with log.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        return
    if head and head not in WAL_MAGIC:
        raise FileUnfit("its write-ahead log is damaged")


def _configure(connection: sqlite3.Connection, *, durable: bool) -> None:
    # Before the first table, or it has no effect: lets a database that was emptied shrink.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    connection.execute("PRAGMA foreign_keys = ON")
    # What an operator throws away is not to be found in the free pages of the file.
    connection.execute("PRAGMA secure_delete = ON")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise FileUnfit(f"it is malformed: {' '.join(str(verdict).split())}")


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Bring the tables up to date, each step whole or not at all."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise FileUnfit("it was made by a newer cortexd")
    for number, step in enumerate(migrations[version:], start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error as error:
            if remedy_for(error) is not None:
                raise
            raise FileUnfit(f"its tables are not ours: {error}") from error
        finally:
            if connection.in_transaction:
                connection.rollback()
