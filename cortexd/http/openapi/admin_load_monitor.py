"""The load monitor in the admin listener's OpenAPI document: its operations and its answers."""

from typing import Final, TypeAlias

from cortexd.http.openapi.admin_words import (
    COUNT,
    FLAG,
    MAYBE_MOMENT,
    MAYBE_NUMBER,
    MOMENT,
    NUMBER,
    SECONDS,
    Operation,
    answer,
    in_body,
    in_query,
    many,
    mapping,
    operation,
    whole,
)
from cortexd.http.openapi.json_schema import Schema, closed, reference
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.load_monitor import INTERVAL_S_MAX, INTERVAL_S_MIN, SAMPLES_MAX

Paths: TypeAlias = dict[str, dict[str, Operation]]

LOAD_MONITOR_PATHS: Final[Paths] = {
    "/admin/load-monitor": {
        "get": operation(
            "getLoadMonitor",
            "Show the run of the load monitor, or the last one, with its samples.",
            answer("The document.", reference("LoadRun")),
            takes=[
                in_query(
                    "since",
                    "Samples from the first one on that was taken then or later, in seconds since "
                    "the epoch; left out: all of them.",
                    SECONDS,
                )
            ],
        )
    },
    "/admin/load-monitor/start": {
        "post": operation(
            "startLoadMonitor",
            "Sample the node every few seconds, for the length of a test.",
            answer("It has begun.", reference("LoadRunAtAGlance")),
            may_be=(409, 415, 503),
            takes=[in_body("LoadMonitorWish")],
        )
    },
    "/admin/load-monitor/stop": {
        "post": operation(
            "stopLoadMonitor",
            "End the run, and show what it has come to.",
            answer("It has ended.", reference("LoadRunAtAGlance")),
            may_be=(409, 503),
        )
    },
}

_LATENCY: Final = whole(
    "Quantiles of the whole time that requests took, in milliseconds; `null` where there were "
    "none. Of those that were served or ended in an error.",
    {"p50": MAYBE_NUMBER, "p95": MAYBE_NUMBER, "p99": MAYBE_NUMBER},
)

_RUN: Final[dict[str, Schema]] = {
    "running": FLAG,
    "started_at": MAYBE_MOMENT,
    "stopped_at": MAYBE_MOMENT,
    "interval_seconds": NUMBER,
    "duration_seconds": NUMBER,
    "summary": {"anyOf": [reference("LoadSummary"), {"type": "null"}]},
}

LOAD_MONITOR_SCHEMAS: Final[dict[str, Schema]] = {
    "LoadRunAtAGlance": whole(
        "A run without its samples; `summary` is there once it has ended.", _RUN
    ),
    "LoadRun": whole(
        "A run; `summary` is there once it has ended.",
        {**_RUN, "samples": many(reference("LoadSample"))},
    ),
    "LoadMonitorWish": closed(
        f"How often to sample, and for how long at most: {SAMPLES_MAX} samples, if not said.",
        {
            "interval_seconds": {
                "type": ["number", "null"],
                "minimum": INTERVAL_S_MIN,
                "maximum": INTERVAL_S_MAX,
            },
            "duration_seconds": {
                "type": ["number", "null"],
                "minimum": INTERVAL_S_MIN,
                "maximum": SAMPLES_MAX * INTERVAL_S_MAX,
            },
        },
    ),
    "LoadSample": whole(
        "A moment, and the interval before it: rates, shares and quantiles are of that alone. "
        "`turned_away_rate` is the share of the requests that were neither served nor ended in an "
        "error: kept off by a limit, refused, or left by their clients.",
        {
            "at": MOMENT,
            "memory_mib": NUMBER,
            "tasks": COUNT,
            "loop_lag_ms": NUMBER,
            "workers": COUNT,
            "workers_available": COUNT,
            "pool": whole("Requests at all workers.", {"in_flight": COUNT, "queued": COUNT}),
            "cache": whole(
                "The cache of answers.",
                {"entries": COUNT, "bytes": COUNT, "hit_rate": MAYBE_NUMBER},
            ),
            "breakers": whole(
                "How many circuit breakers are in which state.",
                {state.value: COUNT for state in BreakerState},
            ),
            "latency_ms": _LATENCY,
            "requests_per_second": NUMBER,
            "error_rate": NUMBER,
            "turned_away_rate": NUMBER,
        },
    ),
    "LoadSummary": whole(
        "What a run has come to; rates and quantiles are of all its requests. "
        "`memory_mib_per_minute` is how memory grew in the later half of it.",
        {
            "duration_seconds": NUMBER,
            "samples": COUNT,
            "requests": COUNT,
            "errors": COUNT,
            "requests_per_second": NUMBER,
            "error_rate": NUMBER,
            "turned_away_rate": NUMBER,
            "latency_ms": _LATENCY,
            "memory_mib_per_minute": MAYBE_NUMBER,
            "series": mapping(
                whole(
                    "What its values were like.",
                    {"min": NUMBER, "mean": NUMBER, "p50": NUMBER, "p95": NUMBER, "max": NUMBER},
                ),
                "By name, those of which there was something to measure.",
            ),
        },
    ),
}
