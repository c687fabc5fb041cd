"""The history of a fleet in SQLite: what has become of each agent and worker, and when."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from cortexd.domain.fleet import FleetActivity
from cortexd.storage.database import Database

MIGRATIONS: Final = (
    """
    CREATE TABLE fleet_activity (
        number INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        agent TEXT NOT NULL,
        worker TEXT,
        what TEXT NOT NULL,
        activity INTEGER
    ) STRICT;
    CREATE INDEX fleet_activity_by_time ON fleet_activity (at);
    CREATE INDEX fleet_activity_by_agent ON fleet_activity (agent, at);
    """,
)

ENTRIES_MAX: Final = 200_000
"""However long they may be kept."""

_ADD: Final = (
    "INSERT INTO fleet_activity (at, agent, worker, what, activity) VALUES (?, ?, ?, ?, ?)"
)
_FORGET: Final = (
    "DELETE FROM fleet_activity WHERE at < ?"
    " OR number <= (SELECT max(number) FROM fleet_activity) - ?"
)
_WHERE: Final = "at >= ?1 AND (?2 IS NULL OR agent = ?2)"
_COUNT: Final = f"SELECT count(*) FROM fleet_activity WHERE {_WHERE}"  # noqa: S608  a constant
_PAGE: Final = (
    "SELECT number, at, agent, worker, what, activity FROM fleet_activity"  # noqa: S608  a constant
    f" WHERE {_WHERE} AND (?3 IS NULL OR number < ?3) ORDER BY number DESC LIMIT ?4"
)


class StoredFleetHistory:
    """The port `FleetHistory` on a database of its own. `age_s`: how far back it goes."""

    def __init__(self, database: Database, *, age_s: float) -> None:
        self._database = database
        self._age_s = age_s

    async def keep(self, entries: Sequence[FleetActivity]) -> None:
        """As in the port."""
        if entries:
            await self._database.write(partial(self._keep, entries))

    async def page(
        self, limit: int, *, agent: str | None, since: float, before: int | None
    ) -> tuple[Sequence[tuple[int, FleetActivity]], int]:
        """As in the port."""

        def read(
            connection: sqlite3.Connection,
        ) -> tuple[list[tuple[int, FleetActivity]], int]:
            rows = connection.execute(_PAGE, (since, agent, before, limit)).fetchall()
            total = connection.execute(_COUNT, (since, agent)).fetchone()[0]
            return [(row[0], _entry(row[1:])) for row in rows], total

        return await self._database.read(read)

    def _keep(self, entries: Sequence[FleetActivity], connection: sqlite3.Connection) -> None:
        rows = [(each.at, each.agent, each.worker, each.what, each.activity) for each in entries]
        connection.executemany(_ADD, rows)
        connection.execute(_FORGET, (entries[-1].at - self._age_s, ENTRIES_MAX))


def _entry(row: Sequence[object]) -> FleetActivity:
    at, agent, worker, what, activity = row
    return FleetActivity(
        at=float(str(at)),
        agent=str(agent),
        worker=None if worker is None else str(worker),
        what=str(what),
        activity=None if activity is None else int(str(activity)),
    )
