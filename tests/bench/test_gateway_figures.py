"""What the gateway benchmark makes of its measurements."""

import attrs
import pytest

from bench.comparison import Comparison, render
from bench.gateway.report import compare, render_costs
from bench.gateway.rounds import Sizes, Unit, costs

SIZES = Sizes(requests=100, connections=10, streams=5, pieces=64, interval_s=0.03)

ROUNDS = [
    {
        "cortexd": dict.fromkeys(Unit, 10e-6 * factor),
        "LiteLLM": dict.fromkeys(Unit, 100e-6),
        "nginx": dict.fromkeys(Unit, 5e-6),
    }
    for factor in (1, 2, 30)
]


def test_costs_are_shared_out_among_requests_and_pieces() -> None:
    """A piece alone is what the longer streams cost more than the brief ones."""
    found = costs(SIZES, 0.5, 3.2 + 1.0, 0.8 + 1.0)
    assert found[Unit.REQUEST] == pytest.approx(0.5 / 100)
    assert found[Unit.PIECE] == pytest.approx(4.2 / (5 * 64))
    assert found[Unit.PIECE_ALONE] == pytest.approx(2.4 / (5 * 48))


def test_each_connection_asks_at_least_once() -> None:
    """Fewer requests than connections are rounded up."""
    assert attrs.evolve(SIZES, requests=3).short.requests == 10


def test_ratios_are_taken_within_a_round() -> None:
    """LiteLLM is what the budgets are about; nginx is there to be read."""
    found = {each.subject: each for each in compare(ROUNDS)}
    request = found["short request, cortexd / LiteLLM"]
    assert request.ratios == pytest.approx([0.1, 0.2, 3.0])
    assert request.ratio_max == pytest.approx(1 / 8)
    assert not request.is_within_budget
    assert found["paced piece, cortexd / LiteLLM"].ratio_max == pytest.approx(1 / 6)
    assert {each.ratio_max for name, each in found.items() if "nginx" in name} == {None}


def test_what_is_not_there_is_not_compared() -> None:
    """Without LiteLLM there are still figures, but none with a budget."""
    rounds = [{"cortexd": each["cortexd"], "nginx": each["nginx"]} for each in ROUNDS]
    assert [each for each in compare(rounds) if each.ratio_max] == []
    assert "LiteLLM" not in render_costs(rounds)


def test_tables() -> None:
    """Medians in microseconds; budgets with a verdict, or none."""
    assert render_costs(ROUNDS).splitlines()[1].split() == ["short", "request", "20", "100", "5"]
    lines = render(
        [
            Comparison(subject="a", ratios=[0.1, 0.2, 0.3], ratio_max=0.2),
            Comparison(subject="b", ratios=[2.0], ratio_max=1.0),
            Comparison(subject="c", ratios=[2.0]),
        ]
    ).splitlines()
    assert [line.split()[-1] for line in lines] == ["budget", "ok", "over", "none"]
    assert lines[1].split() == ["a", "0.200x", "0.100", "-", "0.300", "0.200x", "ok"]
