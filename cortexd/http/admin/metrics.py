"""What the node has measured: for Prometheus, and for charts."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.domain.errors import RequestRefused, StorageFailed
from cortexd.domain.node_sample import SERIES, NodeSample
from cortexd.http.admin.operation import read_query
from cortexd.http.admin.seconds import read_seconds
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.policy.metrics_history import MINUTE_S, RECENT_S, SAMPLE_S, chart, fitting_step_s
from cortexd.ports import MetricsExposition, MetricsHistory

DISK_S_MAX: Final = 2.0
"""How long the disk is waited for; without it, there is a chart of the last hour."""


class MetricsDoor(Door):
    """Answers a scrape."""

    def __init__(self, exposition: MetricsExposition) -> None:
        self._exposition = exposition

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send all metrics, letting others have their turn while they are written."""
        content_type, parts = self._exposition.expose(request.headers.get("accept", ""))
        pieces = []
        for part in parts:
            pieces.append(part)
            await trio.lowlevel.checkpoint()
        body = b"".join(pieces)
        headers = [
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
        ]
        await respond.start(200, headers)
        await respond.send(body)
        await respond.finish()


@attrs.frozen(kw_only=True)
class MetricsCharts:
    """The history as charts. `history` is `None` where none is kept on disk."""

    recent: Published[tuple[NodeSample, ...]]
    history: MetricsHistory | None
    wall_clock: Callable[[], float]

    async def read(self, request: DoorRequest) -> tuple[int, object]:
        """`series` from `since` on, a point each `step` seconds. Errors: `RequestRefused`."""
        query = read_query(request, "series", "since", "step")
        now = self.wall_clock()
        series = _series(query.get("series"))
        since = read_seconds(query, "since", now - RECENT_S)
        wanted_s = read_seconds(query, "step", SAMPLE_S)
        samples, has_minutes = await self._samples(since, now)
        span_s = max(0.0, now - (samples[0].at if samples else now))
        step_s = fitting_step_s(max(wanted_s, MINUTE_S if has_minutes else 0.0), span_s=span_s)
        return 200, {
            "series": {name: chart(samples, name, step_s=step_s) for name in series},
            "step_seconds": step_s,
        }

    async def _samples(self, since: float, now: float) -> tuple[Sequence[NodeSample], bool]:
        """All there is from then on, and whether some of it is by the minute."""
        recent = self.recent.value
        newer = [sample for sample in recent if sample.at >= since]
        # A minute is for the way that the question took, and for clocks that differ.
        if self.history is None or since >= now - RECENT_S - MINUTE_S:
            return newer, False
        begin = recent[0].at if recent else now
        older: Sequence[NodeSample] = ()
        # Better the charts of the last hour than none.
        with trio.move_on_after(DISK_S_MAX), suppress(StorageFailed):
            older = await self.history.minutes(since, begin)
        return [*older, *newer], bool(older)


def _series(asked: str | None) -> tuple[str, ...]:
    if asked is None:
        return SERIES
    names = tuple(dict.fromkeys(asked.split(",")))
    for name in names:
        if name not in SERIES:
            raise RequestRefused(
                f"there is no such series; there are: {', '.join(SERIES)}",
                param="series",
                code="invalid_value",
            )
    return names


def performance_document(sample: NodeSample) -> dict[str, object]:
    """How fast the node is, as its dashboard shows it."""
    return {
        "requests_per_second": sample.requests_per_second,
        "tokens_per_second": sample.tokens_per_second,
        "error_rate": sample.error_rate,
        "ttft_ms": {
            "p50": sample.ttft_ms_p50,
            "p95": sample.ttft_ms_p95,
            "p99": sample.ttft_ms_p99,
        },
        "loop_lag_ms": sample.loop_lag_ms,
    }
