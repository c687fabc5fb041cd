"""What the benchmark of a lost Redis makes of its measurements."""

from typing import Any

import attrs
import pytest

from bench.pairs import Pairs
from bench.redis import ADDED_S_MAX, Lost, Measured, render

MS = 1e-3
USUAL = [4 * MS] * 90 + [6 * MS] * 10
WELL = Pairs(USUAL, USUAL)


def _with(phase: str, pairs: Pairs) -> Measured:
    changes: dict[str, Any] = {phase: Lost([], pairs)}
    return attrs.evolve(FINE, **changes)


def _lost(added_s: float) -> Lost:
    return Lost([130 * MS, 9 * MS], Pairs(USUAL, [each + added_s for each in USUAL]))


FINE = Measured(well=WELL, killed=_lost(0.0), frozen=_lost(0.0), trials=5)


@pytest.mark.parametrize("added_s", [-3 * MS, 0.0, ADDED_S_MAX - 0.1 * MS])
def test_as_fast_or_nearly_is_within_the_budget(added_s: float) -> None:
    """Five milliseconds are what a Redis that is gone may cost; it may save some."""
    measured = attrs.evolve(FINE, killed=_lost(added_s), frozen=_lost(added_s))
    assert measured.verdict == "ok"


@pytest.mark.parametrize("phase", ["killed", "frozen"])
@pytest.mark.parametrize(
    "times",
    [
        pytest.param([each + 5.1 * MS for each in USUAL], id="all of them"),
        pytest.param([*USUAL[:-2], 12 * MS, 12 * MS], id="more than one in a hundred"),
        pytest.param([4 * MS] * 45 + [9.1 * MS] * 55, id="more than half of them"),
    ],
)
def test_slower_is_over_the_budget(phase: str, times: list[float]) -> None:
    """The p99 sees what is rare, and each of the two phases has to keep it."""
    assert _with(phase, Pairs(USUAL, times)).verdict == "over"


def test_what_all_wait_for_is_over_the_budget_beside_a_long_end_of_both() -> None:
    """On a busy machine the slowest hundredth hides it; the median does not."""
    reference = [4 * MS] * 95 + [200 * MS] * 5
    subject = [10 * MS] * 95 + [200 * MS] * 5
    measured = attrs.evolve(
        FINE, well=Pairs(reference, reference), frozen=Lost([], Pairs(reference, subject))
    )
    assert measured.verdict == "over"


@pytest.mark.parametrize("phase", ["killed", "frozen"])
def test_a_reference_that_gets_slower_proves_nothing(phase: str) -> None:
    """Something else has been running, and may have hidden what was added."""
    slower = [4 * MS] * 90 + [12 * MS] * 10
    assert _with(phase, Pairs(slower, slower)).verdict == "too busy"


@pytest.mark.parametrize("added_s", [-6 * MS, 6 * MS])
def test_equal_nodes_that_differ_prove_nothing(added_s: float) -> None:
    """What was added may be what these two always differ by."""
    well = Pairs([10 * MS] * 100, [10 * MS + added_s] * 100)
    assert attrs.evolve(FINE, well=well).verdict == "too busy"


def test_before_the_link_is_given_up_nothing_is_counted() -> None:
    """What is within its limit then is another promise."""
    late = attrs.evolve(_lost(0.0), before=[900 * MS] * 50)
    assert attrs.evolve(FINE, frozen=late).verdict == "ok"


def test_the_slowest_has_no_budget() -> None:
    """It is one request, and there it is to be read."""
    pairs = Pairs(USUAL * 10, [*USUAL * 10, 900 * MS])
    assert _with("killed", pairs).verdict == "ok"


def test_the_table_has_what_equal_nodes_differ_by_beside_it() -> None:
    """And what is left out of it below."""
    killed = attrs.evolve(_lost(2 * MS), before=[])
    lines = render(attrs.evolve(FINE, killed=killed, frozen=_lost(7 * MS))).splitlines()
    assert lines[0].split()[3:] == ["median", "p99", "slowest", "p99", "with", "without"]
    assert lines[1].split() == ["well", *["+0.00"] * 3, "6.00", "6.00"]
    assert lines[2].split() == ["killed", *["+2.00"] * 3, "6.00", "8.00"]
    assert lines[3].split() == ["frozen", *["+7.00"] * 3, "6.00", "13.00"]
    assert lines[4].split() == ["budget", "5.00", "5.00", "none"]
    assert lines[5].split() == ["verdict", "over"]
    assert lines[-2].endswith("killed: no request; frozen: 130 ms, 9 ms")
    assert "5 of them to the frozen one" in lines[-1]
    assert render(FINE).splitlines()[5].split() == ["verdict", "ok"]
