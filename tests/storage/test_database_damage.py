"""Files that are damaged, locked, or on a disk that is full or failing: the node goes on."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cortexd.domain.errors import StorageFailed
from cortexd.storage import database_file
from cortexd.storage.database import Database
from tests.storage.conftest import TABLE, OpenShelf, filled, set_aside

pytestmark = pytest.mark.real_time

PAGE_BYTES = 4096
MIB = 1024 * 1024
NOBODY_ID = 65534


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def _no_database(path: Path) -> None:
    path.write_bytes(b"this was never a database " * 400)


def _header(path: Path) -> None:
    filled(path)
    _overwrite(path, 0, b"\xff" * 100)


def _page(path: Path) -> None:
    filled(path)
    _overwrite(path, 4 * PAGE_BYTES, b"\xa5" * 2 * PAGE_BYTES)


def _cut_off(path: Path) -> None:
    filled(path)
    os.truncate(path, 5 * PAGE_BYTES)


def _log(path: Path) -> None:
    filled(path, leave_log=True)
    _overwrite(path.with_name("things.db-wal"), 0, os.urandom(PAGE_BYTES))


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (something TEXT)")
    connection.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [_no_database, _header, _page, _cut_off, _log, _foreign, _folder]
)
async def test_a_damaged_file_is_set_aside(
    open_shelf: OpenShelf, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """It is kept under another name, the new one works, and both are told."""
    damage(tmp_path / "things.db")
    shelf = open_shelf()

    await shelf.add(1)

    assert await shelf.numbers() == [1]
    [kept] = shelf.set_aside
    assert shelf.database.trouble is not None
    assert kept.name in shelf.database.trouble
    assert shelf.told == ["StorageTroubled"]


def _cleanly_closed(path: Path) -> None:
    filled(path)


def _killed(path: Path) -> None:
    filled(path, leave_log=True)


def _stale_index(path: Path) -> None:
    filled(path, leave_log=True)
    path.with_name("things.db-shm").write_bytes(b"\x5a" * 32768)


@pytest.mark.parametrize("left", [_cleanly_closed, _killed, _stale_index])
async def test_what_is_no_damage_is_kept(
    open_shelf: OpenShelf, tmp_path: Path, left: Callable[[Path], None]
) -> None:
    """A log that was not brought home, an index of it that is missing or wrong."""
    left(tmp_path / "things.db")
    shelf = open_shelf()
    assert await shelf.numbers() == list(range(500))
    assert shelf.set_aside == []
    assert shelf.database.trouble is None


async def test_damage_while_it_runs_is_met_by_a_new_file(open_shelf: OpenShelf) -> None:
    """The very write that finds it is done, in the new file."""
    shelf = open_shelf()
    await shelf.database.write(
        lambda c: c.executemany(
            "INSERT INTO things VALUES (?, ?)", [(number, "x" * 200) for number in range(500)]
        )
    )
    await shelf.database.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    await shelf.database.read(lambda c: c.execute("PRAGMA shrink_memory").fetchall())
    _overwrite(shelf.path, 3 * PAGE_BYTES, b"\xa5" * 10 * PAGE_BYTES)

    await shelf.database.write(lambda c: c.execute("DELETE FROM things WHERE name = 'b'"))
    await shelf.add(7)

    assert await shelf.numbers() == [7]
    assert len(shelf.set_aside) == 1


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder, and for the length of the test no more rights than a service has."""
    with tempfile.TemporaryDirectory() as name:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(name, NOBODY_ID, NOBODY_ID)
            os.seteuid(NOBODY_ID)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)


async def test_a_file_that_is_read_only_is_set_aside(folder_of_nobody: Path) -> None:
    """Found at the start, and met by a new one beside it."""
    path = folder_of_nobody / "things.db"
    filled(path)
    os.chmod(path, 0o400)  # noqa: PTH101  async code must not use Path for it
    database = Database(path, (TABLE,))

    await database.write(lambda c: c.execute("INSERT INTO things VALUES (1, 'a')"))

    assert await database.read(lambda c: c.execute("SELECT id FROM things").fetchall()) == [(1,)]
    [kept] = set_aside(path)
    assert kept.name in (database.trouble or "")
    await database.aclose()


async def test_a_file_that_is_taken_away_is_made_again(open_shelf: OpenShelf) -> None:
    """Nothing is written to a file that has no name any more."""
    shelf = open_shelf()
    await shelf.add(1)
    for path in list(shelf.path.parent.iterdir()):
        path.unlink()

    await shelf.add(2)

    assert await shelf.numbers() == [2]
    assert shelf.database.trouble == "its file was taken away while it was in use"
    connection = sqlite3.connect(shelf.path)
    assert connection.execute("SELECT id FROM things").fetchall() == [(2,)]
    connection.close()


async def test_only_so_many_damaged_files_are_kept(open_shelf: OpenShelf, tmp_path: Path) -> None:
    """The largest, which has what was lost, stays."""
    shelf = open_shelf()
    for round_number in range(6):
        if round_number == 2:
            _header(tmp_path / "things.db")
        else:
            (tmp_path / "things.db").write_bytes(b"broken" * 100)
        shelf = open_shelf()
        await shelf.add(1)
        await shelf.database.aclose()
        (tmp_path / "things.db").unlink()

    assert len(shelf.set_aside) == 3
    assert max(path.stat().st_size for path in shelf.set_aside) > 100_000


async def test_a_lock_of_another_process_is_waited_out(
    open_shelf: OpenShelf, impatient: None
) -> None:
    """Writes fail in time, then at once; reads go on; all is well when the lock is gone."""
    shelf = open_shelf()
    await shelf.add(1)
    other = sqlite3.connect(shelf.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageFailed, match="another process has locked it"):
        await shelf.add(2)
    assert shelf.database.trouble == "another process has locked it"
    assert await shelf.numbers() == [1]
    other.execute("ROLLBACK")
    await shelf.wait_until(lambda: shelf.database.trouble is None)
    await shelf.add(3)

    assert await shelf.numbers() == [1, 3]
    assert shelf.told == ["StorageTroubled", "StorageRecovered"]
    other.close()


async def test_what_is_wrong_with_what_is_in_it_is_told_as_its_trouble(
    open_shelf: OpenShelf, impatient: None
) -> None:
    """It is used as before, and that is told again which a trouble of the file has hidden."""
    shelf = open_shelf()
    await shelf.add(1)
    shelf.database.note("half of it is odd")
    assert shelf.told == ["StorageTroubled"]
    await shelf.add(2)
    assert shelf.database.trouble == "half of it is odd"
    other = sqlite3.connect(shelf.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFailed):
        await shelf.add(3)
    assert shelf.database.trouble == "another process has locked it"
    other.execute("ROLLBACK")
    other.close()
    await shelf.wait_until(lambda: shelf.database.trouble == "half of it is odd")
    shelf.database.note(None)

    await shelf.add(4)
    assert await shelf.numbers() == [1, 2, 4]
    assert shelf.database.trouble is None
    assert shelf.told == [*["StorageTroubled"] * 3, "StorageRecovered"]


async def test_a_full_disk_lets_deletes_through(open_shelf: OpenShelf, impatient: None) -> None:
    """Nothing is taken in while it lasts; what is thrown away makes room for the end of it."""
    shelf = open_shelf()
    for number in range(20):
        await shelf.add(number, "x" * PAGE_BYTES)
    await shelf.database.read(lambda c: c.execute("PRAGMA max_page_count = 25").fetchall())

    with pytest.raises(StorageFailed, match="the disk is full"):
        await shelf.add(100, "x" * 10 * PAGE_BYTES)
    for number in range(19):
        await shelf.remove(number)
    await shelf.wait_until(lambda: shelf.database.trouble is None)
    await shelf.add(101, "x" * 10 * PAGE_BYTES)

    assert await shelf.numbers() == [19, 101]
    assert shelf.told[0] == "StorageTroubled"
    assert shelf.told[-1] == "StorageRecovered"


async def test_space_is_held_back_and_given_up_when_the_disk_is_full(
    open_shelf: OpenShelf, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is well again only once the space is held back again."""
    shelf = open_shelf(ballast_bytes=MIB)
    ballast = shelf.path.with_name("things.db.ballast")
    await shelf.add(1)
    assert ballast.stat().st_size == MIB
    assert ballast.stat().st_blocks * 512 >= MIB
    await shelf.database.read(lambda c: c.execute("PRAGMA max_page_count = 5").fetchall())

    def no_space(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_space)
        with pytest.raises(StorageFailed, match="the disk is full"):
            await shelf.add(2, "x" * 10 * PAGE_BYTES)
        assert not ballast.exists()
        with pytest.raises(StorageFailed, match="the disk is full"):
            await shelf.add(3)
        await shelf.remove(1)
    await shelf.wait_until(lambda: shelf.database.trouble is None)

    assert ballast.stat().st_size == MIB
    await shelf.add(4)
    assert await shelf.numbers() == [4]


async def test_a_database_is_well_without_its_ballast(open_shelf: OpenShelf) -> None:
    """Something is in the way that can neither be filled nor removed."""
    shelf = open_shelf(ballast_bytes=MIB)
    shelf.path.with_name("things.db.ballast").mkdir()
    await shelf.add(1)
    assert (shelf.set_aside, shelf.database.trouble) == ([], None)

    await shelf.database.read(lambda c: c.execute("PRAGMA max_page_count = 5").fetchall())
    with pytest.raises(StorageFailed, match="the disk is full"):
        await shelf.add(2, "x" * 10 * PAGE_BYTES)
    assert await shelf.numbers() == [1]


class _FailingDisk(sqlite3.Connection):
    """Fails the next commit as SQLite does when the disk cannot sync."""

    failures = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and _FailingDisk.failures:
            _FailingDisk.failures -= 1
            super().execute("ROLLBACK")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *values)


async def test_a_failed_sync_is_no_success(
    open_shelf: OpenShelf, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not synced is not acknowledged, and the file is opened anew before it goes on."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_failing(*args: Any, **settings: Any) -> sqlite3.Connection:
        opened.append(connect(*args, factory=_FailingDisk, **settings))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_failing)
    shelf = open_shelf()
    await shelf.add(1)
    _FailingDisk.failures = 1

    with pytest.raises(StorageFailed, match="disk I/O error"):
        await shelf.add(2)
    await shelf.wait_until(lambda: len(opened) == 2)
    await shelf.wait_until(lambda: shelf.database._file.pause is None)
    await shelf.add(3)

    assert await shelf.numbers() == [1, 3]
    assert len(opened) == 2
    assert "disk I/O error" in (shelf.database.trouble or "")
    assert "StorageTroubled" in shelf.told


async def test_a_log_that_cannot_be_cut_back_is_bounded(
    open_shelf: OpenShelf, impatient: None
) -> None:
    """A reader that never ends stops the writing before the log has filled the disk."""
    shelf = open_shelf(wal_bytes_max=2 * MIB)
    await shelf.add(0)
    reader = sqlite3.connect(shelf.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM things").fetchall()

    async def fill() -> None:
        for number in range(1, 100):
            await shelf.add(number, "x" * MIB)

    with pytest.raises(StorageFailed, match="write-ahead log has grown"):
        await fill()
    assert shelf.path.with_name("things.db-wal").stat().st_size < 4 * MIB
    reader.execute("ROLLBACK")
    await shelf.wait_until(lambda: shelf.database.trouble is None)
    await shelf.add(1000)
    assert shelf.path.with_name("things.db-wal").stat().st_size < 2 * MIB
    reader.close()


async def test_a_remark_is_told_for_a_while(
    open_shelf: OpenShelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long enough to be seen; then the trouble is over."""
    monkeypatch.setattr(database_file, "REMARK_S", 0.05)
    _no_database(tmp_path / "things.db")
    shelf = open_shelf()
    await shelf.add(1)
    await shelf.wait_until(lambda: shelf.told == ["StorageTroubled", "StorageRecovered"])
    assert shelf.database.trouble is None


def _block(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("in the way")


def _unblock(folder: Path) -> None:
    folder.unlink()


async def test_a_place_that_cannot_be_written_to_is_no_end(
    open_shelf: OpenShelf, tmp_path: Path, impatient: None
) -> None:
    """Where there is no folder to be had, writes fail until there is."""
    shelf = open_shelf()
    _block(tmp_path)

    with pytest.raises(StorageFailed, match="cannot be used"):
        await shelf.add(1)
    _unblock(tmp_path)
    await shelf.wait_until(lambda: shelf.database._file.pause is None)
    await shelf.add(2)

    assert await shelf.numbers() == [2]
