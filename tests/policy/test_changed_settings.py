"""Breakers, budgets and the cache under settings that change while they are in use."""

import random

import attrs

from cortexd.domain.answer import Finished, FinishReason, TextDelta
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.ids import WorkerName
from cortexd.policy.answer_cache import AnswerCache, cached_answer
from cortexd.policy.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker
from cortexd.policy.retry_budget import RetryBudget, RetrySettings

SETTINGS = BreakerSettings(failures_in_a_row=2, open_seconds=10.0, window_seconds=30)


def _breaker() -> CircuitBreaker:
    return CircuitBreaker(SETTINGS, chance=random.Random(1))  # noqa: S311  a seed, no secret


def _fail(breaker: CircuitBreaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.failed(breaker.begin(now), now, "it failed")


def test_a_breaker_goes_by_its_new_settings() -> None:
    """Its counts stay; what opens it now would not have before."""
    breaker = _breaker()
    _fail(breaker, 1)
    assert breaker.configure(attrs.evolve(SETTINGS, failures_in_a_row=3), 0.0) is None
    _fail(breaker, 1)
    assert breaker.state(0.0) is BreakerState.CLOSED
    _fail(breaker, 1)
    assert breaker.state(0.0) is BreakerState.OPEN


def test_a_breaker_that_is_switched_off_is_closed() -> None:
    """Or its worker would stay out, although nobody wants it to."""
    breaker = _breaker()
    _fail(breaker, 2)
    change = breaker.configure(attrs.evolve(SETTINGS, enabled=False), 1.0)
    assert change is not None
    assert (change.before, change.after) == (BreakerState.OPEN, BreakerState.CLOSED)
    _fail(breaker, 10)
    assert breaker.state(1.0) is BreakerState.CLOSED


def test_an_open_breaker_stays_open_for_as_long_as_it_was_to() -> None:
    """A reload is no reset."""
    breaker = _breaker()
    _fail(breaker, 2)
    retry_at = breaker.retry_at(0.0)
    assert breaker.configure(attrs.evolve(SETTINGS, open_seconds=100.0), 1.0) is None
    assert breaker.state(1.0) is BreakerState.OPEN
    assert breaker.retry_at(1.0) == retry_at


def test_equal_settings_change_nothing() -> None:
    """The series of its rests goes on: each is longer than the one before."""
    once, twice = _breaker(), _breaker()
    for breaker in (once, twice):
        _fail(breaker, 2)
        breaker.tick(20.0)
    twice.configure(SETTINGS, 20.0)
    for breaker in (once, twice):
        breaker.failed(breaker.begin(20.0), 20.0, "again")
    assert once.retry_at(20.0) == twice.retry_at(20.0)


def test_another_window_begins_without_counts() -> None:
    """Those of the old one are of other seconds."""
    breaker = _breaker()
    _fail(breaker, 1)
    breaker.configure(attrs.evolve(SETTINGS, window_seconds=60), 0.0)
    assert breaker.record(0.0).calls == 0


def test_a_budget_keeps_its_counts_under_a_new_ratio() -> None:
    """What was asked before counts for the retries that may follow."""
    budget = RetryBudget(RetrySettings(budget_ratio=0.0, budget_floor_per_second=0.0))
    for _ in range(10):
        budget.deposit(0.0)
    assert not budget.withdraw(0.0)
    budget.configure(RetrySettings(budget_ratio=0.2, budget_floor_per_second=0.0))
    assert [budget.withdraw(0.0) for _ in range(3)] == [True, True, False]


def _answer(key: bytes) -> CachedAnswer:
    events = (TextDelta("x" * 1000), Finished(FinishReason.STOP))
    return cached_answer(
        events, worker=WorkerName("w"), model="m", expires_at=100.0, fingerprint=key
    )


def _full_cache() -> AnswerCache:
    cache = AnswerCache(1_000_000)
    for number in range(50):
        cache.put(b"%d" % number, _answer(b"%d" % number), 0.0)
    return cache


def test_a_smaller_cache_gives_up_what_was_asked_for_least_lately() -> None:
    """At once, and down to its new size."""
    cache = _full_cache()
    size = cache.statistics().size_bytes
    assert cache.get(b"0", 1.0) is not None

    cache.resize(size // 2, 1.0)

    assert cache.statistics().size_bytes <= size // 2 == cache.max_bytes
    assert cache.get(b"0", 1.0) is not None
    assert cache.get(b"1", 1.0) is None
    assert cache.get(b"49", 1.0) is not None


def test_a_purged_cache_is_empty_and_of_use() -> None:
    """Its counts since the start stay; what comes now is kept."""
    cache = _full_cache()
    assert cache.get(b"1", 1.0) is not None

    assert cache.purge() == 50

    assert cache.get(b"1", 1.0) is None
    statistics = cache.statistics()
    assert (statistics.entries, statistics.size_bytes, statistics.hits) == (0, 0, 1)
    cache.put(b"1", _answer(b"1"), 2.0)
    assert cache.get(b"1", 2.0) is not None
    assert cache.purge() == 1
