"""The circuit breaker's table."""

import itertools

import pytest

from cortexd.policy.breaker_states import (
    TRANSITIONS,
    BreakerState,
    IllegalTransition,
    Trigger,
    next_state,
)


@pytest.mark.parametrize(
    ("state", "trigger"),
    [pair for pair in itertools.product(BreakerState, Trigger) if pair not in TRANSITIONS],
    ids=lambda part: part.name,
)
def test_what_is_not_in_the_table_is_a_bug(state: BreakerState, trigger: Trigger) -> None:
    """It is told in words."""
    with pytest.raises(IllegalTransition, match=trigger.value):
        next_state(state, trigger)


def test_every_state_is_reached_and_left_and_every_trigger_has_a_row() -> None:
    """Nothing in the table is out of use."""
    assert {before for before, _ in TRANSITIONS} == set(BreakerState)
    assert set(TRANSITIONS.values()) == set(BreakerState)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)
    assert all(before is not after for (before, _), after in TRANSITIONS.items())
