"""The parts of a pipeline that a test does not care about."""

import random
from collections.abc import Mapping
from typing import Final

from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms
from cortexd.actors.worker_pool import PoolView
from cortexd.domain.events import Emit
from cortexd.pipeline.build import PipelineParts
from cortexd.pipeline.caching import CachingParts
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.flights import Flights
from cortexd.pipeline.routing import RoutingParts
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.caching import CacheSettings
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.retry_budget import RetrySettings

CHANCE: Final = random.Random(1)  # noqa: S311  waits are no secret
TERMS: Final = HiringTerms(chance=CHANCE)
UNBREAKABLE: Final = HiringTerms(chance=CHANCE, breaker=BreakerSettings(enabled=False))
RETRY_AFTER_S: Final = 7.0


def pipeline_parts(
    view: Published[PoolView],
    emit: Emit,
    *,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    retry: RetrySettings | None = None,
    cutoff: Cutoff | None = None,
    degradation: Published[DegradationState] | None = None,
    austerity: DegradationSettings | None = None,
    chance: random.Random = CHANCE,
) -> PipelineParts:
    """All that a pipeline needs; its flights are not open, so nothing is cached or shared."""
    aliases = aliases or {}
    retry = retry or RetrySettings()
    return PipelineParts(
        emit=emit,
        chance=chance,
        cutoff=cutoff or Cutoff(),
        degradation=degradation or Published(DegradationState()),
        austerity=austerity or DegradationSettings(),
        caching=CachingParts(
            settings=CacheSettings(),
            cache=AnswerCache(1_000_000),
            flights=Flights(),
            aliases=aliases,
            chance=chance,
        ),
        routing=RoutingParts(
            view=view,
            aliases=aliases,
            retry_after_s=RETRY_AFTER_S,
            strain_max=retry.budget_ratio,
            chance=chance,
        ),
        retry=retry,
    )
