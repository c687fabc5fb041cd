"""From readings of the node, seconds apart, to a sample of how it is doing."""

from typing import Final

import attrs

from cortexd.domain.node_sample import NodeSample
from cortexd.policy.load_tally import LoadCounts
from cortexd.policy.ttft_buckets import quantile_s

WINDOW_S: Final = 60.0
"""How far back shares and quantiles look."""

_MIB: Final = 1024 * 1024
_MS: Final = 1000.0
_DECIMALS: Final = 3


@attrs.frozen(kw_only=True)
class NodeGauges:
    """What can be read of the node at any moment. The cache's are counts since the start."""

    in_flight: int
    memory_bytes: int
    loop_lag_s: float
    workers_available: int
    cache_hits: int
    cache_misses: int


@attrs.frozen(kw_only=True)
class Reading:
    """All of it at once. `at` is in seconds since the epoch, `time` on the monotonic clock."""

    at: float
    time: float
    load: LoadCounts
    gauges: NodeGauges


def sample(newest: Reading, before: Reading, oldest: Reading) -> NodeSample:
    """How the node is doing, from the newest reading, the one before, and one a window ago."""
    elapsed_s = newest.time - before.time
    load, past, gauges = newest.load, oldest.load, newest.gauges
    ttft = [now - then for now, then in zip(load.ttft, past.ttft, strict=True)]
    hits = gauges.cache_hits - oldest.gauges.cache_hits
    misses = gauges.cache_misses - oldest.gauges.cache_misses
    return NodeSample(
        at=round(newest.at, _DECIMALS),
        requests_per_second=_rate(load.requests - before.load.requests, elapsed_s),
        errors_per_second=_rate(load.errors - before.load.errors, elapsed_s),
        error_rate=_share(load.errors - past.errors, load.judged - past.judged) or 0.0,
        ttft_ms_p50=_quantile_ms(ttft, 0.5),
        ttft_ms_p95=_quantile_ms(ttft, 0.95),
        ttft_ms_p99=_quantile_ms(ttft, 0.99),
        tokens_per_second=_rate(load.output_tokens - before.load.output_tokens, elapsed_s),
        in_flight=gauges.in_flight,
        memory_mib=round(gauges.memory_bytes / _MIB, _DECIMALS),
        loop_lag_ms=round(gauges.loop_lag_s * _MS, _DECIMALS),
        workers_available=gauges.workers_available,
        cache_hit_rate=_share(hits, hits + misses),
    )


def _rate(count: int, elapsed_s: float) -> float:
    return round(count / elapsed_s, _DECIMALS) if elapsed_s > 0 else 0.0


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, _DECIMALS + 1) if whole > 0 else None


def _quantile_ms(counts: list[int], q: float) -> float | None:
    seconds = quantile_s(counts, q)
    return None if seconds is None else round(seconds * _MS, _DECIMALS)
