"""The load monitor for operators: switch it on for a test, watch, switch it off, read the sum."""

from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from cortexd.actors.load_monitor import (
    LOAD_MONITOR,
    AlreadyRunning,
    LoadBoard,
    LoadMonitor,
    NeverStarted,
)
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.operation import read_fields, read_query
from cortexd.http.admin.seconds import read_seconds
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.load_monitor import (
    INTERVAL_S,
    INTERVAL_S_MAX,
    INTERVAL_S_MIN,
    SAMPLES_MAX,
    LoadRun,
    LoadSample,
)
from cortexd.policy.load_summary import LoadSummary, summary
from supervisor_tree import whereis

WRITTEN_AT_ONCE: Final = 50
"""So many samples are made into documents before others have their turn."""


@attrs.frozen(kw_only=True)
class LoadMonitorAdmin:
    """What operators can see and do; what is seen is what the monitor has published."""

    board: LoadBoard

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """The run with its samples, and what it has come to once it has ended.

        `since`: without the samples from before; who comes again and again has them already.
        """
        since = read_seconds(read_query(request, "since"), "since", 0.0)
        run = self.board.value
        samples: list[dict[str, Any]] = []
        for taken in () if run is None else run.samples_since(since):
            if len(samples) % WRITTEN_AT_ONCE == 0:
                # Whoever looks on must not be what slows down the node.
                await trio.lowlevel.checkpoint()
            samples.append(_sample(taken))
        return 200, {**_run(run), "samples": samples}

    async def start(self, request: DoorRequest) -> tuple[int, Any]:
        """Begin a run; the samples of the one before are gone."""
        read_query(request)
        interval_s, duration_s = _read_wish(request)
        try:
            run = await whereis(LOAD_MONITOR).call(LoadMonitor.start_run, interval_s, duration_s)
        except AlreadyRunning as error:
            raise RequestRefused(str(error), code="already_running", status=409) from None
        return 200, _run(run)

    async def stop(self, request: DoorRequest) -> tuple[int, Any]:
        """End the run, and say what it has come to."""
        read_query(request)
        try:
            run = await whereis(LOAD_MONITOR).call(LoadMonitor.stop_run)
        except NeverStarted as error:
            raise RequestRefused(str(error), code="never_started", status=409) from None
        return 200, _run(run)


def _read_wish(request: DoorRequest) -> tuple[float, float]:
    fields = read_fields(request)
    fields.only({"interval_seconds", "duration_seconds"}, {})
    interval_s = fields.number("interval_seconds", low=INTERVAL_S_MIN, high=INTERVAL_S_MAX)
    interval_s = INTERVAL_S if interval_s is None else interval_s
    duration_s_max = SAMPLES_MAX * interval_s
    duration_s = fields.number("duration_seconds", low=interval_s, high=duration_s_max)
    return interval_s, duration_s_max if duration_s is None else duration_s


def _run(run: LoadRun | None) -> dict[str, Any]:
    if run is None:
        return {
            "running": False,
            "started_at": None,
            "stopped_at": None,
            "interval_seconds": INTERVAL_S,
            "duration_seconds": SAMPLES_MAX * INTERVAL_S,
            "summary": None,
        }
    return {
        "running": run.is_running,
        "started_at": _date(run.first.plain.at),
        "stopped_at": None if run.stopped_at is None else _date(run.stopped_at),
        "interval_seconds": run.interval_s,
        "duration_seconds": run.duration_s,
        "summary": None if run.is_running else _summary(summary(run)),
    }


def _sample(taken: LoadSample) -> dict[str, Any]:
    node, gauges, latency = taken.node, taken.gauges, taken.latency_ms
    return {
        "at": _date(node.at),
        "memory_mib": node.memory_mib,
        "tasks": gauges.tasks,
        "loop_lag_ms": node.loop_lag_ms,
        "workers": gauges.workers,
        "workers_available": node.workers_available,
        "pool": {"in_flight": gauges.in_flight, "queued": gauges.queued},
        "cache": {
            "entries": gauges.cache_entries,
            "bytes": gauges.cache_bytes,
            "hit_rate": node.cache_hit_rate,
        },
        "breakers": {state.value: gauges.breakers.get(state, 0) for state in BreakerState},
        "latency_ms": {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99},
        "requests_per_second": node.requests_per_second,
        "error_rate": node.error_rate,
        "turned_away_rate": taken.turned_away_rate,
    }


def _summary(whole: LoadSummary) -> dict[str, Any]:
    document = attrs.asdict(whole)
    return {"duration_seconds": document.pop("duration_s"), **document}


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
