"""From counts to samples, and from samples to charts."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.failure import FailureKind
from cortexd.domain.node_sample import SERIES, NodeSample
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.policy.load_tally import LoadCounts, LoadTally
from cortexd.policy.metrics_history import POINTS_MAX, SAMPLE_S, chart, fitting_step_s
from cortexd.policy.node_sampling import NodeGauges, Reading, sample
from cortexd.policy.ttft_buckets import BUCKETS, FIRST_S, LAST_S, bucket_of, quantile_s
from tests.ended import attempted, ended

GAUGES = NodeGauges(
    in_flight=3,
    memory_bytes=64 * 1024 * 1024,
    loop_lag_s=0.0125,
    workers_available=2,
    cache_hits=0,
    cache_misses=0,
)


def _reading(time: float, load: LoadCounts | None = None, **gauges: int) -> Reading:
    return Reading(
        at=1000.0 + time,
        time=time,
        load=load or LoadCounts(),
        gauges=attrs.evolve(GAUGES, **gauges),
    )


@given(st.floats(FIRST_S, LAST_S))
def test_a_quantile_is_off_by_less_than_five_percent(seconds: float) -> None:
    """Whatever the size of the times."""
    counts = [0] * BUCKETS
    counts[bucket_of(seconds)] += 1
    found = quantile_s(counts, 0.5)
    assert found is not None
    assert abs(found - seconds) <= 0.05 * seconds


@pytest.mark.parametrize("seconds", [0.0, 1e-9, FIRST_S, LAST_S, 1e9])
def test_any_time_has_a_bucket(seconds: float) -> None:
    """Also those beyond the first and the last."""
    assert 0 <= bucket_of(seconds) < BUCKETS


def test_quantiles() -> None:
    """The time that so many did not exceed, and none where nothing was measured."""
    counts = [0] * BUCKETS
    assert quantile_s(counts, 0.5) is None
    for milliseconds in range(1, 101):
        counts[bucket_of(milliseconds / 1000)] += 1
    assert quantile_s(counts, 0.5) == pytest.approx(0.05, rel=0.06)
    assert quantile_s(counts, 0.95) == pytest.approx(0.095, rel=0.06)
    assert quantile_s(counts, 0.0) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("outcome", "judged", "errors"),
    [
        (Outcome.SERVED, 1, 0),
        (Outcome.FAILED, 1, 1),
        (Outcome.UNAVAILABLE, 1, 1),
        (Outcome.DEADLINE_EXCEEDED, 1, 1),
        (Outcome.NODE_STOPPED, 1, 1),
        (Outcome.SHED, 0, 0),
        (Outcome.REFUSED, 0, 0),
        (Outcome.CLIENT_LEFT, 0, 0),
    ],
)
def test_what_is_an_error(outcome: Outcome, judged: int, errors: int) -> None:
    """Neither what the client has brought about nor what is turned away on purpose."""
    tally = LoadTally()
    tally.take(ended(outcome=outcome))
    counts = tally.counts()
    assert (counts.requests, counts.judged, counts.errors) == (1, judged, errors)


def test_tokens_are_those_of_attempts() -> None:
    """So that one whose answer was carried on by another is counted, too."""
    tally = LoadTally()
    tally.take(attempted(failure=FailureKind.UNREACHABLE, is_answered=False))
    tally.take(attempted())
    tally.take(ended(usage=Usage(20, 42)))
    assert tally.counts().output_tokens == 42


def test_a_sample() -> None:
    """Rates since the sample before, shares and quantiles since a window ago."""
    ttft = [0] * BUCKETS
    ttft[bucket_of(0.2)] = 10
    oldest = _reading(0.0)
    before = _reading(55.0, LoadCounts(requests=90, judged=80, errors=10, output_tokens=100))
    load = LoadCounts(requests=100, judged=90, errors=9 + 10, output_tokens=600, ttft=tuple(ttft))
    newest = _reading(60.0, load, cache_hits=3, cache_misses=9)
    taken = sample(newest, before, oldest)
    assert taken.at == 1060.0
    assert taken.requests_per_second == 2.0
    assert taken.errors_per_second == 1.8
    assert taken.error_rate == pytest.approx(19 / 90, abs=1e-4)
    assert taken.tokens_per_second == 100.0
    assert taken.ttft_ms_p50 == taken.ttft_ms_p99 == pytest.approx(200.0, rel=0.05)
    assert (taken.in_flight, taken.memory_mib, taken.loop_lag_ms) == (3, 64.0, 12.5)
    assert (taken.workers_available, taken.cache_hit_rate) == (2, 0.25)


def test_a_sample_of_an_idle_node() -> None:
    """There are no quantiles of nothing, and no division by it either."""
    taken = sample(_reading(0.0), _reading(0.0), _reading(0.0))
    assert (taken.requests_per_second, taken.error_rate) == (0.0, 0.0)
    assert (taken.ttft_ms_p50, taken.cache_hit_rate) == (None, None)


def test_a_chart_of_every_series() -> None:
    """Each step is one point: mean, or the worst where that is what counts."""
    samples = [
        NodeSample(at=10.0, in_flight=2, loop_lag_ms=1.0),
        NodeSample(at=15.0, in_flight=4, loop_lag_ms=9.0, ttft_ms_p50=7.0),
        NodeSample(at=20.0, in_flight=6, loop_lag_ms=3.0),
    ]
    assert chart(samples, "in_flight", step_s=10.0) == [(10.0, 3.0), (20.0, 6.0)]
    assert chart(samples, "loop_lag_ms", step_s=10.0) == [(10.0, 9.0), (20.0, 3.0)]
    assert chart(samples, "ttft_ms_p50", step_s=10.0) == [(10.0, 7.0)]
    assert all(chart([], series, step_s=5.0) == [] for series in SERIES)


@given(st.floats(0.0, 4e6), st.floats(0.1, 1e5))
def test_no_chart_has_too_many_points(span_s: float, wanted_s: float) -> None:
    """Whatever is asked for; and the step is no longer than it must be."""
    step_s = fitting_step_s(wanted_s, span_s=span_s)
    assert step_s >= max(wanted_s, SAMPLE_S)
    assert math.floor(span_s / step_s) + 1 <= POINTS_MAX
    assert step_s in {wanted_s, SAMPLE_S} or step_s - SAMPLE_S < span_s / (POINTS_MAX - 1)
