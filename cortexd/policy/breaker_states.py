"""The states of a circuit breaker, and what moves it from one to another.

Rules of this file: every move is a row of `TRANSITIONS`, and a trigger without a row is a bug; the
diagram in docs/reference/circuit-breaker.md is drawn from the table.
"""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Final


@unique
class BreakerState(Enum):
    """How freely a worker is asked: as ever, not at all, or a few times to find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@unique
class Trigger(Enum):
    """What moves a breaker, in the words of its reasons and of its diagram."""

    FAILURE_RATE = "too many calls failed"
    FAILURES_IN_A_ROW = "too many failures in a row"
    SLOW_CALLS = "too many calls were slow"
    REST_OVER = "its rest is over"
    CHECK_PASSED = "a health check passed"
    FORCED_CALL_SUCCEEDED = "a forced call succeeded"
    TRIAL_FAILED = "a trial failed"
    TRIALS_SUCCEEDED = "enough trials succeeded"
    RESET = "an operator reset it"


TRANSITIONS: Final[Mapping[tuple[BreakerState, Trigger], BreakerState]] = {
    (BreakerState.CLOSED, Trigger.FAILURE_RATE): BreakerState.OPEN,
    (BreakerState.CLOSED, Trigger.FAILURES_IN_A_ROW): BreakerState.OPEN,
    (BreakerState.CLOSED, Trigger.SLOW_CALLS): BreakerState.OPEN,
    (BreakerState.OPEN, Trigger.REST_OVER): BreakerState.HALF_OPEN,
    (BreakerState.OPEN, Trigger.CHECK_PASSED): BreakerState.HALF_OPEN,
    (BreakerState.OPEN, Trigger.FORCED_CALL_SUCCEEDED): BreakerState.HALF_OPEN,
    (BreakerState.OPEN, Trigger.RESET): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, Trigger.TRIAL_FAILED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Trigger.TRIALS_SUCCEEDED): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, Trigger.RESET): BreakerState.CLOSED,
}


class IllegalTransition(Exception):
    """The breaker was sent where the table knows no way: a bug of ours."""


def next_state(state: BreakerState, trigger: Trigger) -> BreakerState:
    """Where the trigger leads from here. Errors: `IllegalTransition`."""
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalTransition(f"no way out of '{state.value}' by '{trigger.value}'") from None
