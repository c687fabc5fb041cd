"""What the nodes of a cluster know of a worker together, whichever of them an operator has told."""

from collections.abc import Mapping
from typing import Any, Final, NewType

import attrs

from cortexd.domain.cluster import NodeName
from cortexd.domain.ids import WorkerName

Epoch = NewType("Epoch", str)
"""Changes when Redis has forgotten the shared workers: then the nodes remind it of them."""

NOBODY: Final = NodeName("")


@attrs.frozen(kw_only=True)
class SharedWorker:
    """The latest change of a worker by an operator, at the node `by`.

    `version` grows with each change of any worker; 0: Redis does not have it yet. `at` is Redis
    time; 0.0: when it gets there. `table`: the `[[workers]]` table of one that was added, with
    references for its secrets; `None` for one of the configuration, and for one that is removed.
    """

    name: WorkerName
    version: int = 0
    at: float = 0.0
    by: NodeName = NOBODY
    is_removed: bool = False
    is_active: bool = True
    table: Mapping[str, Any] | None = None


@attrs.frozen(kw_only=True)
class SharedStaff:
    """All that is shared at a moment; `version`: that of the latest change."""

    epoch: Epoch
    version: int
    workers: Mapping[WorkerName, SharedWorker]
