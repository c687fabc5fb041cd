"""The history of a fleet on disk: newest first, in pages, and not for ever."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cortexd.domain.fleet import FleetActivity
from cortexd.storage.database import Database
from cortexd.storage.fleet_activity import MIGRATIONS, StoredFleetHistory

pytestmark = pytest.mark.real_time

START = 1_700_000_000.0


@asynccontextmanager
async def _history(folder: Path) -> AsyncIterator[StoredFleetHistory]:
    database = Database(folder / "fleet.db", MIGRATIONS, durable=False)
    yield StoredFleetHistory(database, age_s=100.0)
    await database.aclose()


def _entry(at: float, agent: str = "a", **changes: object) -> FleetActivity:
    plain: dict[str, object] = {"worker": None, "what": "registered", "activity": None}
    return FleetActivity(at=START + at, agent=agent, **{**plain, **changes})  # type: ignore[arg-type]  # a test names its own


async def test_what_is_kept_comes_back_in_pages(tmp_path: Path) -> None:
    """The newest first; with all that was in it, also after a restart."""
    entries = [_entry(at, worker="w", what="activity", activity=int(at)) for at in range(5)]
    async with _history(tmp_path) as history:
        await history.keep(entries)
        await history.keep([])
    async with _history(tmp_path) as history:
        page, total = await history.page(2, agent=None, since=0.0, before=None)
        assert [entry for _, entry in page] == entries[:2:-1]
        assert total == 5
        rest, _ = await history.page(9, agent=None, since=0.0, before=page[-1][0])
        assert [entry for _, entry in rest] == entries[2::-1]


async def test_it_can_be_asked_for_less(tmp_path: Path) -> None:
    """For one agent, and from some time on."""
    async with _history(tmp_path) as history:
        await history.keep([_entry(0), _entry(1, "b"), _entry(2), _entry(3, "b")])
        page, total = await history.page(9, agent="b", since=START + 2, before=None)
        assert ([entry.at - START for _, entry in page], total) == ([3.0], 1)


async def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    """With what comes next."""
    async with _history(tmp_path) as history:
        await history.keep([_entry(0), _entry(50)])
        await history.keep([_entry(120)])
        page, _ = await history.page(9, agent=None, since=0.0, before=None)
        assert [entry.at - START for _, entry in page] == [120.0, 50.0]
