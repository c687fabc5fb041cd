"""The circuit breaker of a worker: whether to ask it, going by how its last calls ended.

Rules of this file: every change of state goes through `_move`, which looks it up in the table of
`breaker_states`; a question changes nothing that can be seen. `now` is in monotonic seconds.
"""

import math
import random
from typing import Final

import attrs
from attrs import validators

from cortexd.policy.breaker_record import BreakerChange, BreakerHistory, BreakerRecord, PastChange
from cortexd.policy.breaker_rests import RestSeries
from cortexd.policy.breaker_states import TRANSITIONS, BreakerState, Trigger, next_state
from cortexd.policy.breaker_window import CallWindow

__all__ = [
    "TRANSITIONS",
    "BreakerChange",
    "BreakerRecord",
    "BreakerSettings",
    "BreakerState",
    "CircuitBreaker",
    "PastChange",
    "Permit",
    "Trigger",
]

SLOW_SHARE: Final = 0.8
"""This share of slow calls opens a breaker that has been told what slow is."""

TRIALS_TO_CLOSE: Final = 3
"""So many good trials in a row close it, and so many may run at once after the first good one."""

TRIAL_WAIT_S: Final = 1.0
"""When all trials are running: nobody knows when one ends, so this is when to ask again."""

FIRST_SHARE: Final = 0.1
"""The share of its traffic that a worker begins with, just after its breaker has closed."""

GROWTH_S: Final = 10.0
"""So long its share grows until it has all of it."""

_DETAIL_CHARACTERS_MAX: Final = 300


@attrs.frozen(kw_only=True)
class BreakerSettings:
    """[breaker] in cortexd.toml. Times in seconds."""

    enabled: bool = True
    window_seconds: int = attrs.field(
        default=30, validator=validators.and_(validators.ge(1), validators.le(600))
    )
    min_calls: int = attrs.field(default=20, validator=validators.ge(1))
    failure_rate: float = attrs.field(
        default=0.5, validator=validators.and_(validators.gt(0), validators.le(1))
    )
    failures_in_a_row: int = attrs.field(default=5, validator=validators.ge(1))
    open_seconds: float = attrs.field(default=30.0, validator=validators.ge(0.1))
    open_seconds_max: float = attrs.field(default=300.0, validator=validators.ge(0.1))
    slow_call_seconds: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )


@attrs.frozen(eq=False)
class Permit:
    """A call that has been booked; hand it back once, with how the call ended.

    `change`: the transition that booking it brought about, for the caller to tell of.
    """

    era: int
    change: BreakerChange | None = None


class CircuitBreaker:
    """Closed until its worker fails too often; then it rests, is tried, and closes again.

    A call's result counts only if nothing has changed since the call began: those that were begun
    before an opening and end long after it say nothing of how the worker is now.
    """

    def __init__(self, settings: BreakerSettings, *, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self._window = CallWindow(settings.window_seconds)
        self._history = BreakerHistory()
        self._state = BreakerState.CLOSED
        # How often the state has changed; all calls of an era but the trials share one permit.
        self._era = 0
        self._permit = Permit(0)
        self._trials: set[Permit] = set()
        self._good_trials = 0
        self._failures_in_a_row = 0
        self._last_failure: str | None = None
        self._rests = RestSeries(
            first_s=settings.open_seconds, last_s=settings.open_seconds_max, chance=chance
        )
        self._rest_until = -math.inf
        self._closed_at = -math.inf

    def state(self, now: float) -> BreakerState:
        """The state; a breaker is half open as soon as its rest is over."""
        return BreakerState.HALF_OPEN if self._is_rested(now) else self._state

    def admits(self, now: float) -> bool:
        """Whether a call may begin now: it is closed, or a trial is to be had."""
        if self._state is BreakerState.HALF_OPEN:
            return self._has_free_trial()
        return self._state is BreakerState.CLOSED or now >= self._rest_until

    def retry_at(self, now: float) -> float | None:
        """When to ask again whether it admits; `None` if it does now.

        For an open breaker that is when its rest is over. While all trials are running it is a
        guess, `TRIAL_WAIT_S` from now: one may end at any time.
        """
        if self.admits(now):
            return None
        return self._rest_until if self._state is BreakerState.OPEN else now + TRIAL_WAIT_S

    def share(self, now: float) -> float:
        """The share of its usual traffic that the worker should get: less just after closing."""
        growing_s = now - self._closed_at
        if growing_s >= GROWTH_S or self._state is not BreakerState.CLOSED:
            return 1.0
        return FIRST_SHARE + (1.0 - FIRST_SHARE) * growing_s / GROWTH_S

    def begin(self, now: float) -> Permit:
        """Book a call: a trial if one is to be had, and else a forced call, if it does not admit.

        Whoever begins says how the call ended, with the permit: `succeeded`, `failed`, `abandoned`.
        """
        self._history.begin(now)
        if self._state is BreakerState.CLOSED:
            return self._permit
        change = self._end_rest(now)
        if self._state is BreakerState.HALF_OPEN and self._has_free_trial():
            trial = Permit(self._era, change)
            self._trials.add(trial)
            return trial
        return self._permit

    def succeeded(
        self, permit: Permit, now: float, *, duration_s: float | None = None
    ) -> BreakerChange | None:
        """Count a success. `duration_s`: how long it took, where slow calls are to count."""
        if permit.era != self._era:
            return None
        slow_s = self._settings.slow_call_seconds
        slow = slow_s is not None and duration_s is not None and duration_s >= slow_s
        self._window.add(now, slow=slow)
        self._failures_in_a_row = 0
        if self._state is BreakerState.CLOSED:
            return self._judge(now)
        if self._state is BreakerState.OPEN:
            return self._end_rest(now) or self._move(Trigger.FORCED_CALL_SUCCEEDED, now)
        if permit in self._trials:
            # A slow one is good, too. Slowness is judged by many calls: if one were enough, a
            # worker that must load its model for the first could stay out for ever.
            self._trials.remove(permit)
            self._good_trials += 1
            if self._good_trials >= TRIALS_TO_CLOSE:
                return self._move(Trigger.TRIALS_SUCCEEDED, now, f"{self._good_trials} in a row")
        return None

    def failed(self, permit: Permit, now: float, detail: str) -> BreakerChange | None:
        """Count a failure of the worker. `detail`: what went wrong, for operators."""
        if permit.era != self._era:
            return None
        self._window.add(now, failed=True)
        self._failures_in_a_row += 1
        self._last_failure = detail[:_DETAIL_CHARACTERS_MAX]
        if self._state is BreakerState.CLOSED:
            return self._judge(now)
        if permit in self._trials:
            return self._move(Trigger.TRIAL_FAILED, now, self._last_failure)
        return None

    def abandoned(self, permit: Permit, now: float) -> None:  # noqa: ARG002  # as its siblings
        """Count nothing, as the client has left; a trial's place is free again."""
        self._trials.discard(permit)

    def tick(self, now: float) -> BreakerChange | None:
        """Do what is due by time alone; to be called once in a while, so that it can be told of."""
        self._history.begin(now)
        return self._end_rest(now)

    def check_passed(self, now: float) -> BreakerChange | None:
        """Take in a good health check: it ends a rest, and no more than that."""
        if self._state is BreakerState.OPEN:
            return self._end_rest(now) or self._move(Trigger.CHECK_PASSED, now)
        return None

    def reset(self, now: float) -> BreakerChange | None:
        """Close it and forget all counts, as an operator wishes; the history stays."""
        self._rests.clear()
        if self._state is not BreakerState.CLOSED:
            return self._move(Trigger.RESET, now)
        self._forget_counts()
        return None

    def configure(self, settings: BreakerSettings, now: float) -> BreakerChange | None:
        """Go by other settings from now on; a rest that has begun keeps its length.

        The state stays, but one that is switched off is closed. Other seconds to count over are
        begun without counts.
        """
        if settings == self._settings:
            return None
        if settings.window_seconds != self._settings.window_seconds:
            self._window = CallWindow(settings.window_seconds)
        self._settings = settings
        self._rests = RestSeries(
            first_s=settings.open_seconds, last_s=settings.open_seconds_max, chance=self._chance
        )
        return None if settings.enabled else self.reset(now)

    def failure_rate(self, now: float) -> float | None:
        """The share of failures in the window; `None` while it has fewer than `min_calls` calls."""
        self._window.forget(now)
        if self._window.calls < self._settings.min_calls:
            return None
        return self._window.failures / self._window.calls

    def record(self, now: float) -> BreakerRecord:
        """All there is to see."""
        self._window.forget(now)
        return BreakerRecord(
            state=self.state(now),
            calls=self._window.calls,
            failures=self._window.failures,
            failures_in_a_row=self._failures_in_a_row,
            last_failure=self._last_failure,
            uptime_share=self._history.uptime_share(now),
            opened=self._history.opened,
            history=self._history.changes(),
        )

    def _is_rested(self, now: float) -> bool:
        return self._state is BreakerState.OPEN and now >= self._rest_until

    def _has_free_trial(self) -> bool:
        return len(self._trials) < (TRIALS_TO_CLOSE if self._good_trials else 1)

    def _judge(self, now: float) -> BreakerChange | None:
        """Open it if the calls that have ended since it closed give reason to."""
        settings, window = self._settings, self._window
        if not settings.enabled:
            return None
        if self._failures_in_a_row >= settings.failures_in_a_row:
            detail = f"{self._failures_in_a_row}, the last: {self._last_failure}"
            return self._move(Trigger.FAILURES_IN_A_ROW, now, detail)
        if window.calls < settings.min_calls:
            return None
        if window.failures >= settings.failure_rate * window.calls:
            detail = f"{window.failures} of {window.calls}, the last: {self._last_failure}"
            return self._move(Trigger.FAILURE_RATE, now, detail)
        if window.slow >= SLOW_SHARE * window.calls:
            return self._move(Trigger.SLOW_CALLS, now, f"{window.slow} of {window.calls}")
        return None

    def _end_rest(self, now: float) -> BreakerChange | None:
        if not self._is_rested(now):
            return None
        return self._move(Trigger.REST_OVER, self._rest_until)

    def _move(self, trigger: Trigger, at: float, detail: str = "") -> BreakerChange:
        before, after = self._state, next_state(self._state, trigger)
        open_s = None
        if after is BreakerState.OPEN:
            closed_s = at - self._closed_at if before is BreakerState.CLOSED else 0.0
            open_s = self._rests.next_s(closed_s=closed_s)
            self._rest_until = at + open_s
        elif after is BreakerState.CLOSED:
            self._closed_at = at
            self._forget_counts()
        self._state = after
        self._era += 1
        self._permit = Permit(self._era)
        self._trials.clear()
        self._good_trials = 0
        reason = f"{trigger.value}: {detail}" if detail else trigger.value
        change = BreakerChange(before=before, after=after, reason=reason, open_s=open_s)
        self._history.add(change, at)
        return change

    def _forget_counts(self) -> None:
        self._window.clear()
        self._failures_in_a_row = 0
