"""The node as a member of its cluster, which needs most of the node to be there first."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import attrs
import trio

from cortexd.actors.cluster_membership import (
    CLUSTER_MEMBERSHIP,
    ClusterMembership,
    MembershipParts,
)
from cortexd.actors.health_monitor import check_soon
from cortexd.actors.shared_workers import SHARED_WORKERS, SharedWorkers, SharingParts
from cortexd.config.schema import Config
from cortexd.domain.cluster import NodeName, NodeReport
from cortexd.domain.shared_worker import SharedWorker
from cortexd.policy.membership import LeaseTerms
from cortexd.runtime.cluster import NodeCluster
from cortexd.runtime.pool import NodePool
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import CallFailed, ChildSpec, whereis

SHARING_S_MAX = 2.0
"""How long an operator is made to wait for the keeper of the shared workers, and for no more."""


@attrs.frozen(kw_only=True, eq=False)
class MemberParts:
    """What of the node a member needs."""

    around: Surroundings
    pool: NodePool
    report: Callable[[], NodeReport]
    stopping: trio.Event


def joining(cluster: NodeCluster, config: Config, parts: MemberParts) -> NodeCluster:
    """The same with all it takes to be a member; without a cluster, as it is."""
    if cluster.link is None:
        return cluster
    # Only here: a node without a cluster does not need the library.
    from cortexd.cluster.membership import RedisMembership  # noqa: PLC0415
    from cortexd.cluster.shared_workers import RedisSharedWorkers  # noqa: PLC0415

    settings, node, emit = config.cluster, NodeName(config.node.name), parts.around.emit
    terms = LeaseTerms(node=node, lease_s=settings.lease_seconds, beat_s=settings.beat_seconds)
    membership = MembershipParts(
        store=RedisMembership(
            cluster.link,
            cluster=settings.name,
            node=node,
            instance=parts.around.new_id(),
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
        roster=parts.pool.roster,
        recruit=parts.pool.recruit,
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
