"""What is remembered of a worker's times, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.pace import HALF_LIFE_S, MEMORY_S, Pace


def test_nothing_is_known_at_first() -> None:
    """Not even that it is fast."""
    pace = Pace()

    assert pace.ttft_s(0.0) is None
    assert pace.held_s(0.0) is None


def test_the_two_times_have_nothing_to_do_with_each_other() -> None:
    """A first token comes long before a slot is given back."""
    pace = Pace()
    pace.started(1.0, 0.3)
    assert (pace.ttft_s(1.0), pace.held_s(1.0)) == (0.3, None)

    pace.held(9.0, 8.0)
    assert (pace.ttft_s(9.0), pace.held_s(9.0)) == (0.3, 8.0)


def test_measurements_at_once_count_alike() -> None:
    """They have the same age."""
    pace = Pace()
    for ttft_s in (1.0, 2.0, 6.0):
        pace.started(5.0, ttft_s)

    assert pace.ttft_s(5.0) == pytest.approx(3.0)


def test_a_measurement_of_a_half_life_ago_counts_half() -> None:
    """Two parts of the new one, one part of the old one."""
    pace = Pace()
    pace.started(100.0, 4.0)
    pace.started(100.0 + HALF_LIFE_S, 1.0)

    assert pace.ttft_s(100.0 + HALF_LIFE_S) == pytest.approx((2 * 1.0 + 4.0) / 3)


def test_what_is_old_is_forgotten_and_can_be_learnt_anew() -> None:
    """A worker that nobody has asked for minutes is unknown again."""
    pace = Pace()
    pace.started(10.0, 4.0)

    assert pace.ttft_s(10.0 + MEMORY_S) == 4.0
    assert pace.ttft_s(10.1 + MEMORY_S) is None
    pace.started(10_000.0, 1.0)
    assert pace.ttft_s(10_000.0) == pytest.approx(1.0)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 60.0)),
        min_size=1,
        max_size=50,
    )
)
def test_the_mean_is_that_of_all_measurements_by_age(steps: list[tuple[float, float]]) -> None:
    """As if all had been kept."""
    pace, now, kept = Pace(), 0.0, list[tuple[float, float]]()
    for passed_s, ttft_s in steps:
        now += passed_s
        pace.started(now, ttft_s)
        kept.append((now, ttft_s))

    weights = [0.5 ** ((now - at) / HALF_LIFE_S) for at, _ in kept]
    total = sum(weight * ttft_s for weight, (_, ttft_s) in zip(weights, kept, strict=True))
    assert pace.ttft_s(now) == pytest.approx(total / sum(weights), abs=1e-9)
