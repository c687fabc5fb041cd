"""Quantiles of values at hand: always one of them."""

import pytest

from cortexd.policy.quantiles import quantile


@pytest.mark.parametrize(
    ("q", "expected"), [(0.0, 1.0), (0.25, 1.0), (0.26, 2.0), (0.5, 2.0), (0.95, 4.0), (1.0, 4.0)]
)
def test_a_quantile_is_one_of_the_values(q: float, expected: float) -> None:
    """The least that is not exceeded by so many."""
    assert quantile((1.0, 2.0, 3.0, 4.0), q) == expected


def test_of_one_value_all_quantiles_are_that() -> None:
    """There is no other."""
    assert {quantile((7.0,), q) for q in (0.0, 0.5, 1.0)} == {7.0}
