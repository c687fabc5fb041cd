"""The node's place in a cluster, put together; without `[cluster]` there is none, and no Redis."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from cortexd.actors.cluster_membership import (
    CLUSTER_MEMBERSHIP,
    ClusterMembership,
    MembershipParts,
)
from cortexd.actors.health_monitor import Heard, check_soon
from cortexd.actors.published import Published
from cortexd.actors.roster import Recruit, RegisteredWorker, Roster
from cortexd.actors.shared_workers import (
    SHARED_WORKERS,
    SharedMemory,
    SharedWorkers,
    SharingParts,
)
from cortexd.config.schema import Config
from cortexd.domain.cluster import ClusterState, ClusterView, NodeName, NodeReport
from cortexd.domain.events import Emit
from cortexd.domain.shared_worker import SharedWorker
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.http.admin.cluster import ClusterAdmin
from cortexd.policy.health import Probe
from cortexd.policy.membership import LeaseTerms, hearsay
from cortexd.providers.embedded.standby_engine import Duty
from cortexd.runtime.network_place import network_place
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.worker_identity import identity
from supervisor_tree import CallFailed, ChildSpec, task, whereis

if TYPE_CHECKING:
    from cortexd.cluster.redis_link import RedisLink

SHARING_S_MAX = 2.0
"""How long an operator is made to wait for the keeper of the shared workers, and for no more."""


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

    def duty(self, settings: WorkerSettings) -> Duty:
        """When this node is to run the engine of a worker: unless another one surely does."""
        key = settings.name, identity(settings, place=self.place)

        def is_needed(view: ClusterView) -> bool:
            return view.owners.get(key) in {None, view.node}

        return Duty(
            is_needed=lambda: is_needed(self.view.value),
            wait_needed=lambda: self.view.wait_until(is_needed),
        )

    def heard(self, age_s_max: float) -> Heard | None:
        """What other nodes have found by probing lately, in place of probing here."""
        if self.link is None:
            return None

        def hear(worker: RegisteredWorker) -> Probe | None:
            if worker.settings.type is WorkerType.EMBEDDED:
                return None  # Each node has to know of its own engine.
            key = worker.name, identity(worker.settings, place=self.place)
            return hearsay(self.view.value, key, age_s_max=age_s_max)

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


def node_cluster(config: Config, around: Surroundings, emit: Emit) -> NodeCluster:
    """What the rest of the node is built on. Nothing is connected to yet."""
    node, url = NodeName(config.node.name), config.cluster.redis_url
    if url is None:
        off = Published(ClusterView(state=ClusterState.OFF, node=node))
        return NodeCluster(name=None, link=None, view=off, place="")
    # Only here: a node without a cluster does not need the library.
    from cortexd.cluster.redis_link import RedisLink  # noqa: PLC0415

    link = RedisLink(url, client_name=f"cortexd-{node}", chance=around.chance, emit=emit)
    alone = ClusterView(state=ClusterState.ALONE, node=node, reason="it has not joined")
    return NodeCluster(
        name=config.cluster.name,
        link=link,
        view=Published(alone),
        place=network_place(),
        children=(ChildSpec("redis", task(link.run)),),
    )


@attrs.frozen(kw_only=True, eq=False)
class MemberParts:
    """What of the node a member needs."""

    report: Callable[[], NodeReport]
    roster: Roster
    recruit: Recruit
    stopping: trio.Event
    new_id: Callable[[], str]
    emit: Emit


def joining(cluster: NodeCluster, config: Config, parts: MemberParts) -> NodeCluster:
    """The same with all it takes to be a member; without a cluster, as it is."""
    if cluster.link is None:
        return cluster
    from cortexd.cluster.membership import RedisMembership  # noqa: PLC0415
    from cortexd.cluster.shared_workers import RedisSharedWorkers  # noqa: PLC0415

    settings, node, emit = config.cluster, NodeName(config.node.name), parts.emit
    terms = LeaseTerms(node=node, lease_s=settings.lease_seconds, beat_s=settings.beat_seconds)
    membership = MembershipParts(
        store=RedisMembership(
            cluster.link,
            cluster=settings.name,
            node=node,
            instance=parts.new_id(),
            held_s=terms.held_s,
            emit=emit,
        ),
        terms=terms,
        view=cluster.view,
        report=parts.report,
        look_at=check_soon,
        stopping=parts.stopping,
        emit=emit,
    )
    sharing = SharingParts(
        store=RedisSharedWorkers(cluster.link, cluster=settings.name, node=node, emit=emit),
        memory=cluster.memory,
        cluster=cluster.view,
        roster=parts.roster,
        recruit=parts.recruit,
        check_soon=check_soon,
        emit=emit,
    )

    async def share(change: SharedWorker) -> None:
        told = attrs.evolve(change, by=node)
        with trio.move_on_after(SHARING_S_MAX), suppress(CallFailed):
            await whereis(SHARED_WORKERS).call(SharedWorkers.note, told)

    children = (
        *cluster.children,
        ChildSpec("membership", partial(ClusterMembership, membership), name=CLUSTER_MEMBERSHIP),
        ChildSpec("shared-workers", partial(SharedWorkers, sharing), name=SHARED_WORKERS),
    )
    return attrs.evolve(cluster, share=share, children=children)
