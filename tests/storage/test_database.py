"""The database and its thread: what was acknowledged is there, and nobody waits for ever."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from cortexd.domain.errors import StorageFailed
from cortexd.storage import database as database_module
from cortexd.storage.database import Database
from tests.storage.conftest import HANGS_S, TABLE, modes, set_aside

pytestmark = pytest.mark.real_time


def _add(number: int, name: object = "a") -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO things VALUES (?, ?)", (number, name))
        return number

    return work


def _numbers(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT id FROM things ORDER BY id")]


def _numbers_in(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return _numbers(connection)
    finally:
        connection.close()


async def test_what_was_written_is_in_the_file(tmp_path: Path) -> None:
    """Another process can read it as soon as `write` has returned."""
    database = Database(tmp_path / "deep" / "things.db", (TABLE,))

    assert await database.write(_add(1)) == 1

    assert _numbers_in(tmp_path / "deep" / "things.db") == [1]
    assert await database.read(_numbers) == [1]
    assert database.trouble is None
    await database.aclose()


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    """Nor its write-ahead log: there are prompts in it."""
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.write(_add(1))
    assert modes(tmp_path) == {"things.db": 0o600, "things.db-wal": 0o600, "things.db-shm": 0o600}
    await database.aclose()


async def _hang(database: Database, until: threading.Event, nursery: trio.Nursery) -> None:
    """Have the database's thread hang; returns when it does."""
    begun, token = trio.Event(), trio.lowlevel.current_trio_token()

    def work(_connection: sqlite3.Connection) -> None:
        token.run_sync_soon(begun.set)
        until.wait(HANGS_S)

    nursery.start_soon(database.read, work)
    await begun.wait()


async def test_writes_that_come_together_share_a_transaction(tmp_path: Path) -> None:
    """Two transactions for 128 writes, each of which is done."""
    database = Database(tmp_path / "things.db", (TABLE,))
    commits: list[str] = []

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )

    await database.read(watch)
    all_are_there = threading.Event()
    async with trio.open_nursery() as nursery:
        await _hang(database, all_are_there, nursery)
        for number in range(128):
            nursery.start_soon(database.write, _add(number))
        await trio.testing.wait_all_tasks_blocked()
        all_are_there.set()

    assert await database.read(_numbers) == list(range(128))
    assert len(commits) == 2
    await database.aclose()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (_add(1, "twice"), StorageFailed),
        (_add(2**63), OverflowError),
        (_add(7, "\ud800"), UnicodeEncodeError),
        (lambda connection: connection.execute("INSERT INTO nothing VALUES (1)"), StorageFailed),
        (lambda _connection: int("seven"), ValueError),
    ],
    ids=["constraint", "integer", "surrogate", "statement", "bug"],
)
async def test_a_bad_write_fails_alone(
    tmp_path: Path, bad: Callable[[sqlite3.Connection], object], error: type[Exception]
) -> None:
    """Those in the same transaction are done, and nothing of the bad one is."""
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.write(_add(1))

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO things VALUES (100, 'half')")
        bad(connection)

    async def fail() -> None:
        with pytest.raises(error):
            await database.write(half)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.write, _add(2))
        nursery.start_soon(fail)
        nursery.start_soon(database.write, _add(3))

    assert await database.read(_numbers) == [1, 2, 3]
    await database.aclose()


async def test_a_caller_that_leaves_breaks_nothing(tmp_path: Path) -> None:
    """What it asked for is done or not, and what others ask for is."""
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.read(_numbers)
    with trio.CancelScope() as scope:
        scope.cancel()
        await database.write(_add(1))
    await database.write(_add(2))
    assert await database.read(_numbers) in ([1, 2], [2])
    await database.aclose()


async def test_every_wait_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs fails the one who waits, and those who come next at once."""
    events: list[object] = []
    database = Database(tmp_path / "things.db", (TABLE,), emit=events.append)
    await database.read(_numbers)
    monkeypatch.setattr(database_module, "WAIT_S_MAX", 0.3)
    monkeypatch.setattr(database_module, "STALLED_S", 0.01)
    hangs = threading.Event()

    with pytest.raises(StorageFailed, match="did not answer"):
        await database.write(lambda _connection: hangs.wait(20))
    with pytest.raises(StorageFailed, match="the disk does not answer"):
        await database.write(_add(1))
    assert database.trouble == "the disk does not answer"
    hangs.set()
    monkeypatch.setattr(database_module, "STALLED_S", 20.0)
    monkeypatch.setattr(database_module, "WAIT_S_MAX", 20.0)
    await database.write(_add(2))

    assert await database.read(_numbers) == [2]
    assert [type(event).__name__ for event in events] == ["StorageTroubled", "StorageRecovered"]
    await database.aclose()


async def test_what_nobody_waits_for_any_more_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been told to have failed."""
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.read(_numbers)
    hangs = threading.Event()
    async with trio.open_nursery() as nursery:
        await _hang(database, hangs, nursery)
        monkeypatch.setattr(database_module, "WAIT_S_MAX", 0.05)
        with pytest.raises(StorageFailed, match="did not answer"):
            await database.write(_add(1))
        hangs.set()
    monkeypatch.undo()
    assert await database.read(_numbers) == []
    await database.aclose()


async def test_reads_and_writes_take_turns(tmp_path: Path) -> None:
    """A write does not wait for all reads that came before it."""
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.read(_numbers)
    hangs, order = threading.Event(), list[str]()
    async with trio.open_nursery() as nursery:
        await _hang(database, hangs, nursery)
        for _ in range(100):
            nursery.start_soon(database.read, lambda _connection: order.append("read"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(database.write, lambda _connection: order.append("write"))
        await trio.testing.wait_all_tasks_blocked()
        hangs.set()

    assert order.count("read") == 100
    assert order.index("write") < 100
    await database.aclose()


async def test_the_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when too many wait is told so at once."""
    monkeypatch.setattr(database_module, "WAITING_JOBS_MAX", 2)
    database = Database(tmp_path / "things.db", (TABLE,))
    await database.read(_numbers)
    hangs = threading.Event()
    async with trio.open_nursery() as nursery:
        await _hang(database, hangs, nursery)
        nursery.start_soon(database.write, _add(1))
        nursery.start_soon(database.write, _add(2))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StorageFailed, match="too much is waiting"):
            await database.write(_add(3))
        hangs.set()

    assert await database.read(_numbers) == [1, 2]
    await database.aclose()


async def test_the_end_of_the_node_writes_what_waits(tmp_path: Path) -> None:
    """As a child of the tree it is closed only when all is on disk, and opens again when used."""
    database = Database(tmp_path / "things.db", (TABLE,))
    async with trio.open_nursery() as nursery:
        await nursery.start(_run, database)
        for number in range(100):
            nursery.start_soon(database.write, _add(number))
        await trio.testing.wait_all_tasks_blocked()
        database.request_stop()

    assert _numbers_in(tmp_path / "things.db") == list(range(100))
    assert list(modes(tmp_path)) == ["things.db"]
    await database.write(_add(100))
    assert len(await database.read(_numbers)) == 101
    await database.aclose()


async def _run(database: Database, *, task_status: trio.TaskStatus[None]) -> None:
    await database.run(task_status=task_status)


async def test_it_can_be_stopped_and_started_again(tmp_path: Path) -> None:
    """Each incarnation of the child has the same database."""
    database = Database(tmp_path / "things.db", (TABLE,))
    for number in range(3):
        async with trio.open_nursery() as nursery:
            await nursery.start(_run, database)
            await database.write(_add(number))
            database.request_stop()
    assert _numbers_in(tmp_path / "things.db") == [0, 1, 2]


async def test_migrations_are_done_once_and_in_order(tmp_path: Path) -> None:
    """A new version of the daemon takes over what an old one has written."""
    path = tmp_path / "things.db"
    old = Database(path, (TABLE,))
    await old.write(_add(1))
    await old.aclose()

    new = Database(path, (TABLE, "ALTER TABLE things ADD COLUMN age INTEGER DEFAULT 3"))
    assert await new.read(lambda c: c.execute("SELECT * FROM things").fetchall()) == [(1, "a", 3)]
    await new.aclose()
    again = Database(path, (TABLE, "ALTER TABLE things ADD COLUMN age INTEGER DEFAULT 3"))
    assert await again.read(_numbers) == [1]
    assert again.trouble is None
    await again.aclose()


async def test_a_file_of_a_newer_cortexd_is_set_aside(tmp_path: Path) -> None:
    """Not written to, and not lost."""
    path = tmp_path / "things.db"
    newer = Database(path, (TABLE, "CREATE TABLE more (id INTEGER)"))
    await newer.write(_add(1))
    await newer.aclose()

    older = Database(path, (TABLE,))
    assert await older.read(_numbers) == []
    assert older.trouble is not None
    assert "newer cortexd" in older.trouble
    [kept] = set_aside(path)
    assert _numbers_in(kept) == [1]
    await older.aclose()
