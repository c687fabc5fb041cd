"""A run of the load monitor: what becomes of its readings, when it ends, and what it comes to."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.outcome import Outcome
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.load_monitor import (
    SAMPLES_MAX,
    LoadGauges,
    LoadReading,
    LoadRun,
    advanced,
    begun,
    ended,
)
from cortexd.policy.load_summary import SERIES, Spread, summary
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.node_sampling import NodeGauges, Reading
from tests.ended import ended as exchange

EPOCH_S = 1_000_000.0
MIB = 1024 * 1024

PLAIN = NodeGauges(
    in_flight=3,
    memory_bytes=100 * MIB,
    loop_lag_s=0.002,
    workers_available=1,
    cache_hits=0,
    cache_misses=0,
)
GAUGES = LoadGauges(
    tasks=50,
    workers=2,
    in_flight=2,
    queued=1,
    cache_entries=7,
    cache_bytes=700,
    breakers={BreakerState.CLOSED: 1, BreakerState.OPEN: 1},
)


def _reading(time: float, tally: LoadTally | None = None, **plain: Any) -> LoadReading:
    return LoadReading(
        plain=Reading(
            at=EPOCH_S + time,
            time=time,
            load=(tally or LoadTally()).counts(),
            gauges=attrs.evolve(PLAIN, **plain),
        ),
        gauges=GAUGES,
    )


def _run(*, interval_s: float = 5.0, duration_s: float = 3600.0) -> LoadRun:
    return begun(_reading(0.0), interval_s=interval_s, duration_s=duration_s)


def _took(tally: LoadTally, seconds: float, count: int, outcome: Outcome = Outcome.SERVED) -> None:
    for _ in range(count):
        tally.take(exchange(outcome=outcome, duration_s=seconds))


def test_a_sample_is_of_its_interval_alone() -> None:
    """What came before counts neither for rates nor for shares and quantiles."""
    tally = LoadTally()
    _took(tally, 0.1, 100)
    run = advanced(_run(), _reading(5.0, tally, cache_hits=50, cache_misses=50))
    _took(tally, 2.0, 15)
    _took(tally, 2.0, 5, Outcome.FAILED)
    _took(tally, 9.0, 5, Outcome.SHED)
    run = advanced(run, _reading(10.0, tally, cache_hits=53, cache_misses=51))
    first, second = run.samples
    assert first.node.requests_per_second == 20.0
    assert first.latency_ms.p99 == pytest.approx(100.0, rel=0.05)
    assert second.node.requests_per_second == 5.0
    assert second.node.error_rate == 0.25
    assert second.turned_away_rate == 0.2
    assert second.node.cache_hit_rate == 0.75
    assert second.latency_ms.p50 == second.latency_ms.p99 == pytest.approx(2000.0, rel=0.05)
    assert (second.node.memory_mib, second.node.loop_lag_ms) == (100.0, 2.0)
    assert second.gauges == GAUGES


def test_an_interval_without_requests() -> None:
    """There are no quantiles of nothing."""
    (taken,) = advanced(_run(), _reading(5.0)).samples
    assert (taken.latency_ms.p50, taken.latency_ms.p99) == (None, None)
    assert (taken.node.requests_per_second, taken.turned_away_rate) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("duration_s", "samples"),
    [(5.0, 1), (9.0, 2), (10.0, 2), (12.0, 2), (13.0, 3), (60.0, 12)],
)
def test_a_run_ends_by_itself(duration_s: float, samples: int) -> None:
    """With the sample that is nearest to its end; readings come a little late."""
    run = _run(duration_s=duration_s)
    while run.is_running:
        run = advanced(run, _reading(5.01 * (len(run.samples) + 1)))
    assert len(run.samples) == samples
    assert run.stopped_at == run.latest.plain.at


def test_a_run_has_room_for_so_many_samples() -> None:
    """Whatever duration it was given."""
    run = _run(duration_s=1e9)
    while run.is_running:
        run = advanced(run, _reading(5.0 * (len(run.samples) + 1)))
    assert len(run.samples) == SAMPLES_MAX


def test_what_came_since_is_all_there_also_after_the_clock_has_gone_back() -> None:
    """Who has seen a sample is shown all that came after it, and maybe some twice."""
    run = _run()
    for at in (5.0, 10.0, 2.0, 7.0):
        run = advanced(run, _reading(at))
    times = {
        since: [sample.node.at - EPOCH_S for sample in run.samples_since(EPOCH_S + since)]
        for since in (0.0, 10.0, 7.0, 11.0)
    }
    assert times == {
        0.0: [5.0, 10.0, 2.0, 7.0],
        10.0: [10.0, 2.0, 7.0],
        7.0: [10.0, 2.0, 7.0],
        11.0: [],
    }


def test_the_next_reading_is_due_an_interval_after_the_last() -> None:
    """At once where that is past, as after a crash that took its time."""
    run = advanced(_run(), _reading(5.0))
    assert run.next_in_s(7.0) == 3.0
    assert run.next_in_s(11.0) == 0.0


def test_a_summary_is_of_all_requests_of_the_run() -> None:
    """Also of those since the last sample, and of none from before the first reading."""
    tally = LoadTally()
    _took(tally, 30.0, 1000)
    run = begun(_reading(0.0, tally), interval_s=5.0, duration_s=3600.0)
    _took(tally, 0.5, 90)
    run = advanced(run, _reading(5.0, tally))
    _took(tally, 1.5, 9)
    _took(tally, 1.5, 1, Outcome.UNAVAILABLE)
    _took(tally, 0.0, 25, Outcome.REFUSED)
    run = ended(run, _reading(8.0, tally))
    found = summary(run)
    assert (found.samples, found.duration_s) == (1, 8.0)
    assert (found.requests, found.errors) == (125, 1)
    assert found.requests_per_second == 125 / 8
    assert (found.error_rate, found.turned_away_rate) == (0.01, 0.2)
    assert found.latency_ms.p50 == pytest.approx(500.0, rel=0.05)
    assert found.latency_ms.p95 == pytest.approx(1500.0, rel=0.05)
    assert run.stopped_at == EPOCH_S + 8.0


def test_series() -> None:
    """Values that there were; of what was never measured there is no series."""
    run = _run()
    for number in range(1, 21):
        run = advanced(run, _reading(5.0 * number, loop_lag_s=number / 1000))
    found = summary(run).series
    assert found["loop_lag_ms"] == Spread(min=1.0, mean=10.5, p50=10.0, p95=19.0, max=20.0)
    assert found["breakers_open"] == Spread(min=1, mean=1.0, p50=1, p95=1, max=1)
    assert set(SERIES) - set(found) == {
        "cache_hit_rate",
        "latency_ms_p50",
        "latency_ms_p95",
        "latency_ms_p99",
    }


def test_a_leak_shows_and_warming_up_does_not() -> None:
    """MiB a minute, over the later half of the samples."""
    leaking = warming = _run()
    for number in range(1, 41):
        time = 5.0 * number
        leaking = advanced(leaking, _reading(time, memory_bytes=(100 + 3 * time / 60) * MIB))
        warming = advanced(warming, _reading(time, memory_bytes=min(time, 100.0) * MIB))
    assert summary(leaking).memory_mib_per_minute == pytest.approx(3.0, abs=0.01)
    assert summary(warming).memory_mib_per_minute == pytest.approx(0.0, abs=0.01)


@given(st.integers(0, 3))
def test_a_run_without_much_in_it_has_a_summary(samples: int) -> None:
    """It may be stopped at any time."""
    run = _run()
    for number in range(samples):
        run = advanced(run, _reading(5.0 * (number + 1)))
    found = summary(ended(run, _reading(5.0 * samples)))
    assert found.samples == samples
    assert (found.memory_mib_per_minute is None) == (samples < 3)
