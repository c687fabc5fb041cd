"""What the rounds come to: a table in microseconds, and one of ratios with their budgets."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from bench.comparison import Comparison
from bench.gateway.rounds import Costs, Unit

Rounds = Sequence[Mapping[str, Costs]]

RATIOS_MAX: Final = {Unit.REQUEST: 1 / 8, Unit.PIECE: 1 / 6}
"""What cortexd may cost, as a share of what LiteLLM costs."""

_US_PER_S: Final = 1e6


def compare(rounds: Rounds) -> list[Comparison]:
    """How cortexd stands to LiteLLM, against the budgets, and to nginx, for information."""
    references = [name for name in ("LiteLLM", "nginx") if name in rounds[0]]
    return [
        Comparison(
            subject=f"{unit.value}, cortexd / {reference}",
            ratios=[each["cortexd"][unit] / each[reference][unit] for each in rounds],
            ratio_max=RATIOS_MAX.get(unit) if reference == "LiteLLM" else None,
        )
        for reference in references
        for unit in Unit
    ]


def render_costs(rounds: Rounds) -> str:
    """A table of the medians in microseconds, a unit a line."""
    names = list(rounds[0])
    width = max(len(unit.value) for unit in Unit)
    lines = [f"{'CPU time in µs':{width}}" + "".join(f"{name:>10}" for name in names)]
    for unit in Unit:
        medians = [statistics.median(each[name][unit] for each in rounds) for name in names]
        figures = "".join(f"{median * _US_PER_S:10.0f}" for median in medians)
        lines.append(f"{unit.value:{width}}{figures}")
    return "\n".join(lines)
