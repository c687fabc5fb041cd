"""The workers of the node: who they are, what is known of them, and how others come to them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs

from cortexd.actors.health_monitor import HealthHistory
from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms, Recruit, RegisteredWorker, Roster
from cortexd.actors.worker_pool import HealthBoard, PoolView, pool_view
from cortexd.config.schema import Config
from cortexd.domain.cluster import ClusterView
from cortexd.domain.worker import WorkerSettings
from cortexd.providers.embedded.standby_engine import Duty
from cortexd.runtime.cluster import NodeCluster
from cortexd.runtime.recruiting import recruiting
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.workers import hire
from supervisor_tree import Service


@attrs.frozen(kw_only=True, eq=False)
class NodePool:
    """What outlives the actors of the branch `workers` of the tree.

    `leaving`: who has left the roster with answers to finish. `board` and `checks`: what probing
    has found, now and lately. `view`: all that a request is routed by. `engines`: see `Staff`.
    `recruit`: makes a worker of an operator's table.
    """

    roster: Roster
    leaving: Roster
    board: HealthBoard
    checks: HealthHistory
    view: Published[PoolView]
    engines: Mapping[str, Callable[[], Service]]
    recruit: Recruit


def node_pool(live: Published[Config], around: Surroundings, cluster: NodeCluster) -> NodePool:
    """Hire the configured workers; nothing is connected to or started yet."""
    config, chance = live.value, around.chance
    terms = HiringTerms(breaker=config.breaker, retry=config.retry, chance=chance)
    roster: Roster = Published(())
    staff = hire(config, terms, around.adapters, partial(engine_duty, cluster, roster))
    roster.publish(staff.workers)
    board: HealthBoard = Published({})
    return NodePool(
        roster=roster,
        leaving=Published(()),
        board=board,
        checks=Published(()),
        view=Published(pool_view(roster, board, config.pool.strategy)),
        engines=staff.engines,
        recruit=recruiting(live, around.environ, around.adapters, chance, around.known),
    )


def engine_duty(cluster: NodeCluster, roster: Roster, settings: WorkerSettings) -> Duty:
    """To run the engine of a worker, as long as the node has it and no other node surely does."""
    key = cluster.key(settings)

    def works_here(workers: Sequence[RegisteredWorker]) -> bool:
        return any(cluster.key(worker.settings) == key for worker in workers)

    def is_ours(view: ClusterView) -> bool:
        return view.is_left_to_us(key)

    def is_needed() -> bool:
        return works_here(roster.value) and is_ours(cluster.view.value)

    async def wait_needed() -> None:
        while not is_needed():
            await roster.wait_until(works_here)
            await cluster.view.wait_until(is_ours)

    return Duty(is_needed=is_needed, wait_needed=wait_needed)
