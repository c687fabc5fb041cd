"""How long an open breaker rests."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.breaker_rests import RestSeries


class _NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def _series(*, first_s: float = 30.0, last_s: float = 300.0) -> RestSeries:
    return RestSeries(first_s=first_s, last_s=last_s, chance=_NoJitter())


@pytest.mark.parametrize(
    ("closed_s", "rests"),
    [
        ([0] * 6, [30, 60, 120, 240, 300, 300]),
        ([0, 29, 29, 29], [30, 60, 120, 240]),
        ([0, 0, 0, 30], [30, 60, 120, 120]),
        ([0, 0, 0, 60], [30, 60, 120, 60]),
        ([0, 0, 0, 1e9], [30, 60, 120, 30]),
        ([0, 30, 30, 30], [30, 30, 30, 30]),
        # However long the series was, it takes no more health than its doublings to end it.
        ([0] * 100 + [5 * 30], [30, 60, 120, 240] + [300] * 96 + [30]),
    ],
)
def test_rests_double_in_series_and_health_undoes_it(
    closed_s: list[float], rests: list[float]
) -> None:
    """One doubling less for each thirty seconds closed, counted at the next opening."""
    series = _series()

    assert [series.next_s(closed_s=seconds) for seconds in closed_s] == rests


@pytest.mark.parametrize(
    ("first_s", "last_s", "rests"),
    [
        (30, 30, [30, 30, 30]),
        (30, 10, [10, 10, 10]),
        (1, 4, [1, 2, 4, 4]),
        (0.1, 0.5, [0.1, 0.2, 0.4, 0.5]),
    ],
)
def test_no_rest_is_longer_than_the_longest(
    first_s: float, last_s: float, rests: list[float]
) -> None:
    """Whichever of the two is larger."""
    series = _series(first_s=first_s, last_s=last_s)

    assert [series.next_s(closed_s=0) for _ in rests] == rests


def test_a_cleared_series_begins_anew() -> None:
    """As if there had been no opening."""
    series = _series()
    for _ in range(4):
        series.next_s(closed_s=0)
    series.clear()

    assert series.next_s(closed_s=0) == 30


@given(seed=st.integers())
def test_rests_are_spread_by_a_fifth_and_equal_seeds_give_equal_rests(seed: int) -> None:
    """Never more than 20 % from the plan, to both sides."""
    one, other = (
        RestSeries(first_s=30, last_s=300, chance=random.Random(seed))  # noqa: S311  a seed
        for _ in range(2)
    )
    rests = [one.next_s(closed_s=0) for _ in range(60)]

    assert rests == [other.next_s(closed_s=0) for _ in rests]
    for rest, planned in zip(rests, [30, 60, 120, 240] + [300] * 56, strict=True):
        assert 0.8 * planned <= rest <= 1.2 * planned
    assert min(rests[4:]) < 300 < max(rests[4:])
