"""A model as the doors list it."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs

from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName


@attrs.frozen(kw_only=True)
class ServedModel:
    """One model that some worker serves. `created_s`: wall time in seconds, where it is known.

    `features`: what at least one of its workers can carry.
    """

    name: str
    workers: tuple[WorkerName, ...] = ()
    created_s: float | None = None
    features: frozenset[Feature] = frozenset()


ServedModels: TypeAlias = Callable[[], Sequence[ServedModel]]
"""Asked anew for each listing; never waits."""
