"""The nodes that share a Redis, as one of them sees them.

Times called Redis time are seconds since the epoch by the clock of Redis, which is the same for
all; all others are monotonic seconds of the node.
"""

from collections.abc import Mapping
from enum import Enum, unique
from typing import NewType, TypeAlias

import attrs

from cortexd.domain.alert import Condition
from cortexd.domain.errors import CortexError
from cortexd.domain.ids import WorkerName

NodeName = NewType("NodeName", str)
"""The `name` in `[node]`: unique within a cluster."""

Identity = NewType("Identity", str)
"""What a worker is by: the same on two nodes if both reach the same server by its name."""

WorkerKey: TypeAlias = tuple[WorkerName, Identity]
"""One worker, for all nodes that have it."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a node has found by probing a worker itself. `models`: those it serves.

    `age_s`: how long ago that was when the report was made.
    """

    is_good: bool
    models: tuple[str, ...] = ()
    age_s: float = 0.0


@attrs.frozen(kw_only=True)
class WorkerReport:
    """What a node tells of one of its workers; `state` and `breaker` by their names.

    `is_owned`: the node takes itself for its owner. `is_preferred`: it is the node that the
    worker's settings name. `since`: Redis time of the first report with this worker in it, `None`
    in that one. `verdict`: `None` where the node has not probed it itself.
    """

    name: WorkerName
    type: str
    is_active: bool
    state: str
    breaker: str
    is_owned: bool = False
    identity: Identity = Identity("")
    is_preferred: bool = False
    since: float | None = None
    verdict: Verdict | None = None

    @property
    def key(self) -> WorkerKey:
        """Which worker it is, for all nodes."""
        return self.name, self.identity


@attrs.frozen(kw_only=True)
class NodeReport:
    """What a node tells of itself with each beat. `conditions`: what its alert rules find wrong."""

    address: str | None = None
    version: str = ""
    in_flight: int = 0
    requests_per_second: float = 0.0
    status: str = ""
    degradation_level: str = ""
    workers: tuple[WorkerReport, ...] = ()
    conditions: tuple[Condition, ...] = ()


@attrs.frozen(kw_only=True)
class Member:
    """A node that is there. `token` grows with each join of any node: the fencing token.

    `joined_at` and `reported_at` (when the report came) are Redis time.
    """

    name: NodeName
    token: int
    joined_at: float
    report: NodeReport = NodeReport()
    reported_at: float = 0.0


@unique
class ClusterState(Enum):
    """How the node stands to its cluster. ALONE: it has one, but is not a member now."""

    OFF = "off"
    ALONE = "alone"
    MEMBER = "member"


@attrs.frozen(kw_only=True)
class ClusterView:
    """What a node goes by. Only while `state` is MEMBER does it decide anything for others.

    `members`: all that are there, itself among them, by name; empty unless it is one. `reason`: why
    it is alone. `size_seen`: how many members there were when it was last one, at least 1.
    `leader`: the member with the smallest token; `None` until the cluster has been there for a
    lease, so that no earlier leader can still take itself for one. `owners`: who sees to a worker;
    none for one that has just become known. `left`: who has said good-bye lately. `clock_s`: by how
    much Redis time is ahead of the node's, 0 before that is known.
    """

    state: ClusterState
    node: NodeName
    members: tuple[Member, ...] = ()
    reason: str | None = None
    size_seen: int = 1
    leader: NodeName | None = None
    is_leader: bool = False
    owners: Mapping[WorkerKey, NodeName] = attrs.Factory(dict)
    left: frozenset[NodeName] = frozenset()
    clock_s: float = 0.0

    @property
    def token(self) -> int:
        """The node's own fencing token; 0 unless it is a member."""
        return next((member.token for member in self.members if member.name == self.node), 0)

    def owns(self, worker: WorkerKey) -> bool:
        """Whether this node is the worker's one owner."""
        return self.owners.get(worker) == self.node

    def is_left_to_us(self, worker: WorkerKey) -> bool:
        """Whether no other node is known to own the worker: this one does, or nobody does yet."""
        return self.owners.get(worker) in {None, self.node}


@attrs.frozen(kw_only=True)
class Sighting:
    """What a good beat brings: the node is a member, and who else is.

    Times are Redis time: `at` when it was served, `born_at` since when there have been members in
    this Redis. `left`: who has said good-bye lately.
    """

    token: int
    at: float
    born_at: float
    members: tuple[Member, ...]
    left: frozenset[NodeName] = frozenset()


@attrs.frozen
class NameTaken(CortexError):
    """Another node of the cluster has this node's name, and is alive."""

    message: str


@attrs.frozen
class SharedWorkerRefused(CortexError):
    """There is no room for what was to be shared, and waiting makes none."""

    message: str
