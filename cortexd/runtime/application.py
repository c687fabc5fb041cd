"""The node put together: every part made once, each knowing only what it is given."""

from functools import partial
from importlib import metadata

import attrs

from cortexd.actors.published import Published
from cortexd.config.schema import Config
from cortexd.http.data_routes import DoorParts
from cortexd.http.probes import NodeProbes
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.exchange import ChatService
from cortexd.runtime.client_keys import NodeClientKeys, node_client_keys
from cortexd.runtime.cluster import NodeCluster, node_cluster
from cortexd.runtime.dead_letters import NodeDeadLetters, node_dead_letters
from cortexd.runtime.degradation import NodeDegradation, node_degradation
from cortexd.runtime.drain import Drain
from cortexd.runtime.events import NodeEvents, node_events
from cortexd.runtime.fleet import NodeFleet, node_fleet
from cortexd.runtime.live_settings import LiveAliases, live_settings
from cortexd.runtime.membership import MemberParts, joining
from cortexd.runtime.pipeline import NodePipeline, PipelineSurroundings, node_pipeline
from cortexd.runtime.pool import NodePool, node_pool
from cortexd.runtime.reload import Reloader, ReloadParts
from cortexd.runtime.running_tree import RunningTree
from cortexd.runtime.sharing import NodeSharing, node_sharing
from cortexd.runtime.surroundings import Surroundings
from cortexd.runtime.watch import NodeWatch, Watched, node_watch
from cortexd.runtime.workers import recruit


@attrs.frozen(kw_only=True, eq=False)
class Application:
    """What the supervision tree runs, but for the doors. All of it outlives every actor.

    `config`: what it was started with; `live`: the same as of the last reload. `around`: its `emit`
    tells all of `events`. `drain`: the order to stop. `doors`: what those for clients work with.
    """

    config: Config
    live: Published[Config]
    around: Surroundings
    events: NodeEvents
    cluster: NodeCluster
    sharing: NodeSharing
    fleet: NodeFleet
    pool: NodePool
    client_keys: NodeClientKeys
    dead_letters: NodeDeadLetters
    degradation: NodeDegradation
    pipeline: NodePipeline
    watch: NodeWatch
    doors: DoorParts
    reloader: Reloader
    drain: Drain
    tree: RunningTree


def build_application(config: Config, around: Surroundings) -> Application:
    """Make all parts and tie them together. Nothing runs yet."""
    live, drain, cutoff, tree = Published(config), Drain(), Cutoff(), RunningTree()
    events = node_events(config, around)
    # From here on the log is not the only one to be told.
    around = attrs.evolve(around, emit=events.emit)
    cluster = node_cluster(config, around)
    sharing = node_sharing(config, cluster, around)
    pool = node_pool(live, around, cluster)
    dead_letters = node_dead_letters(config, around)
    client_keys = node_client_keys(live, around, sharing.client_keys)
    fleet = node_fleet(config, around, pool)
    degradation = node_degradation(config, cutoff)
    pipeline = node_pipeline(
        PipelineSurroundings(
            config=config,
            around=around,
            pool=pool,
            degradation=degradation,
            sharing=sharing,
            dead_letters=dead_letters,
            cutoff=cutoff,
        )
    )
    watch = node_watch(
        Watched(
            config=config,
            around=around,
            events=events,
            cluster=cluster,
            fleet=fleet,
            pool=pool,
            degradation=degradation,
            pipeline=pipeline,
            dead_letters=dead_letters,
            databases=(dead_letters.database, client_keys.database, *fleet.databases),
            drain=drain,
            tree=tree,
        )
    )
    member = MemberParts(around=around, pool=pool, report=watch.report, stopping=drain.ordered)
    return Application(
        config=config,
        live=live,
        around=around,
        events=events,
        cluster=joining(cluster, config, member),
        sharing=sharing,
        fleet=fleet,
        pool=pool,
        client_keys=client_keys,
        dead_letters=dead_letters,
        degradation=degradation,
        pipeline=pipeline,
        watch=watch,
        doors=_doors(live, around, pipeline.service, watch.probes),
        reloader=_reloader(live, around, pool, pipeline, drain),
        drain=drain,
        tree=tree,
    )


def _doors(
    live: Published[Config], around: Surroundings, service: ChatService, probes: NodeProbes
) -> DoorParts:
    return DoorParts(
        service=service,
        aliases=LiveAliases(live),
        probes=probes,
        new_id=around.new_id,
        wall_clock=around.wall_clock,
        clock=around.clock,
        version=metadata.version("cortexd"),
    )


def _reloader(
    live: Published[Config],
    around: Surroundings,
    pool: NodePool,
    pipeline: NodePipeline,
    drain: Drain,
) -> Reloader:
    return Reloader(
        ReloadParts(
            read=around.read_config,
            live=live,
            roster=pool.roster,
            recruit=partial(recruit, parts=around.adapters, chance=around.chance),
            reloadables=live_settings(pool.roster, pipeline),
            is_draining=drain.ordered.is_set,
            emit=around.emit,
        )
    )
