"""In which order the pool offers workers that could all serve a request."""

from collections.abc import Sequence
from enum import Enum, unique

import attrs

from cortexd.domain.ids import WorkerName


@unique
class PoolStrategy(Enum):
    """How equal candidates are ordered."""

    LOCAL_FIRST = "local_first"
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


@attrs.frozen(kw_only=True)
class PoolSettings:
    """[pool] in cortexd.toml."""

    strategy: PoolStrategy = PoolStrategy.LOCAL_FIRST


@attrs.frozen(kw_only=True)
class Load:
    """What the strategies look at. `full`: every slot is taken, a request would have to queue."""

    name: WorkerName
    priority: int
    in_flight: int
    full: bool


def order(strategy: PoolStrategy, loads: Sequence[Load], *, turn: int) -> list[WorkerName]:
    """The workers in the order they are to be tried. Full ones come last, in the same order.

    `turn` counts requests: round robin starts one further for each. Ties keep the order of
    registration, so that the same situation always gives the same answer.
    """
    rank = {
        PoolStrategy.LOCAL_FIRST: lambda load: (load.full, load.priority, load.in_flight),
        PoolStrategy.LEAST_LOADED: lambda load: (load.full, load.in_flight, load.priority),
        PoolStrategy.ROUND_ROBIN: lambda load: (load.full,),
    }[strategy]
    first = turn % len(loads) if loads and strategy is PoolStrategy.ROUND_ROBIN else 0
    return [load.name for load in sorted([*loads[first:], *loads[:first]], key=rank)]
