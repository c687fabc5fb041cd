"""The history of the node's metrics in SQLite: each sample for an hour, then by the minute."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from cortexd.domain.node_sample import AT_WORST, SERIES, NodeSample
from cortexd.ports import MetricsHistory
from cortexd.storage.database import Database

_TABLE: Final = """
CREATE TABLE {table} (
    at REAL PRIMARY KEY,
    requests_per_second REAL NOT NULL,
    errors_per_second REAL NOT NULL,
    error_rate REAL NOT NULL,
    ttft_ms_p50 REAL,
    ttft_ms_p95 REAL,
    ttft_ms_p99 REAL,
    tokens_per_second REAL NOT NULL,
    in_flight REAL NOT NULL,
    memory_mib REAL NOT NULL,
    loop_lag_ms REAL NOT NULL,
    workers_available REAL NOT NULL,
    cache_hit_rate REAL
) WITHOUT ROWID;
"""

MIGRATIONS: Final = (_TABLE.format(table="samples") + _TABLE.format(table="minutes"),)

_MINUTE_S: Final = 60

_COLUMNS: Final = ("at", *SERIES)
_NAMES: Final = ", ".join(_COLUMNS)
_PLACES: Final = ", ".join("?" for _ in _COLUMNS)
_SUMMARIES: Final = ", ".join(f"{'max' if name in AT_WORST else 'avg'}({name})" for name in SERIES)

# None of the values is in the text of these.
_KEEP: Final = f"INSERT OR REPLACE INTO samples ({_NAMES}) VALUES ({_PLACES})"  # noqa: S608
_SAMPLES: Final = f"SELECT {_NAMES} FROM samples WHERE at >= ? ORDER BY at"  # noqa: S608
_MINUTES: Final = f"SELECT {_NAMES} FROM minutes WHERE at >= ? AND at < ? ORDER BY at"  # noqa: S608
_CLOSE_MINUTES: Final = f"""
INSERT OR REPLACE INTO minutes ({_NAMES})
SELECT CAST(at / {_MINUTE_S} AS INTEGER) * {_MINUTE_S} AS minute, {_SUMMARIES} FROM samples
WHERE at >= (SELECT coalesce(max(at) + {_MINUTE_S}, 0) FROM minutes) AND at < ?
GROUP BY minute
"""  # noqa: S608

# A time in the future was written before somebody set the clock right.
_FORGET: Final = tuple(
    f"DELETE FROM {table} WHERE at < ? OR at > ?"  # noqa: S608
    for table in ("samples", "minutes")
)


class StoredMetricsHistory(MetricsHistory):
    """In a database of its own. `samples_s` and `minutes_s`: how far back it keeps which."""

    def __init__(self, database: Database, *, samples_s: float, minutes_s: float) -> None:
        self._database = database
        self._samples_s = samples_s
        self._minutes_s = minutes_s

    async def keep(self, samples: Sequence[NodeSample]) -> None:
        """As in the port; the minutes that are over are summed up at the same time."""
        if samples:
            await self._database.write(partial(self._keep, samples))

    async def samples(self, since: float) -> list[NodeSample]:
        """As in the port."""
        return await self._database.read(partial(_select, _SAMPLES, (since,)))

    async def minutes(self, since: float, until: float) -> list[NodeSample]:
        """As in the port."""
        return await self._database.read(partial(_select, _MINUTES, (since, until)))

    def _keep(self, samples: Sequence[NodeSample], connection: sqlite3.Connection) -> None:
        rows = [tuple(getattr(sample, name) for name in _COLUMNS) for sample in samples]
        connection.executemany(_KEEP, rows)
        newest = samples[-1].at
        connection.execute(_CLOSE_MINUTES, (newest - newest % _MINUTE_S,))
        for statement, age_s in zip(_FORGET, (self._samples_s, self._minutes_s), strict=True):
            connection.execute(statement, (newest - age_s, newest))


def _select(
    statement: str, values: tuple[float, ...], connection: sqlite3.Connection
) -> list[NodeSample]:
    rows = connection.execute(statement, values)
    return [NodeSample(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
