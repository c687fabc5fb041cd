"""In which order the pool offers workers that could all serve a request."""

import random
from collections.abc import Sequence
from enum import Enum, unique
from operator import attrgetter
from typing import Final

import attrs

from cortexd.domain.ids import WorkerName

EXPLORED_SHARE: Final = 0.05
"""How many requests go anywhere under LATENCY, so that a worker that has become fast is noticed."""


@unique
class PoolStrategy(Enum):
    """How equal candidates are ordered."""

    LOCAL_FIRST = "local_first"
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    WEIGHTED = "weighted"
    LATENCY = "latency"


@attrs.frozen(kw_only=True)
class PoolSettings:
    """[pool] in cortexd.toml."""

    strategy: PoolStrategy = PoolStrategy.LOCAL_FIRST


@attrs.frozen(kw_only=True)
class Load:
    """What the strategies look at.

    `weight`: above 0; a worker of weight 2 is meant for twice the requests of one of weight 1.
    `ttft_s`: its recent time to a first token, `None` if there is none. `share`: above 0, at most
    1; less than 1 soon after its circuit breaker has closed. `full`: every slot is taken, a request
    would have to queue. `strained`: too many of its recent calls failed.
    """

    name: WorkerName
    priority: int
    in_flight: int
    full: bool
    weight: float
    ttft_s: float | None
    share: float
    strained: bool


def order(
    strategy: PoolStrategy,
    loads: Sequence[Load],
    *,
    turn: int,
    chance: random.Random,
    fast_first: bool = False,
) -> list[WorkerName]:
    """The workers in the order they are to be tried.

    Whatever the strategy, those that had better be spared stand behind the others: those whose
    share has yet to grow, as often as it lacks of 1; then the strained ones; then the full ones.
    Full is worse than strained: a wait for a slot is certain, and may be as long as an answer. A
    strained worker may well answer at once, and if it fails, the full ones are still there.

    `fast_first`: of those that the strategy takes to be equally good, or in any order, those go
    first that have been the quickest to a first token; nobody is tried out. Only LOCAL_FIRST takes
    some to be better than others: by their priority.

    `turn` counts requests: round robin starts one further for each. Ties keep the order of
    registration, so that without chance the same situation always gives the same answer.
    """
    if len(loads) <= 1:
        return [load.name for load in loads]
    if fast_first:
        ranked = sorted(loads, key=lambda load: _quickness(strategy, load))
    else:
        ranked = _ranked(strategy, loads, turn, chance)
    for load in loads:
        if load.full or load.strained or load.share < 1.0:
            ranked.sort(key=lambda load: _reserve(load, chance))
            break
    return [load.name for load in ranked]


_BY_PRIORITY = attrgetter("priority", "in_flight")


def _ranked(
    strategy: PoolStrategy, loads: Sequence[Load], turn: int, chance: random.Random
) -> list[Load]:
    match strategy:
        case PoolStrategy.LOCAL_FIRST:
            return sorted(loads, key=_BY_PRIORITY)
        case PoolStrategy.ROUND_ROBIN:
            first = turn % len(loads)
            return [*loads[first:], *loads[:first]]
        case PoolStrategy.LEAST_LOADED:
            return sorted(loads, key=_crowding)
        case PoolStrategy.WEIGHTED:
            # Efraimidis and Spirakis (2006): drawing by weight without replacement is sorting by
            # random keys. Here the times at which clocks of these rates would first ring.
            return sorted(loads, key=lambda load: chance.expovariate(load.weight))
        case PoolStrategy.LATENCY:
            ranked = sorted(loads, key=_slowness)
            if chance.random() < EXPLORED_SHARE:
                ranked.insert(0, ranked.pop(chance.randrange(len(ranked))))
            return ranked


def _crowding(load: Load) -> tuple[float, int]:
    """How busy this request would make it. Of two idle workers the stronger one stays idler."""
    return (load.in_flight + 1) / load.weight, load.priority


def _slowness(load: Load) -> tuple[float, int, int]:
    """The recent time to a first token.

    A worker of which none is known goes first, but only for one request at a time: until that one
    has shown what to expect, it goes last.
    """
    ttft_s = load.ttft_s
    if ttft_s is None:
        ttft_s = float("inf") if load.in_flight else 0.0
    return ttft_s, load.priority, load.in_flight


def _quickness(strategy: PoolStrategy, load: Load) -> tuple[int, float, int]:
    """The recent time to a first token; one of which none is known is no bet for bad times."""
    priority = load.priority if strategy is PoolStrategy.LOCAL_FIRST else 0
    return priority, float("inf") if load.ttft_s is None else load.ttft_s, load.in_flight


def _reserve(load: Load, chance: random.Random) -> tuple[bool, bool, bool]:
    """How much it had better be spared, with more weight on what stands first."""
    return load.full, load.strained, load.share < 1.0 and chance.random() >= load.share
