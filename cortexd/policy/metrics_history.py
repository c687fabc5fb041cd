"""How samples of the node become charts: thinned out to a step, a mean or a maximum at a time."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import attrs
from attrs import validators

from cortexd.domain.node_sample import AT_WORST, NodeSample

SAMPLE_S: Final = 5.0
"""A sample is taken this often,"""

RECENT_S: Final = 3600.0
"""and kept for so long; what is older there is by the minute."""

MINUTE_S: Final = 60.0

POINTS_MAX: Final = 1000
"""No chart has more points."""

_DECIMALS: Final = 4


@attrs.frozen(kw_only=True)
class MetricsSettings:
    """[metrics] in cortexd.toml. Times in seconds.

    `enabled`: whether there is `/metrics`, and a history on disk. `history_seconds`: how far back
    that goes, in minutes from the second hour on.
    """

    enabled: bool = True
    history_seconds: float = attrs.field(
        default=86400.0,
        validator=validators.and_(validators.ge(RECENT_S), validators.le(31 * 86400.0)),
    )


Chart: TypeAlias = list[tuple[float, float]]
"""Points: seconds since the epoch, and the value."""


def chart(samples: Iterable[NodeSample], series: str, *, step_s: float) -> Chart:
    """A series as points, one for each step in which there was something to measure.

    `samples` are in the order of time. A point stands where its step begins.
    """
    summarise = summary_of(series)
    points: Chart = []
    values: list[float] = []
    begin = 0.0
    for sample in samples:
        value = getattr(sample, series)
        step = sample.at - sample.at % step_s
        if step != begin:
            if values:
                points.append((begin, summarise(values)))
            begin, values = step, []
        if value is not None:
            values.append(value)
    if values:
        points.append((begin, summarise(values)))
    return points


def summary_of(series: str) -> Callable[[Sequence[float]], float]:
    """What several values of a series are as one."""
    return max if series in AT_WORST else _mean


def fitting_step_s(wanted_s: float, *, span_s: float) -> float:
    """The step that was wanted, or the shortest one that has room for all of the time."""
    # One more: the time need not begin where a step does.
    shortest_s = math.ceil(span_s / (POINTS_MAX - 1) / SAMPLE_S) * SAMPLE_S
    return max(wanted_s, shortest_s, SAMPLE_S)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), _DECIMALS)
