"""Which workers can serve the model a client asks for, and under which name."""

from collections.abc import Mapping, Sequence

import attrs

from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerHealth, WorkerStatus

ANY_MODEL = "auto"
"""The model name that, like none at all, means: whichever can serve."""


@attrs.frozen(kw_only=True)
class RoutingSettings:
    """[routing] in cortexd.toml. `aliases`: a name for clients -> what it stands for, best first.

    A target is `worker/model`, a worker's name, or a model's.
    """

    aliases: Mapping[str, tuple[str, ...]] = attrs.Factory(dict)
