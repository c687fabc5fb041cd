"""A database for nodes on a virtual clock, which must not wait for a thread of the real world."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexd.storage.database import Database
from cortexd.storage.job import Job
from cortexd.storage.transaction import commit_all, read_all


class InlineDatabase(Database):
    """Holds everything in memory, and does all work where it is asked for, at once."""

    def __init__(self, path: Path, migrations: Sequence[str], **settings: Any) -> None:
        super().__init__(path, migrations, **settings)
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None

    def _post(self, job: Job) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(":memory:", isolation_level=None)
            self._connection.execute("PRAGMA foreign_keys = ON")
            for step in self._migrations:
                self._connection.executescript(step)
        (commit_all if job.writes else read_all)(self._connection, [job])
        job.done.set()
