"""How far a node can fall: five levels, and what is done at each."""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Final


@unique
class DegradationLevel(Enum):
    """Five steps from all is well to nothing works."""

    HEALTHY = "healthy"
    MINOR_ISSUES = "minor_issues"
    MAJOR_ISSUES = "major_issues"
    CRITICAL = "critical"
    EMERGENCY = "emergency"


LEVELS: Final = tuple(DegradationLevel)
"""From the best to the worst."""

_DEPTHS: Final[Mapping[DegradationLevel, int]] = {level: LEVELS.index(level) for level in LEVELS}


def depth(level: DegradationLevel) -> int:
    """How many levels it is below the best."""
    return _DEPTHS[level]


@unique
class Strategy(Enum):
    """What the node does to serve most of its clients with what it still has."""

    REDUCE_TIMEOUTS = "reduce_timeouts"
    """Workers get less time for the first token and for the whole answer."""

    PREFER_FAST_WORKERS = "prefer_fast_workers"
    """Of workers that could equally well be asked, the quickest is asked first."""

    LIMIT_CONCURRENT_REQUESTS = "limit_concurrent_requests"
    """The whole node serves only so many requests at once."""

    CACHE_RESPONSES = "cache_responses"
    """Answers are kept for longer, and given although they have expired."""

    RETURN_CACHED_ONLY = "return_cached_only"
    """Who is not let in may have a kept answer, and nothing else."""


_ADDED: Final[Mapping[DegradationLevel, frozenset[Strategy]]] = {
    DegradationLevel.HEALTHY: frozenset(),
    DegradationLevel.MINOR_ISSUES: frozenset(
        {Strategy.REDUCE_TIMEOUTS, Strategy.PREFER_FAST_WORKERS}
    ),
    DegradationLevel.MAJOR_ISSUES: frozenset({Strategy.LIMIT_CONCURRENT_REQUESTS}),
    DegradationLevel.CRITICAL: frozenset({Strategy.CACHE_RESPONSES}),
    DegradationLevel.EMERGENCY: frozenset({Strategy.RETURN_CACHED_ONLY}),
}

_STRATEGIES: Final[Mapping[DegradationLevel, frozenset[Strategy]]] = {
    level: frozenset[Strategy]().union(*(_ADDED[each] for each in LEVELS[: _DEPTHS[level] + 1]))
    for level in LEVELS
}


def strategies_at(level: DegradationLevel) -> frozenset[Strategy]:
    """What is done at a level: what it adds, and all that the levels above it have added."""
    return _STRATEGIES[level]


def in_order(strategies: frozenset[Strategy]) -> tuple[Strategy, ...]:
    """These, in the order in which the levels add them."""
    return tuple(strategy for strategy in Strategy if strategy in strategies)
