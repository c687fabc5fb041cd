"""The node's place in a cluster, put together; without `[cluster]` there is none, and no Redis."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs
import trio

from cortexd.actors.health_monitor import Heard
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker
from cortexd.actors.shared_workers import SharedMemory
from cortexd.config.schema import Config
from cortexd.domain.cluster import ClusterState, ClusterView, NodeName, NodeReport, WorkerKey
from cortexd.domain.shared_worker import SharedWorker
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.http.admin.cluster import ClusterAdmin
from cortexd.policy.health import Probe
from cortexd.policy.membership import hearsay
from cortexd.runtime.network_place import network_place
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.worker_identity import identity
from supervisor_tree import ChildSpec, task

if TYPE_CHECKING:
    from cortexd.cluster.redis_link import RedisLink


async def _share_nothing(_change: SharedWorker) -> None:
    await trio.lowlevel.checkpoint()


@attrs.frozen(kw_only=True, eq=False)
class NodeCluster:
    """`link` is `None` without a cluster; `children` are for the branch `links` of the tree.

    `name`: the cluster's. `place`: see `runtime/worker_identity.py`. `memory`: see `SharedWorkers`.
    `share` has what an operator did to a worker be so on all nodes.
    """

    name: str | None
    link: "RedisLink | None"
    view: Published[ClusterView]
    place: str
    memory: Published[SharedMemory] = attrs.Factory(lambda: Published(SharedMemory()))
    share: Callable[[SharedWorker], Awaitable[None]] = _share_nothing
    children: Sequence[ChildSpec] = ()

    def key(self, settings: WorkerSettings) -> WorkerKey:
        """What a worker of this node is known by to the others."""
        return settings.name, identity(settings, place=self.place)

    def heard(self, age_s_max: float) -> Heard | None:
        """What other nodes have found by probing lately, in place of probing here."""
        if self.link is None:
            return None

        def hear(worker: RegisteredWorker) -> Probe | None:
            if worker.settings.type is WorkerType.EMBEDDED:
                return None  # Each node has to know of its own engine.
            return hearsay(self.view.value, self.key(worker.settings), age_s_max=age_s_max)

        return hear

    def admin(
        self, config: Config, report: Callable[[], NodeReport], wall_clock: Callable[[], float]
    ) -> ClusterAdmin:
        """What operators can see."""
        return ClusterAdmin(
            view=self.view,
            cluster=self.name,
            lease_s=config.cluster.lease_seconds,
            report=report,
            link=self._link_state,
            unshared=lambda: self.memory.value.unshared,
            wall_clock=wall_clock,
        )

    def _link_state(self) -> tuple[bool, str | None]:
        if self.link is None:
            return False, None
        return self.link.is_up, self.link.trouble(trio.current_time())


def node_cluster(config: Config, around: Surroundings) -> NodeCluster:
    """What the rest of the node is built on. Nothing is connected to yet."""
    node, url = NodeName(config.node.name), config.cluster.redis_url
    if url is None:
        off = Published(ClusterView(state=ClusterState.OFF, node=node))
        return NodeCluster(name=None, link=None, view=off, place="")
    # Only here: a node without a cluster does not need the library.
    from cortexd.cluster.redis_link import RedisLink  # noqa: PLC0415

    link = RedisLink(url, client_name=f"cortexd-{node}", chance=around.chance, emit=around.emit)
    alone = ClusterView(state=ClusterState.ALONE, node=node, reason="it has not joined")
    return NodeCluster(
        name=config.cluster.name,
        link=link,
        view=Published(alone),
        place=network_place(),
        children=(ChildSpec("redis", task(link.run)),),
    )
