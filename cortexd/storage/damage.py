"""What an error of SQLite says about the file, and so what is to be done about it.

The codes are those of https://www.sqlite.org/rescode.html; the extended ones carry the primary code
in their lowest byte.
"""

import sqlite3
from collections.abc import Mapping
from enum import Enum, unique
from typing import Final

import attrs

_PRIMARY: Final = 0xFF

WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""How a write-ahead log begins (https://www.sqlite.org/fileformat2.html#the_write_ahead_log)."""


@unique
class Remedy(Enum):
    """What helps."""

    SET_ASIDE = "set aside"
    REOPEN = "reopen"
    MAKE_ROOM = "make room"
    WAIT = "wait"


_REMEDIES: Final[Mapping[int, Remedy]] = {
    sqlite3.SQLITE_CORRUPT: Remedy.SET_ASIDE,
    sqlite3.SQLITE_NOTADB: Remedy.SET_ASIDE,
    sqlite3.SQLITE_READONLY: Remedy.SET_ASIDE,
    sqlite3.SQLITE_FULL: Remedy.MAKE_ROOM,
    sqlite3.SQLITE_BUSY: Remedy.WAIT,
    sqlite3.SQLITE_LOCKED: Remedy.WAIT,
    sqlite3.SQLITE_IOERR: Remedy.REOPEN,
    sqlite3.SQLITE_CANTOPEN: Remedy.REOPEN,
    sqlite3.SQLITE_PROTOCOL: Remedy.REOPEN,
    sqlite3.SQLITE_NOMEM: Remedy.REOPEN,
    sqlite3.SQLITE_NOLFS: Remedy.REOPEN,
    sqlite3.SQLITE_PERM: Remedy.REOPEN,
}


@attrs.frozen
class FileUnfit(Exception):
    """The file is no database of ours, though SQLite has nothing against it."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def remedy_for(error: sqlite3.Error) -> Remedy | None:
    """What helps against it; `None` where it is not about the file but about one statement."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _REMEDIES.get(code & _PRIMARY)
