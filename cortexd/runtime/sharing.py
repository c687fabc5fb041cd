"""What the nodes of a cluster share of their answers, limits and keys, put together."""

from collections.abc import Sequence

import attrs

from cortexd.cluster_ports import SharedAnswers, SharedClientKeys
from cortexd.config.schema import Config
from cortexd.pipeline.shared_limits import ClusterLimits
from cortexd.runtime.cluster import NodeCluster
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import ChildSpec, task


@attrs.frozen(kw_only=True, eq=False)
class NodeSharing:
    """Nothing, without a cluster. `children` are for the branch `links` of the tree."""

    answers: SharedAnswers | None = None
    limits: ClusterLimits | None = None
    client_keys: SharedClientKeys | None = None
    children: Sequence[ChildSpec] = ()


def node_sharing(config: Config, cluster: NodeCluster, around: Surroundings) -> NodeSharing:
    """Make it all over the link that the cluster has."""
    if cluster.link is None:
        return NodeSharing()
    # Only here: a node without a cluster does not need the library that they are made with.
    from cortexd.cluster.shared_answers import RedisAnswers  # noqa: PLC0415
    from cortexd.cluster.shared_client_keys import RedisClientKeys  # noqa: PLC0415
    from cortexd.cluster.shared_limits import RedisLimits  # noqa: PLC0415

    link, name = cluster.link, config.cluster.name
    answers = RedisAnswers(link, name)
    limits = ClusterLimits(RedisLimits(link, name), nodes=lambda: cluster.view.value.size_seen)
    return NodeSharing(
        answers=answers,
        limits=limits,
        client_keys=RedisClientKeys(link, name, around.pepper),
        children=(
            ChildSpec("answer-claims", task(answers.run)),
            ChildSpec("shared-limits", task(limits.run)),
        ),
    )
