"""The way of a chat through the node, and how a reload lays it anew."""

from collections.abc import Callable
from typing import Final

import attrs

from cortexd.config.schema import Config
from cortexd.pipeline.build import PipelineParts, build_pipeline
from cortexd.pipeline.caching import CachingParts
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.flights import Flights
from cortexd.pipeline.live_service import LiveService
from cortexd.pipeline.routing import RoutingParts
from cortexd.policy.answer_cache import AnswerCache
from cortexd.runtime.dead_letters import NodeDeadLetters
from cortexd.runtime.degradation import NodeDegradation
from cortexd.runtime.pool import NodePool
from cortexd.runtime.sharing import NodeSharing
from cortexd.runtime.surroundings import Surroundings

RETRY_AFTER_S_MAX: Final = 10.0
"""A worker that is down is asked again at the health interval, but clients need not wait longer."""


@attrs.frozen(kw_only=True, eq=False)
class NodePipeline:
    """`service` answers by the pipeline of the moment; the others outlive each of them.

    `made_for`: a pipeline that goes by that configuration.
    """

    service: LiveService
    made_for: Callable[[Config], ChatService]
    cache: AnswerCache
    flights: Flights
    cutoff: Cutoff


@attrs.frozen(kw_only=True, eq=False)
class PipelineSurroundings:
    """What of the node a pipeline is to work with."""

    config: Config
    around: Surroundings
    pool: NodePool
    degradation: NodeDegradation
    sharing: NodeSharing
    dead_letters: NodeDeadLetters
    cutoff: Cutoff


def node_pipeline(node: PipelineSurroundings) -> NodePipeline:
    """Make it all; no chat is on its way yet."""
    config, around = node.config, node.around
    flights = Flights()
    cache = AnswerCache(config.cache.max_bytes, stale_s=config.degradation.stale_seconds)

    def made_for(config: Config) -> ChatService:
        return build_pipeline(
            PipelineParts(
                emit=around.emit,
                chance=around.chance,
                cutoff=node.cutoff,
                degradation=node.degradation.state,
                austerity=config.degradation,
                caching=CachingParts(
                    settings=config.cache,
                    cache=cache,
                    flights=flights,
                    aliases=config.routing.aliases,
                    chance=around.chance,
                    ttl_factor=config.degradation.cache_ttl_factor,
                    shared=node.sharing.answers,
                ),
                routing=RoutingParts(
                    view=node.pool.view,
                    aliases=config.routing.aliases,
                    retry_after_s=min(config.health.interval_seconds, RETRY_AFTER_S_MAX),
                    strain_max=config.retry.budget_ratio,
                    chance=around.chance,
                ),
                retry=config.retry,
                dead_letters=node.dead_letters.parts(config),
                limits=node.sharing.limits,
            )
        )

    return NodePipeline(
        service=LiveService(made_for(config)),
        made_for=made_for,
        cache=cache,
        flights=flights,
        cutoff=node.cutoff,
    )
