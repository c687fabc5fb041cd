"""Databases that get into trouble, and a quick way to see what became of them; dead letters."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest
import trio

from cortexd.domain.events import Event
from cortexd.storage import connection as connection_module
from cortexd.storage import database_file
from cortexd.storage.database import Database
from cortexd.storage.database_file import FileLimits
from tests.storage.letters import Shop

TABLE = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)"
HANGS_S = 20.0


@attrs.frozen(eq=False)
class Shelf:
    """A database of numbers, and what it has told."""

    path: Path
    database: Database
    events: list[Event]

    async def add(self, number: int, name: str = "a") -> None:
        """Write one."""
        await self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO things VALUES (?, ?)", (number, name)
            )
        )

    async def remove(self, number: int) -> None:
        """Make room."""
        await self.database.write(
            lambda connection: connection.execute("DELETE FROM things WHERE id = ?", (number,)),
            frees=True,
        )

    async def numbers(self) -> list[int]:
        """All that are there."""
        rows = await self.database.read(
            lambda connection: connection.execute("SELECT id FROM things ORDER BY id").fetchall()
        )
        return [number for (number,) in rows]

    async def wait_until(self, is_so: Callable[[], object]) -> None:
        """Look again and again."""
        with trio.fail_after(HANGS_S):
            while not is_so():  # noqa: ASYNC110  the thread of a database sets no event of ours
                await trio.sleep(0.01)

    @property
    def told(self) -> list[str]:
        """The kinds of its events."""
        return [type(event).__name__ for event in self.events]

    @property
    def set_aside(self) -> list[Path]:
        """What was found damaged."""
        return set_aside(self.path)


OpenShelf: TypeAlias = Callable[..., Shelf]


@pytest.fixture
async def open_shelf(tmp_path: Path) -> AsyncIterator[OpenShelf]:
    """Opens databases in the test's folder; closes them in the end."""
    shelves: list[Shelf] = []

    def open_one(**limits: Any) -> Shelf:
        path, events = tmp_path / "things.db", list[Event]()
        database = Database(path, (TABLE,), emit=events.append, limits=FileLimits(**limits))
        shelves.append(Shelf(path, database, events))
        return shelves[-1]

    yield open_one
    for shelf in shelves:
        await shelf.database.aclose()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """For dead letters; closed after the test."""
    shop = Shop(tmp_path / "dead_letters.db")
    yield shop
    await shop.database.aclose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for only for a moment, and troubles looked after all the time."""
    monkeypatch.setattr(connection_module, "BUSY_S_MAX", 0.05)
    monkeypatch.setattr(database_file, "BUSY_S_MAX", 0.05)
    monkeypatch.setattr(database_file, "RETRY_S", 0.02)


def set_aside(path: Path) -> list[Path]:
    """Files of this name that were found damaged."""
    found = path.parent.glob(f"{path.name}.corrupt-*")
    return sorted(each for each in found if not each.name.endswith(("-wal", "-shm")))


def modes(folder: Path) -> dict[str, int]:
    """Who may do what with the files in the folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def filled(path: Path, *, rows: int = 500, leave_log: bool = False) -> None:
    """A database as a node has left it; with `leave_log` as one that was killed."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(TABLE)
    connection.execute("PRAGMA user_version = 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("BEGIN")
    for number in range(rows):
        connection.execute("INSERT INTO things VALUES (?, ?)", (number, "x" * 200))
    connection.execute("COMMIT")
    if leave_log:
        whole = {
            name: path.with_name(name).read_bytes() for name in (path.name, f"{path.name}-wal")
        }
        connection.close()
        for name, content in whole.items():
            path.with_name(name).write_bytes(content)
    else:
        connection.close()
