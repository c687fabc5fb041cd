"""The circuit breaker under whatever order of events, against a naive model of it."""

import math
import random
from collections.abc import Iterator
from enum import Enum

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cortexd.policy.circuit_breaker import (
    TRANSITIONS,
    BreakerChange,
    BreakerSettings,
    BreakerState,
    CircuitBreaker,
    Permit,
)

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
SETTINGS = BreakerSettings(window_seconds=10, min_calls=6, open_seconds=4.0, open_seconds_max=20.0)
WAYS = {(before, after) for (before, _), after in TRANSITIONS.items()}


class _Ending(Enum):
    GOOD = "good"
    BAD = "bad"
    LEFT = "left"


@attrs.frozen(eq=False)
class _Call:
    """A call in flight: its permits from both twins, and what the model thinks of it."""

    permits: tuple[Permit, Permit]
    changes_before: int
    is_trial: bool


class _Breaker(RuleBasedStateMachine):
    """Two breakers of the same seed are told the same; all their changes are collected."""

    @initialize(seed=st.integers(0, 1000))
    def make(self, seed: int) -> None:
        self.twins = tuple(
            CircuitBreaker(SETTINGS, chance=random.Random(seed))  # noqa: S311  a seed
            for _ in range(2)
        )
        self.now = 100.0
        self.changes: list[BreakerChange] = []
        self.in_flight: list[_Call] = []
        self.results: list[tuple[float, bool]] = []

    @property
    def breaker(self) -> CircuitBreaker:
        return self.twins[0]

    def _note(self, change: BreakerChange | None) -> None:
        if change is not None:
            self.changes.append(change)
            if change.after is CLOSED:
                self.results.clear()

    @rule(wait_s=st.one_of(st.floats(0, 2), st.floats(0, 40)))
    def wait(self, wait_s: float) -> None:
        self.now += wait_s

    @rule()
    def begin(self) -> None:
        self.in_flight.append(self._begin())

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), ending=st.sampled_from(_Ending))
    def end(self, data: st.DataObject, ending: _Ending) -> None:
        place = data.draw(st.integers(0, len(self.in_flight) - 1))
        self._end(self.in_flight.pop(place), ending)

    @rule(times=st.integers(1, 6))
    def fail(self, times: int) -> None:
        """Opens the breaker, which single steps seldom do."""
        for _ in range(times):
            self._end(self._begin(), _Ending.BAD)

    def _begin(self) -> _Call:
        is_trial = self.breaker.state(self.now) is HALF_OPEN and self.breaker.admits(self.now)
        one, other = (twin.begin(self.now) for twin in self.twins)
        self._note(one.change)
        return _Call((one, other), len(self.changes), is_trial)

    def _end(self, call: _Call, ending: _Ending) -> None:
        if ending is not _Ending.LEFT and call.changes_before == len(self.changes):
            self.results.append((self.now, ending is _Ending.BAD))
        change: BreakerChange | None = None
        for twin, permit in zip(self.twins, call.permits, strict=True):
            match ending:
                case _Ending.GOOD:
                    change = twin.succeeded(permit, self.now)
                case _Ending.BAD:
                    change = twin.failed(permit, self.now, "refused")
                case _Ending.LEFT:
                    twin.abandoned(permit, self.now)
        self._note(change)

    @rule()
    def tick(self) -> None:
        change, _ = (twin.tick(self.now) for twin in self.twins)
        self._note(change)

    @rule()
    def check_passed(self) -> None:
        change, _ = (twin.check_passed(self.now) for twin in self.twins)
        self._note(change)

    @rule()
    def reset(self) -> None:
        change, _ = (twin.reset(self.now) for twin in self.twins)
        self._note(change)
        self.results.clear()

    def _live_trials(self) -> Iterator[_Call]:
        return (
            call
            for call in self.in_flight
            if call.is_trial and call.changes_before == len(self.changes)
        )

    @invariant()
    def changes_are_told_without_a_gap(self) -> None:
        states = [CLOSED, *(change.after for change in self.changes)]
        assert [change.before for change in self.changes] == states[:-1]
        assert all((change.before, change.after) in WAYS for change in self.changes)
        history = self.breaker.record(self.now).history
        assert [past.change for past in history] == self.changes[-50:]

    @invariant()
    def rests_are_in_bounds(self) -> None:
        for change in self.changes:
            assert (change.open_s is not None) is (change.after is OPEN)
            assert change.open_s is None or 0.8 * 4 <= change.open_s <= 1.2 * 20

    @invariant()
    def the_state_is_the_last_told_or_a_rest_is_over(self) -> None:
        told = self.changes[-1].after if self.changes else CLOSED
        assert (told, self.breaker.state(self.now)) in {
            *((state, state) for state in BreakerState),
            (OPEN, HALF_OPEN),
        }

    @invariant()
    def it_admits_by_its_state(self) -> None:
        state, trials = self.breaker.state(self.now), len(list(self._live_trials()))
        admits, retry_at = self.breaker.admits(self.now), self.breaker.retry_at(self.now)
        assert trials <= (3 if state is HALF_OPEN else 0)
        assert (retry_at is None) is admits
        assert retry_at is None or retry_at > self.now
        if state is HALF_OPEN:
            assert not (admits and trials == 3)
            assert admits or trials > 0
        else:
            assert admits is (state is CLOSED)

    @invariant()
    def the_window_holds_what_a_recount_finds(self) -> None:
        record = self.breaker.record(self.now)
        young = [failed for at, failed in self.results if math.floor(at) > int(self.now) - 10]
        assert (record.calls, record.failures) == (len(young), sum(young))
        assert self.breaker.failure_rate(self.now) == (
            None if len(young) < 6 else sum(young) / len(young)
        )

    @invariant()
    def a_closed_one_has_no_reason_to_be_open(self) -> None:
        record = self.breaker.record(self.now)
        if record.state is CLOSED:
            assert record.failures_in_a_row < SETTINGS.failures_in_a_row

    @invariant()
    def shares_are_shares(self) -> None:
        assert 0 < self.breaker.share(self.now) <= 1
        assert 0 <= self.breaker.record(self.now).uptime_share <= 1

    @invariant()
    def twins_are_alike(self) -> None:
        one, other = (twin.record(self.now) for twin in self.twins)
        assert one == other


@pytest.mark.slow
def test_told_of_anything_in_any_order_it_keeps_to_its_table_and_bounds() -> None:
    """The invariants above hold after every step."""
    run_state_machine_as_test(_Breaker, settings=settings(max_examples=150, stateful_step_count=40))
