"""What the benchmark of stuck sinks makes of its measurements."""

import pytest

from bench.pairs import Pairs
from bench.sinks import FIGURES, RATIO_MAX, is_within_budget, render

MS = 1e-3
USUAL = [MS] * 90 + [2 * MS] * 9 + [50 * MS]
MEDIAN, MEAN, P90, P99 = FIGURES


def _slower(factor: float) -> Pairs:
    return Pairs(USUAL, [factor * each for each in USUAL])


def test_each_figure_is_compared_by_itself() -> None:
    """What is rare shows in none of them but in its own."""
    pairs = Pairs([MS] * 1000, [MS] * 850 + [3 * MS] * 150)
    assert pairs.ratio(MEDIAN) == pytest.approx(1.0)
    assert pairs.ratio(MEAN) == pytest.approx(1.3)
    assert pairs.ratio(P90) == pytest.approx(3.0)
    pairs = Pairs([MS] * 1000, [MS] * 980 + [3 * MS] * 20)
    assert pairs.ratio(P90) == pytest.approx(1.0)
    assert pairs.ratio(P99) == pytest.approx(3.0)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.04])
def test_as_fast_or_nearly_is_within_the_budget(factor: float) -> None:
    """Five in a hundred are what a request may be slower."""
    assert is_within_budget(_slower(factor))


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([1.06 * each for each in USUAL], id="all of them"),
        pytest.param([MS] * 40 + [1.06 * MS] * 60, id="most of them"),
        pytest.param([*USUAL[:-1], 90 * MS], id="one of them by far"),
    ],
)
def test_slower_is_over_the_budget(times: list[float]) -> None:
    """The median sees what is usual, and the mean what is rare and long."""
    assert not is_within_budget(Pairs(USUAL, times))


def test_the_end_has_no_budget() -> None:
    """A few requests make it."""
    pairs = Pairs([MS] * 1000, [MS] * 985 + [2 * MS] * 15)
    assert pairs.ratio(P99) == pytest.approx(2.0)
    assert is_within_budget(pairs)


def test_the_table_has_what_equal_nodes_differ_by_beside_it() -> None:
    """A ratio of stuck sinks means as much as that of none leaves to it."""
    lines = render(_slower(1.01), _slower(1.25)).splitlines()
    assert lines[0].split() == [figure.name for figure in FIGURES]
    assert lines[1].split() == ["well", "/", "well", *["1.010x"] * 4]
    assert lines[2].split() == ["stuck", "/", "well", *["1.250x"] * 4]
    assert lines[3].split() == ["budget", *[f"{RATIO_MAX:.3f}x"] * 2, "none", "none"]
    assert lines[4].split() == ["verdict", "over"]
    assert render(_slower(1.01), _slower(1.0)).splitlines()[4].split() == ["verdict", "ok"]
