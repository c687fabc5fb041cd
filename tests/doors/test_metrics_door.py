"""The admin's metrics: the text for Prometheus, and charts."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import pytest
import trio

from cortexd.actors.published import Published
from cortexd.domain.errors import RequestRefused, StorageFailed
from cortexd.domain.node_sample import SERIES, NodeSample
from cortexd.http.admin.metrics import DISK_S_MAX, MetricsCharts, MetricsDoor
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.metrics_history import POINTS_MAX
from tests.doors.conftest import Ask

NOW = 1_700_000_040.0
RECENT = tuple(NodeSample(at=NOW - 3600.0 + 5.0 * n, in_flight=n) for n in range(720))


@attrs.define(eq=False)
class FakeHistory:
    """A minute for each of the last two days; `failing` and `slow_s`: a disk in trouble."""

    failing: bool = False
    slow_s: float = 0.0

    async def keep(self, samples: Sequence[NodeSample]) -> None:
        """Nobody does."""
        raise AssertionError(samples)

    async def samples(self, since: float) -> list[NodeSample]:
        """Nobody asks."""
        raise AssertionError(since)

    async def minutes(self, since: float, until: float) -> list[NodeSample]:
        """Those that begin in this time."""
        await trio.sleep(self.slow_s)
        if self.failing:
            raise StorageFailed("as told")
        times = [NOW - NOW % 60 - 60.0 * n for n in range(2880, 0, -1)]
        return [NodeSample(at=at, in_flight=1) for at in times if since <= at < until]


def _charts(
    history: FakeHistory | None = None, recent: tuple[NodeSample, ...] = RECENT
) -> MetricsCharts:
    return MetricsCharts(recent=Published(recent), history=history, wall_clock=lambda: NOW)


async def _read(charts: MetricsCharts, query: str = "") -> Any:
    request = DoorRequest(method="GET", path="/", headers={}, body=b"", query=query)
    status, document = await charts.read(request)
    assert status == 200
    return json.loads(json.dumps(document))


async def test_the_last_hour() -> None:
    """All series, a point for each sample, without a disk."""
    answer = await _read(_charts())
    assert answer["step_seconds"] == 5.0
    assert tuple(answer["series"]) == SERIES
    assert answer["series"]["in_flight"] == [[sample.at, sample.in_flight] for sample in RECENT]
    assert answer["series"]["ttft_ms_p50"] == []


async def test_what_was_asked_for() -> None:
    """Some series, from a time on, at a step."""
    since = NOW - 120.0
    answer = await _read(_charts(), f"series=in_flight,loop_lag_ms&since={since}&step=60")
    assert answer["step_seconds"] == 60.0
    assert list(answer["series"]) == ["in_flight", "loop_lag_ms"]
    assert [at for at, _ in answer["series"]["in_flight"]] == [NOW - 120.0, NOW - 60.0]


async def test_a_day() -> None:
    """What is older than the samples at hand comes from the disk, by the minute at least."""
    since = NOW - 86_400.0
    answer = await _read(_charts(FakeHistory()), f"series=in_flight&since={since}")
    points = answer["series"]["in_flight"]
    assert answer["step_seconds"] >= 60.0
    assert 700 < len(points) <= POINTS_MAX
    assert points[0][0] <= since + 120.0
    assert points[-1][0] >= NOW - 120.0
    times = [at for at, _ in points]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    "history", [FakeHistory(failing=True), FakeHistory(slow_s=10 * DISK_S_MAX), None]
)
async def test_a_disk_in_trouble(history: FakeHistory | None) -> None:
    """There are the charts of the last hour then, and soon."""
    with trio.fail_after(2 * DISK_S_MAX):
        answer = await _read(_charts(history), "series=in_flight&since=0")
    assert len(answer["series"]["in_flight"]) == len(RECENT)


async def test_a_node_that_has_just_started() -> None:
    """Before its first sample there is nothing, or what the disk has."""
    assert (await _read(_charts(recent=())))["series"]["in_flight"] == []
    answer = await _read(_charts(FakeHistory(), recent=()), f"since={NOW - 7200.0}")
    assert len(answer["series"]["in_flight"]) == 120


@pytest.mark.parametrize("seconds", [0.0, 1.0, 60.0, -30.0])
async def test_an_hour_is_never_by_the_minute(seconds: float) -> None:
    """Not even where the client's clock is a little behind, or the question was slow."""
    answer = await _read(_charts(FakeHistory()), f"since={NOW - 3600.0 - seconds}")
    assert answer["step_seconds"] == 5.0
    assert len(answer["series"]["in_flight"]) >= 714


async def test_a_short_step_is_as_short_as_there_is_room_for() -> None:
    """No answer has more than a thousand points, whatever is asked for."""
    answer = await _read(_charts(FakeHistory()), "series=in_flight&since=0&step=0.001")
    assert len(answer["series"]["in_flight"]) <= POINTS_MAX
    assert answer["step_seconds"] > 60.0


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("series=", "series"),
        ("series=in_flight,nonsense", "series"),
        ("series=at", "series"),
        ("since=-1", "since"),
        ("since=nan", "since"),
        ("since=1e9", "since"),
        ("since=", "since"),
        ("since=" + "9" * 400, "since"),
        ("step=-5", "step"),
        ("step=inf", "step"),
        ("step=%D9%A5", "step"),
        ("limit=10", "limit"),
        ("since=1&since=2", "since"),
    ],
)
async def test_nonsense(query: str, param: str) -> None:
    """Is refused, with the name of the parameter."""
    with pytest.raises(RequestRefused) as caught:
        await _read(_charts(), query)
    assert (caught.value.status, caught.value.param) == (400, param)


PARTS = 100


class FakeExposition:
    """Text in parts, and how many of them have been made."""

    made = 0

    def expose(self, accept: str) -> tuple[str, Iterator[bytes]]:
        """Says what it was asked."""
        return f"text/{accept}", self._parts()

    def _parts(self) -> Iterator[bytes]:
        for _ in range(PARTS):
            self.made += 1
            yield b"x"


async def test_a_scrape(ask: Ask) -> None:
    """The whole text, of the type that was asked for."""
    answered = await ask(MetricsDoor(FakeExposition()), headers={"accept": "open"})
    assert (answered.status, b"".join(answered.writes)) == (200, b"x" * PARTS)
    assert answered.headers["content-type"] == "text/open"
    assert answered.headers["content-length"] == str(PARTS)


async def test_a_scrape_holds_up_nobody(ask: Ask) -> None:
    """Others have their turn between the parts, be it before or after the next one."""
    exposition, seen = FakeExposition(), set[int]()
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            while True:
                seen.add(exposition.made)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(watch)
        await trio.lowlevel.checkpoint()
        await ask(MetricsDoor(exposition), headers={})
        nursery.cancel_scope.cancel()
    assert len(seen) >= PARTS / 2
