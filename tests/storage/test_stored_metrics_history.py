"""The history of metrics on disk: minutes from samples, and never more than there is room for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from cortexd.domain.errors import StorageFailed
from cortexd.domain.node_sample import NodeSample
from cortexd.storage.database import Database
from cortexd.storage.metrics_history import MIGRATIONS, StoredMetricsHistory

pytestmark = pytest.mark.real_time

# The beginning of a minute.
START = 1_700_000_040.0
WHOLE = NodeSample(
    at=START,
    requests_per_second=1.5,
    errors_per_second=0.5,
    error_rate=0.25,
    ttft_ms_p50=10.0,
    ttft_ms_p95=20.0,
    ttft_ms_p99=30.0,
    tokens_per_second=99.5,
    in_flight=4,
    memory_mib=128.5,
    loop_lag_ms=1.25,
    workers_available=3,
    cache_hit_rate=0.75,
)


@asynccontextmanager
async def _history(
    folder: Path, *, samples_s: float = 3600.0, minutes_s: float = 86400.0
) -> AsyncIterator[StoredMetricsHistory]:
    database = Database(folder / "metrics.db", MIGRATIONS, durable=False)
    try:
        with trio.fail_after(20):
            yield StoredMetricsHistory(database, samples_s=samples_s, minutes_s=minutes_s)
    finally:
        await database.aclose()


def _samples(seconds: float, *, start: float = START) -> list[NodeSample]:
    return [
        NodeSample(at=start + 5.0 * number, in_flight=number, loop_lag_ms=float(number))
        for number in range(int(seconds / 5.0))
    ]


async def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    """Every field of it, also from another process's file."""
    async with _history(tmp_path) as history:
        await history.keep([WHOLE, NodeSample(at=START + 5.0)])
    async with _history(tmp_path) as history:
        assert await history.samples(START) == [WHOLE, NodeSample(at=START + 5.0)]
        assert await history.samples(START + 1.0) == [NodeSample(at=START + 5.0)]


async def test_minutes(tmp_path: Path) -> None:
    """A minute that is over is its mean, or its worst; one that is not, is not there yet."""
    async with _history(tmp_path) as history:
        for sample in _samples(130.0):
            await history.keep([sample])
        minutes = await history.minutes(START, START + 600.0)
        assert [(one.at, one.in_flight, one.loop_lag_ms) for one in minutes] == [
            (START, 5.5, 11.0),
            (START + 60.0, 17.5, 23.0),
        ]
        assert minutes[0].ttft_ms_p50 is None
        assert await history.minutes(START + 1.0, START + 60.0) == []


async def test_a_gap_is_no_minute(tmp_path: Path) -> None:
    """What was not measured is not made up, and what comes after it counts."""
    async with _history(tmp_path) as history:
        await history.keep(_samples(60.0))
        await history.keep(_samples(60.0, start=START + 600.0))
        await history.keep(_samples(5.0, start=START + 660.0))
        minutes = await history.minutes(START, START + 6000.0)
        assert [one.at for one in minutes] == [START, START + 600.0]


async def test_room_is_bounded(tmp_path: Path) -> None:
    """Of both kinds, only as much is kept as was asked for."""
    async with _history(tmp_path, samples_s=300.0, minutes_s=900.0) as history:
        for start in range(0, 3600, 60):
            await history.keep(_samples(60.0, start=START + start))
        samples = await history.samples(0.0)
        assert len(samples) == 61
        assert samples[-1].at == START + 3595.0
        minutes = await history.minutes(0.0, START + 9999.0)
        assert [one.at - START for one in minutes] == [60.0 * n for n in range(45, 59)]


async def test_the_clock_is_set_back(tmp_path: Path) -> None:
    """What was written under the wrong time goes, and minutes are summed up again."""
    async with _history(tmp_path) as history:
        await history.keep(_samples(120.0, start=START + 1e6 * 60))
        await history.keep(_samples(125.0))
        assert (await history.samples(0.0))[-1].at == START + 120.0
        await history.keep(_samples(65.0, start=START + 120.0))
        minutes = await history.minutes(0.0, START + 1e9)
        assert [one.at - START for one in minutes][-1] == 120.0


async def test_a_sample_that_comes_twice(tmp_path: Path) -> None:
    """The last one counts."""
    async with _history(tmp_path) as history:
        await history.keep([WHOLE])
        await history.keep([attrs.evolve(WHOLE, in_flight=9)])
        assert [one.in_flight for one in await history.samples(0.0)] == [9]


async def test_a_disk_that_cannot_be_used(tmp_path: Path) -> None:
    """Is told as what it is."""
    folder = tmp_path / "file"
    folder.write_text("in the way", encoding="ascii")
    async with _history(folder) as history:
        with pytest.raises(StorageFailed):
            await history.keep([WHOLE])
        with pytest.raises(StorageFailed):
            await history.samples(0.0)
