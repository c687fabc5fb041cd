"""What the circuit breaker shows to operators."""

import random

import pytest

from cortexd.policy.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker

NOW = 1000.0


class _NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def _closed(*, failures_in_a_row: int) -> CircuitBreaker:
    settings = BreakerSettings(failures_in_a_row=failures_in_a_row)
    return CircuitBreaker(settings, chance=_NoJitter())


def _opened() -> CircuitBreaker:
    """One that has just opened; it rests for 30 s."""
    breaker = _closed(failures_in_a_row=1)
    breaker.failed(breaker.begin(NOW), NOW, "connection refused")
    return breaker


def test_the_record_tells_what_happened() -> None:
    """State, counts, last failure, and how much of the time it was not open."""
    breaker = _closed(failures_in_a_row=2)
    breaker.tick(NOW - 60)
    breaker.succeeded(breaker.begin(NOW), NOW)
    for _ in range(2):
        breaker.failed(breaker.begin(NOW), NOW, "connection refused")

    record = breaker.record(NOW)
    assert (record.state, record.calls, record.failures) == (BreakerState.OPEN, 3, 2)
    assert (record.failures_in_a_row, record.last_failure) == (2, "connection refused")
    assert (record.opened, record.uptime_share, len(record.history)) == (1, 1.0, 1)
    assert breaker.record(NOW + 20).uptime_share == pytest.approx(60 / 80)
    assert breaker.record(NOW + 60).uptime_share == pytest.approx(90 / 120)
    breaker.tick(NOW + 60)
    assert breaker.record(NOW + 60).uptime_share == pytest.approx(90 / 120)


def test_a_rest_that_was_over_unnoticed_is_over_all_the_same() -> None:
    """Whatever notices it: the reason and the time are those of the rest, not of the event."""
    checked, called, reset = _opened(), _opened(), _opened()
    forced = called.begin(NOW)
    changes = checked.check_passed(NOW + 60), called.succeeded(forced, NOW + 60)
    reset.reset(NOW + 60)

    assert [change and change.reason for change in changes] == ["its rest is over"] * 2
    for breaker in (checked, called, reset):
        assert breaker.record(NOW + 60).uptime_share == pytest.approx(30 / 60)


def test_a_rest_cut_short_counts_for_as_long_as_it_took() -> None:
    """Ten of forty seconds."""
    breaker = _opened()
    breaker.check_passed(NOW + 10)

    assert breaker.record(NOW + 40).uptime_share == pytest.approx(30 / 40)


def test_it_remembers_fifty_changes_and_three_hundred_characters() -> None:
    """However long it lives, and whatever a worker says."""
    breaker = _closed(failures_in_a_row=1)
    now = NOW
    for _ in range(40):
        breaker.failed(breaker.begin(now), now, "no " * 1000)
        now = breaker.retry_at(now) or now
    record = breaker.record(now)

    assert (len(record.history), record.opened) == (50, 40)
    assert len(record.last_failure or "") == 300
    times = [past.at for past in record.history]
    assert times == sorted(times)
