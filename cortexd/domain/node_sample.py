"""How the node was doing at a moment: what its charts are drawn from, and its alerts go by."""

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class NodeSample:
    """A moment of the node. `at` is in seconds since the epoch.

    Rates are those since the sample before; `error_rate` and `cache_hit_rate` are shares (0 to 1)
    of the last minute, as are the quantiles of the time to a first token, in milliseconds. `None`:
    there was nothing to measure. An error is an exchange that neither its client nor a limit on
    purpose has ended: failed, unavailable, out of time, cut by the end of the node. Tokens are
    those of the answers, counted when an attempt ends. `loop_lag_ms` is the worst of the last
    seconds.
    """

    at: float
    requests_per_second: float = 0.0
    errors_per_second: float = 0.0
    error_rate: float = 0.0
    ttft_ms_p50: float | None = None
    ttft_ms_p95: float | None = None
    ttft_ms_p99: float | None = None
    tokens_per_second: float = 0.0
    in_flight: float = 0.0
    memory_mib: float = 0.0
    loop_lag_ms: float = 0.0
    workers_available: float = 0.0
    cache_hit_rate: float | None = None


SERIES: Final = tuple(field.name for field in attrs.fields(NodeSample) if field.name != "at")
"""What there is a chart of."""

AT_WORST: Final = frozenset({"ttft_ms_p95", "ttft_ms_p99", "loop_lag_ms"})
"""Those of which a longer time shows the worst; of the others it shows the mean."""
