"""What a run of the load monitor comes to."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.load_monitor import (
    Latency,
    LoadRun,
    LoadSample,
    latency_ms,
    share,
    turned_away_rate,
)
from cortexd.policy.quantiles import quantile

_S_PER_MINUTE: Final = 60.0
_DECIMALS: Final = 3

SERIES: Final[Mapping[str, Callable[[LoadSample], float | None]]] = {
    "memory_mib": lambda each: each.node.memory_mib,
    "tasks": lambda each: each.gauges.tasks,
    "loop_lag_ms": lambda each: each.node.loop_lag_ms,
    "workers_available": lambda each: each.node.workers_available,
    "in_flight": lambda each: each.gauges.in_flight,
    "queued": lambda each: each.gauges.queued,
    "breakers_open": lambda each: each.gauges.breakers.get(BreakerState.OPEN, 0),
    "cache_entries": lambda each: each.gauges.cache_entries,
    "cache_bytes": lambda each: each.gauges.cache_bytes,
    "cache_hit_rate": lambda each: each.node.cache_hit_rate,
    "requests_per_second": lambda each: each.node.requests_per_second,
    "error_rate": lambda each: each.node.error_rate,
    "latency_ms_p50": lambda each: each.latency_ms.p50,
    "latency_ms_p95": lambda each: each.latency_ms.p95,
    "latency_ms_p99": lambda each: each.latency_ms.p99,
}
"""What there is a spread of, by name."""


@attrs.frozen(kw_only=True)
class Spread:
    """What the values of a series were like."""

    min: float
    mean: float
    p50: float
    p95: float
    max: float


@attrs.frozen(kw_only=True)
class LoadSummary:
    """A run from its first reading to its latest; rates and quantiles are of all its requests.

    `memory_mib_per_minute`: the slope of a line through the later half of the samples, as what a
    node takes while it warms up is no leak; `None` before there is a line. `series`: by name,
    without those of which there was nothing to measure.
    """

    duration_s: float
    samples: int
    requests: int
    errors: int
    requests_per_second: float
    error_rate: float
    turned_away_rate: float
    latency_ms: Latency
    memory_mib_per_minute: float | None
    series: Mapping[str, Spread]


def summary(run: LoadRun) -> LoadSummary:
    """What it has come to so far."""
    begin, end = run.first.plain, run.latest.plain
    duration_s = end.time - begin.time
    requests = end.load.requests - begin.load.requests
    errors = end.load.errors - begin.load.errors
    return LoadSummary(
        duration_s=round(duration_s, _DECIMALS),
        samples=len(run.samples),
        requests=requests,
        errors=errors,
        requests_per_second=round(requests / duration_s, _DECIMALS) if duration_s > 0 else 0.0,
        error_rate=share(errors, end.load.judged - begin.load.judged),
        turned_away_rate=turned_away_rate(end.load, begin.load),
        latency_ms=latency_ms(end.load, begin.load),
        memory_mib_per_minute=_memory_slope(run.samples[len(run.samples) // 2 :]),
        series=_spreads(run.samples),
    )


def _spreads(samples: Sequence[LoadSample]) -> dict[str, Spread]:
    found = {}
    for name, value_of in SERIES.items():
        values = [value for each in samples if (value := value_of(each)) is not None]
        if values:
            found[name] = _spread(values)
    return found


def _spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    return Spread(
        min=ordered[0],
        mean=round(statistics.fmean(ordered), _DECIMALS),
        p50=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        max=ordered[-1],
    )


def _memory_slope(samples: Sequence[LoadSample]) -> float | None:
    """How many MiB a minute, by least squares."""
    times = [each.node.at for each in samples]
    if len(set(times)) < 2:  # noqa: PLR2004  no line goes through a point alone
        return None
    slope, _ = statistics.linear_regression(times, [each.node.memory_mib for each in samples])
    return round(slope * _S_PER_MINUTE, _DECIMALS)
