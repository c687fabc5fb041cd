"""The circuit breaker, way by way."""

import random
from typing import Any

import pytest

from cortexd.policy.circuit_breaker import (
    BreakerChange,
    BreakerSettings,
    BreakerState,
    CircuitBreaker,
)

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
NOW = 1000.0


class _NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def _breaker(**settings: Any) -> CircuitBreaker:
    return CircuitBreaker(BreakerSettings(**settings), chance=_NoJitter())


def _fail(breaker: CircuitBreaker, now: float, times: int = 1) -> BreakerChange | None:
    """The change that the last of so many failures makes."""
    change = None
    for _ in range(times):
        change = breaker.failed(breaker.begin(now), now, "connection refused")
    return change


def _succeed(breaker: CircuitBreaker, now: float, times: int = 1) -> BreakerChange | None:
    change = None
    for _ in range(times):
        change = breaker.succeeded(breaker.begin(now), now)
    return change


def _opened(now: float = NOW, **settings: Any) -> CircuitBreaker:
    """One that has just opened; it rests for 30 s."""
    breaker = _breaker(**settings)
    _fail(breaker, now, times=5)
    assert breaker.state(now) is OPEN
    return breaker


def _half_open(now: float = NOW) -> CircuitBreaker:
    breaker = _opened(now - 30)
    breaker.tick(now)
    assert breaker.state(now) is HALF_OPEN
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """The fourth does not, and a success in between begins the row anew."""
    breaker = _breaker()
    _fail(breaker, NOW, times=4)
    _succeed(breaker, NOW)
    assert _fail(breaker, NOW, times=4) is None

    assert _fail(breaker, NOW) == BreakerChange(
        before=CLOSED,
        after=OPEN,
        reason="too many failures in a row: 5, the last: connection refused",
        open_s=30.0,
    )


@pytest.mark.parametrize(
    ("calls", "opens"),
    [
        ("gb" * 9 + "g", False),  # 19 calls
        ("gb" * 10, True),
        ("ggb" * 10, False),  # a third
        ("g" * 10 + "bbbg" * 4 + "bb", True),  # 14 of 28
        ("bbbg" * 5, True),  # the twentieth is a success
    ],
)
def test_half_of_twenty_calls_open_it(calls: str, *, opens: bool) -> None:
    """The rate counts from the twentieth call on, whichever way that one ends."""
    breaker, change = _breaker(), None
    for call in calls:
        change = _fail(breaker, NOW) if call == "b" else _succeed(breaker, NOW)

    assert (breaker.state(NOW) is OPEN) is opens
    assert change is None or change.reason.startswith("too many calls failed: ")


def test_calls_of_long_ago_are_forgotten() -> None:
    """Nineteen failing calls, and half a minute later one more: a single one."""
    breaker = _breaker()
    for _ in range(9):
        _succeed(breaker, NOW)
        _fail(breaker, NOW)
    assert breaker.failure_rate(NOW) is None

    _succeed(breaker, NOW + 30)
    assert _fail(breaker, NOW + 30) is None
    assert breaker.record(NOW + 30).calls == 2


def test_the_failure_rate_is_that_of_the_window() -> None:
    """Unknown under `min_calls`."""
    breaker = _breaker()
    _succeed(breaker, NOW, times=18)
    _fail(breaker, NOW, times=1)
    assert breaker.failure_rate(NOW) is None
    _fail(breaker, NOW, times=1)

    assert breaker.failure_rate(NOW) == 0.1
    assert breaker.failure_rate(NOW + 30) is None


@pytest.mark.parametrize(
    ("settings", "slow", "opens"),
    [
        ({"slow_call_seconds": 2.0}, 16, True),
        ({"slow_call_seconds": 2.0}, 15, False),
        ({}, 20, False),
    ],
)
def test_four_of_five_slow_calls_open_it_where_asked_for(
    settings: dict[str, float], slow: int, *, opens: bool
) -> None:
    """Off unless somebody has said what slow is."""
    breaker = _breaker(**settings)
    durations = [0.1] * (20 - slow) + [2.0] * slow
    changes = [breaker.succeeded(breaker.begin(NOW), NOW, duration_s=took) for took in durations]

    assert changes[:19] == [None] * 19
    assert (changes[19] is not None) is opens
    assert changes[19] is None or changes[19].reason == "too many calls were slow: 16 of 20"


def test_an_open_one_admits_nothing_until_its_rest_is_over() -> None:
    """Then it is half open, whether or not anybody has ticked."""
    breaker = _opened()

    assert not breaker.admits(NOW + 29.9)
    assert breaker.retry_at(NOW + 29.9) == NOW + 30
    assert breaker.state(NOW + 29.9) is OPEN
    assert breaker.admits(NOW + 30)
    assert breaker.retry_at(NOW + 30) is None
    assert breaker.state(NOW + 30) is HALF_OPEN


def test_a_tick_makes_the_end_of_a_rest_visible_once() -> None:
    """It is dated to when the rest was over, not to when that was noticed."""
    breaker = _opened()
    over = BreakerChange(before=OPEN, after=HALF_OPEN, reason="its rest is over")

    assert [breaker.tick(NOW + wait_s) for wait_s in (0, 29.9, 30.7, 31.7)] == [
        None,
        None,
        over,
        None,
    ]
    last = breaker.record(NOW + 31).history[-1]
    assert (last.at, last.change) == (NOW + 30, over)


def test_a_call_that_comes_before_the_tick_brings_the_news() -> None:
    """The permit carries the change that booking it made; only that one does."""
    breaker = _opened()
    trial, forced = breaker.begin(NOW + 30.2), breaker.begin(NOW + 30.2)

    assert trial.change == BreakerChange(before=OPEN, after=HALF_OPEN, reason="its rest is over")
    assert forced.change is None
    assert breaker.tick(NOW + 31) is None


def test_one_trial_at_a_time_and_after_a_good_one_three() -> None:
    """Three good ones in a row close it."""
    breaker = _half_open()
    first = breaker.begin(NOW)
    assert not breaker.admits(NOW)
    assert breaker.retry_at(NOW) == NOW + 1
    assert breaker.succeeded(first, NOW) is None

    trials = [breaker.begin(NOW) for _ in range(3) if breaker.admits(NOW)]
    assert len(trials) == 3
    assert not breaker.admits(NOW)
    assert breaker.succeeded(trials[0], NOW) is None
    assert breaker.succeeded(trials[1], NOW) == BreakerChange(
        before=HALF_OPEN, after=CLOSED, reason="enough trials succeeded: 3 in a row"
    )


@pytest.mark.parametrize("good", [0, 1, 2])
def test_one_bad_trial_opens_it_for_twice_as_long(good: int) -> None:
    """However many were good before it."""
    breaker = _half_open()
    _succeed(breaker, NOW, times=good)

    assert _fail(breaker, NOW) == BreakerChange(
        before=HALF_OPEN, after=OPEN, reason="a trial failed: connection refused", open_s=60.0
    )
    assert breaker.retry_at(NOW) == NOW + 60
    breaker.begin(NOW + 60)
    assert not breaker.admits(NOW + 60), "good trials of last time must not count"


def test_an_abandoned_trial_gives_its_place_back() -> None:
    """It counts neither way."""
    breaker = _half_open()
    trial = breaker.begin(NOW)
    breaker.abandoned(trial, NOW)

    assert breaker.admits(NOW)
    assert breaker.record(NOW).calls == 0
    assert _succeed(breaker, NOW, times=2) is None
    assert _succeed(breaker, NOW) is not None


def test_a_slow_trial_is_a_good_one() -> None:
    """A worker that has to load its model first must be able to come back."""
    breaker = _opened(slow_call_seconds=1.0)
    for _ in range(3):
        breaker.succeeded(breaker.begin(NOW + 30), NOW + 30, duration_s=60.0)

    assert breaker.state(NOW + 30) is CLOSED


def test_what_is_begun_without_a_free_place_is_no_trial() -> None:
    """Neither its success nor its failure moves a half-open breaker."""
    breaker = _half_open()
    trial, *forced = (breaker.begin(NOW) for _ in range(5))

    assert breaker.failed(forced[0], NOW, "refused") is None
    assert [breaker.succeeded(permit, NOW) for permit in forced[1:]] == [None] * 3
    assert not breaker.admits(NOW)
    assert breaker.state(NOW) is HALF_OPEN
    breaker.succeeded(trial, NOW)
    assert breaker.admits(NOW)


def test_a_forced_call_that_succeeds_ends_the_rest_and_one_that_fails_changes_nothing() -> None:
    """The breaker is not a wall."""
    breaker = _opened()
    assert _fail(breaker, NOW + 1) is None
    assert breaker.retry_at(NOW + 1) == NOW + 30

    assert _succeed(breaker, NOW + 2) == BreakerChange(
        before=OPEN, after=HALF_OPEN, reason="a forced call succeeded"
    )
    assert breaker.admits(NOW + 2)


@pytest.mark.parametrize("succeeds", [True, False])
@pytest.mark.parametrize("state", BreakerState, ids=lambda state: state.value)
def test_calls_begun_before_the_last_transition_do_not_count(
    state: BreakerState, *, succeeds: bool
) -> None:
    """A long stream that ends now says how the worker was when it began."""
    breaker = _breaker()
    old = [breaker.begin(NOW) for _ in range(50)]
    _fail(breaker, NOW, times=5)
    if state is not OPEN:
        breaker.tick(NOW + 30)
    if state is CLOSED:
        _succeed(breaker, NOW + 30, times=3)
    now = NOW + 29 if state is OPEN else NOW + 31
    before = breaker.record(now)

    for permit in old:
        if succeeds:
            assert breaker.succeeded(permit, now) is None
        else:
            assert breaker.failed(permit, now, "old") is None
    assert breaker.record(now) == before
    assert before.state is state


@pytest.mark.parametrize(
    ("make", "after"),
    [(_breaker, CLOSED), (_opened, HALF_OPEN), (_half_open, HALF_OPEN)],
    ids=["closed", "open", "half open"],
)
def test_a_good_health_check_half_opens_at_most(make: Any, after: BreakerState) -> None:
    """It ends a rest; it does not close, whatever else it finds."""
    breaker = make()
    before = breaker.state(NOW)
    change = breaker.check_passed(NOW)

    assert breaker.check_passed(NOW) is None
    assert (change is not None) is (before is not after)
    assert change is None or change.reason == "a health check passed"
    assert breaker.state(NOW) is after


@pytest.mark.parametrize("make", [_opened, _half_open])
def test_a_reset_closes_it_and_forgets(make: Any) -> None:
    """Counts and series begin anew; what has happened stays on record."""
    breaker = make()
    change = breaker.reset(NOW)
    record = breaker.record(NOW)

    assert change is not None
    assert (change.after, change.reason) == (CLOSED, "an operator reset it")
    assert (record.calls, record.failures, record.failures_in_a_row) == (0, 0, 0)
    assert (record.opened, record.last_failure) == (1, "connection refused")
    assert record.history[-1].change == change
    opened = _fail(breaker, NOW, times=5)
    assert opened is not None
    assert opened.open_s == 30.0


def test_a_reset_of_a_closed_one_is_no_change_but_forgets_as_well() -> None:
    """Four failures do not count towards the fifth any more."""
    breaker = _breaker()
    _fail(breaker, NOW, times=4)

    assert breaker.reset(NOW) is None
    assert breaker.record(NOW).calls == 0
    assert _fail(breaker, NOW, times=4) is None


def test_a_switched_off_one_stays_closed_and_counts() -> None:
    """It admits all."""
    breaker = _breaker(enabled=False, slow_call_seconds=0.1)
    assert _fail(breaker, NOW, times=100) is None

    record = breaker.record(NOW)
    assert breaker.admits(NOW)
    assert (record.state, record.calls, record.failures) == (CLOSED, 100, 100)
    assert (record.failures_in_a_row, breaker.failure_rate(NOW)) == (100, 1.0)


def test_after_closing_the_share_grows_for_ten_seconds() -> None:
    """From a tenth to all of it; before anything has happened it is all of it."""
    breaker = _half_open()
    assert (_breaker().share(0.0), breaker.share(NOW)) == (1.0, 1.0)
    _succeed(breaker, NOW, times=3)

    shares = [breaker.share(NOW + wait_s) for wait_s in (0, 5, 10, 11)]
    assert shares == pytest.approx([0.1, 0.55, 1.0, 1.0])
    _fail(breaker, NOW + 1, times=5)
    assert breaker.share(NOW + 1) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_a_flapping_worker_rests_ever_longer(seed: int) -> None:
    """Five seconds up, five down: some trials find it well, and even so each rest is longer."""
    chance = random.Random(seed)  # noqa: S311  a seed
    breaker = CircuitBreaker(BreakerSettings(), chance=chance)
    changes: list[BreakerChange | None] = []
    for tenth in range(60 * 600):
        now = NOW + tenth / 10
        up = tenth // 50 % 2 == 0
        if breaker.admits(now):
            changes.append(_succeed(breaker, now) if up else _fail(breaker, now))

    rests = [change.open_s for change in changes if change and change.open_s is not None]
    planned = [30, 60, 120, 240] + [300] * (len(rests) - 4)
    assert len(rests) > 8
    assert rests == pytest.approx(planned, rel=0.2)
    assert any(change.after is CLOSED for change in changes if change)


def test_a_healthy_time_shortens_the_next_rest() -> None:
    """Each `open_seconds` closed without a break takes one doubling off."""
    breaker = _breaker()
    now, rests = NOW, []
    for healthy_s in (0, 0, 0, 60, 1000):
        now += healthy_s
        change = _fail(breaker, now, times=5)
        assert change is not None
        assert change.open_s is not None
        rests.append(change.open_s)
        now += change.open_s
        _succeed(breaker, now, times=3)

    assert rests == [30, 60, 120, 60, 30]
