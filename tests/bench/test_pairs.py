"""What is made of requests that two nodes are asked in turn."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import attrs
import pytest

from bench.pairs import PAIRS_IN_ORDER, Figure, Pairs, ask_in_turn, median, new_texts, p90, p99

MS = 1e-3


@pytest.mark.parametrize(
    ("of", "slowest", "expected"),
    [
        pytest.param(median, 490, 1.0, id="less than half of them"),
        pytest.param(median, 510, 3.0, id="more than half of them"),
        pytest.param(p90, 90, 1.0, id="less than a tenth"),
        pytest.param(p90, 110, 3.0, id="more than a tenth"),
        pytest.param(p99, 9, 1.0, id="less than a hundredth"),
        pytest.param(p99, 11, 3.0, id="more than a hundredth"),
    ],
)
def test_a_figure_shows_what_so_many_requests_have(of: Any, slowest: int, expected: float) -> None:
    """Three times as long, or two milliseconds more, which is one and the same here."""
    pairs = Pairs([MS] * 1000, [MS] * (1000 - slowest) + [3 * MS] * slowest)
    figure = Figure("figure", of)
    assert pairs.ratio(figure) == pytest.approx(expected)
    assert pairs.added_s(figure) == pytest.approx((expected - 1) * MS)


def test_who_is_faster_adds_less_than_nothing() -> None:
    """A difference has a sign."""
    assert Pairs([3 * MS] * 9, [MS] * 9).added_s(Figure("median", median)) == pytest.approx(-2 * MS)


@attrs.frozen(eq=False)
class FakeClient:
    """Notes who is asked, and takes another time for each answer."""

    name: str
    asked: list[str]
    times: Iterator[float]

    def ask(self) -> float:
        self.asked.append(self.name)
        return next(self.times)


def test_two_are_asked_in_turn_and_each_begins_as_often() -> None:
    """Not each time the other: who is asked twice in a row is still warm."""
    asked: list[str] = []
    one: Any = FakeClient("one", asked, count(0.0))
    other: Any = FakeClient("other", asked, count(1000.0))
    pairs = ask_in_turn(one, other, 2 * PAIRS_IN_ORDER)
    assert pairs == Pairs(
        [float(n) for n in range(2 * PAIRS_IN_ORDER)],
        [1000.0 + n for n in range(2 * PAIRS_IN_ORDER)],
    )
    assert asked == ["one", "other"] * PAIRS_IN_ORDER + ["other", "one"] * PAIRS_IN_ORDER


def test_they_are_asked_for_as_long_as_they_are_to_be() -> None:
    """Then the number of pairs is the least."""
    one: Any = FakeClient("one", [], count(0.0))
    other: Any = FakeClient("other", [], count(0.0))
    assert len(ask_in_turn(one, other, 1, lasting_s=0.01).subject) > 1


def test_new_texts_are_all_different() -> None:
    """Or else the second of two would be in a cache."""
    texts = new_texts()
    assert len({next(texts) for _ in range(100)}) == 100
