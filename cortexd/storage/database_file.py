"""A database file and all that can befall it: damage, a full disk, a lock, a failing disk.

Rules of this file: what has been told to be done is on disk; after a failure nothing is, and it is
not tried again behind the back of who asked. Used by one thread at a time.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from cortexd.domain.errors import StorageFailed
from cortexd.storage.ballast import FULL, Ballast
from cortexd.storage.connection import BUSY_S_MAX, open_connection
from cortexd.storage.damage import FileUnfit, Remedy, remedy_for
from cortexd.storage.job import Job
from cortexd.storage.quarantine import set_aside
from cortexd.storage.transaction import commit_all, read_all

RETRY_S: Final = 3.0
"""How often it is looked whether a database that was in trouble works again."""

REMARK_S: Final = 300.0
"""How long damage that was mended is told of."""

PROBE_BUSY_S_MAX: Final = 0.2

VACUUM_PAGES: Final = 1000
"""So many pages at a time are given back to a full disk; moving them takes room as well."""

_TRIES: Final = 2
_MS_PER_S: Final = 1000
_MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class FileLimits:
    """`ballast_bytes`: space held back for the day the disk is full.

    `wal_bytes_max`: how long the write-ahead log may grow where it cannot be cut back, because
    somebody else reads what stands before it.
    """

    ballast_bytes: int = 0
    wal_bytes_max: int = 64 * _MIB


class DatabaseFile:
    """Opened when it is first needed, and opened anew after most of what can go wrong."""

    def __init__(
        self, path: Path, migrations: Sequence[str], *, durable: bool, limits: FileLimits
    ) -> None:
        self.path = path
        self._migrations = migrations
        self._durable = durable
        self._limits = limits
        self._ballast = Ballast(path.with_name(path.name + ".ballast"), limits.ballast_bytes)
        self._has_ballast = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._pause: str | None = None
        self._retry_at = 0.0
        self._remark: str | None = None
        self._remark_until = 0.0

    @property
    def pause(self) -> str | None:
        """Why nothing can be written at present, if so."""
        return self._pause

    @property
    def trouble(self) -> str | None:
        """What an operator should know: why it is paused, or what happened a while ago."""
        return self._pause or self._remark

    @property
    def due_at(self) -> float | None:
        """When `tend` has something to do, on the clock of `time.monotonic`."""
        if self._pause is not None:
            return self._retry_at
        return None if self._remark is None else self._remark_until

    def write(self, jobs: Sequence[Job]) -> None:
        """Do the jobs in one transaction, and settle what became of each."""
        if self._pause is not None:
            jobs = _refuse(jobs, self._pause)
        self._attempt(commit_all, jobs)
        if self._connection is not None and self._pause is None:
            self._look_after_disk(self._connection)

    def read(self, jobs: Sequence[Job]) -> None:
        """Do jobs that only read."""
        self._attempt(read_all, jobs)

    def tend(self) -> None:
        """Look whether it works again, if that is due."""
        now = time.monotonic()
        if self._remark is not None and now >= self._remark_until:
            self._remark = None
        if self._pause is None or now < self._retry_at:
            return
        self._retry_at = now + RETRY_S
        try:
            connection = self._opened()
            self._probe(connection)
            self._hold_ballast()
        except (FileUnfit, sqlite3.Error, OSError) as error:
            self._mend(error)
            return
        self._pause = None
        self._look_after_disk(connection)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _attempt(
        self, do: Callable[[sqlite3.Connection, Sequence[Job]], None], jobs: Sequence[Job]
    ) -> None:
        reason = ""
        for _ in range(_TRIES):
            if not jobs:
                return
            try:
                do(self._opened(), jobs)
                return
            except (FileUnfit, sqlite3.Error, OSError) as error:
                remedy = self._mend(error)
                reason = self._pause or str(error)
                if remedy is Remedy.MAKE_ROOM:
                    jobs = _refuse(jobs, reason)
                elif remedy is not Remedy.SET_ASIDE:
                    break
        _fail(jobs, reason)

    def _opened(self) -> sqlite3.Connection:
        """A connection to the file that has the name now. Errors: as `open_connection`."""
        if self._connection is not None and self._identity != self._identity_now():
            self.close()
            self._say("its file was taken away while it was in use")
        if self._connection is None:
            self._connection = open_connection(self.path, self._migrations, durable=self._durable)
            self._identity = self._identity_now()
        return self._connection

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _mend(self, error: FileUnfit | sqlite3.Error | OSError) -> Remedy:
        """Do what can be done about it, and say so."""
        remedy = _remedy(error, self.path)
        match remedy:
            case Remedy.SET_ASIDE:
                self._set_aside(str(error))
            case Remedy.MAKE_ROOM:
                self._make_room()
            case Remedy.WAIT:
                self._rest("another process has locked it", RETRY_S)
            case Remedy.REOPEN:
                # Never on with the same connection: after a failed sync, what the next one reports
                # says nothing about the pages of this one.
                self.close()
                self._say(str(error))
                self._rest(str(error), 0.0 if self._pause is None else RETRY_S)
        return remedy

    def _set_aside(self, reason: str) -> None:
        self.close()
        try:
            name = set_aside(self.path, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())).name
        except OSError as error:
            self._rest(f"{reason}, and it cannot be set aside: {error}", RETRY_S)
        else:
            self._say(f"{reason}; it was set aside as {name}, and a new one begun")

    def _make_room(self) -> None:
        self._has_ballast = False
        self._ballast.release()
        self._rest("the disk is full", RETRY_S)

    def _rest(self, reason: str, retry_s: float) -> None:
        self._pause = reason
        self._retry_at = time.monotonic() + retry_s

    def _say(self, remark: str) -> None:
        self._remark = remark
        self._remark_until = time.monotonic() + REMARK_S

    def _probe(self, connection: sqlite3.Connection) -> None:
        """Write, and bring to the database what is only in its log. Errors: `sqlite3.Error`."""
        connection.execute(f"PRAGMA busy_timeout = {PROBE_BUSY_S_MAX * _MS_PER_S:.0f}")
        try:
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")
            connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_S_MAX * _MS_PER_S:.0f}")

    def _look_after_disk(self, connection: sqlite3.Connection) -> None:
        """Hold the ballast, and keep the write-ahead log within bounds."""
        try:
            self._hold_ballast()
            if self._log_bytes() > self._limits.wal_bytes_max:
                self._probe(connection)
        except (sqlite3.Error, OSError) as error:
            self._mend(error)
            return
        if (size := self._log_bytes()) > self._limits.wal_bytes_max:
            reason = f"its write-ahead log has grown to {size // _MIB} MiB and cannot be cut back"
            self._rest(f"{reason}: another process reads from it", RETRY_S)

    def _hold_ballast(self) -> None:
        if not self._has_ballast:
            self._ballast.hold()
            self._has_ballast = True

    def _log_bytes(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0


def _remedy(error: FileUnfit | sqlite3.Error | OSError, path: Path) -> Remedy:
    match error:
        case sqlite3.Error():
            return remedy_for(error) or Remedy.REOPEN
        case OSError(errno=number) if number in FULL:
            return Remedy.MAKE_ROOM
        case PermissionError() | IsADirectoryError() if path.exists():
            return Remedy.SET_ASIDE
        case FileUnfit():
            return Remedy.SET_ASIDE
    return Remedy.REOPEN


def _refuse(jobs: Sequence[Job], reason: str) -> list[Job]:
    """Fail those that do not make room; the others."""
    _fail([job for job in jobs if not job.frees], reason)
    return [job for job in jobs if job.frees]


def _fail(jobs: Sequence[Job], reason: str) -> None:
    for job in jobs:
        job.result, job.error = None, StorageFailed(f"the database cannot be used: {reason}")
