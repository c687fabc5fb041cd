"""A run of the load monitor: readings of the node, seconds apart, that become samples.

Rules of this file: a run is a value that knows its latest reading, so that whoever goes on with it
loses nothing; it never has more than `SAMPLES_MAX` samples.
"""

from collections.abc import Iterator, Mapping
from itertools import dropwhile
from typing import Final

import attrs

from cortexd.domain.node_sample import NodeSample
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.load_tally import LoadCounts
from cortexd.policy.node_sampling import Reading, sample
from cortexd.policy.ttft_buckets import quantile_s

SAMPLES_MAX: Final = 720
"""An hour of them, five seconds apart; a run that is to be longer takes a longer interval."""

INTERVAL_S: Final = 5.0
INTERVAL_S_MIN: Final = 1.0
INTERVAL_S_MAX: Final = 3600.0

_MS: Final = 1000.0
_MS_DECIMALS: Final = 3
_SHARE_DECIMALS: Final = 4


@attrs.frozen(kw_only=True)
class Latency:
    """Quantiles of the whole time that requests took, in milliseconds; `None` if there were none.

    Of those that were served or ended in an error.
    """

    p50: float | None
    p95: float | None
    p99: float | None


@attrs.frozen(kw_only=True)
class LoadGauges:
    """What can be read of the node at any moment, besides what all samples have.

    `in_flight` and `queued`: requests at all workers together. `breakers`: how many are in which
    state.
    """

    tasks: int
    workers: int
    in_flight: int
    queued: int
    cache_entries: int
    cache_bytes: int
    breakers: Mapping[BreakerState, int]


@attrs.frozen(kw_only=True)
class LoadReading:
    """All that is read of the node at a moment. Counts are since it started."""

    plain: Reading
    gauges: LoadGauges


@attrs.frozen(kw_only=True)
class LoadSample:
    """A moment of a load test, and the interval before it.

    `node`: as everybody samples it, but rates and shares are of this interval alone.
    `turned_away_rate`: the share of the requests that were neither served nor ended in an error:
    kept off by a limit, refused, or left by their clients.
    """

    node: NodeSample
    gauges: LoadGauges
    latency_ms: Latency
    turned_away_rate: float


@attrs.frozen(kw_only=True)
class LoadRun:
    """A run, from the reading it began with to the latest one.

    `stopped_at`, in seconds since the epoch, is `None` as long as it goes on.
    """

    interval_s: float
    duration_s: float
    first: LoadReading
    latest: LoadReading
    samples: tuple[LoadSample, ...] = ()
    stopped_at: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether more samples are to come."""
        return self.stopped_at is None

    def samples_since(self, at: float) -> Iterator[LoadSample]:
        """Those from the first one on that was taken then or later, in seconds since the epoch.

        None that comes after it is left out, also where the clock has gone back since.
        """
        return dropwhile(lambda sample: sample.node.at < at, self.samples)

    def next_in_s(self, now: float) -> float:
        """How long to wait for the next reading."""
        return max(0.0, self.latest.plain.time + self.interval_s - now)


def begun(reading: LoadReading, *, interval_s: float, duration_s: float) -> LoadRun:
    """A run that begins with this reading, and ends by itself in `duration_s` at the latest."""
    return LoadRun(interval_s=interval_s, duration_s=duration_s, first=reading, latest=reading)


def advanced(run: LoadRun, reading: LoadReading) -> LoadRun:
    """The run with a sample more; it has ended where that was the last one."""
    samples = (*run.samples, _sample(reading, run.latest))
    after = attrs.evolve(run, samples=samples, latest=reading)
    lasted_s = reading.plain.time - run.first.plain.time
    # Readings come a little late, and no further one has to fit in.
    is_over = lasted_s > run.duration_s - run.interval_s / 2
    return ended(after, reading) if is_over or len(samples) >= SAMPLES_MAX else after


def ended(run: LoadRun, reading: LoadReading) -> LoadRun:
    """The run up to this reading. That makes no sample: its interval may be a moment only."""
    return attrs.evolve(run, latest=reading, stopped_at=reading.plain.at)


def latency_ms(load: LoadCounts, past: LoadCounts) -> Latency:
    """That of the requests which have ended in between."""
    counts = [now - then for now, then in zip(load.durations, past.durations, strict=True)]
    p50, p95, p99 = (quantile_s(counts, q) for q in (0.5, 0.95, 0.99))
    return Latency(p50=_in_ms(p50), p95=_in_ms(p95), p99=_in_ms(p99))


def turned_away_rate(load: LoadCounts, past: LoadCounts) -> float:
    """See `LoadSample`."""
    requests, judged = load.requests - past.requests, load.judged - past.judged
    return share(requests - judged, requests)


def share(part: int, whole: int) -> float:
    """As a number from 0 to 1; nothing of nothing is 0."""
    return round(part / whole, _SHARE_DECIMALS) if whole > 0 else 0.0


def _sample(newest: LoadReading, before: LoadReading) -> LoadSample:
    load, past = newest.plain.load, before.plain.load
    return LoadSample(
        node=sample(newest.plain, before.plain, before.plain),
        gauges=newest.gauges,
        latency_ms=latency_ms(load, past),
        turned_away_rate=turned_away_rate(load, past),
    )


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * _MS, _MS_DECIMALS)
