"""The pipeline: what a request goes through, outermost first. The order is the contract."""

import random

import attrs

from cortexd.actors.published import Published
from cortexd.domain.events import Emit
from cortexd.pipeline.accounting import AccountingLayer
from cortexd.pipeline.admission import AdmissionLayer, AdmissionParts
from cortexd.pipeline.caching import CachingLayer, CachingParts
from cortexd.pipeline.dead_letters import DeadLetterLayer, DeadLetterParts
from cortexd.pipeline.deadline import Cutoff, DeadlineLayer
from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.failover import FailoverLayer
from cortexd.pipeline.reading import ReadingLayer
from cortexd.pipeline.routing import RoutingLayer, RoutingParts
from cortexd.pipeline.shared_limits import ClusterLimits, SharedLimitLayer
from cortexd.pipeline.token_limit import TokenLimitLayer
from cortexd.pipeline.worker_call import WorkerCall
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.retry_budget import RetrySettings


@attrs.frozen(kw_only=True)
class PipelineParts:
    """What the layers need from outside.

    `dead_letters` `None`: no failed request is kept. `limits` `None`: those of clients are this
    node's own, and not a cluster's.
    """

    emit: Emit
    chance: random.Random
    cutoff: Cutoff
    degradation: Published[DegradationState]
    austerity: DegradationSettings
    caching: CachingParts
    routing: RoutingParts
    retry: RetrySettings
    dead_letters: DeadLetterParts | None = None
    limits: ClusterLimits | None = None


def build_pipeline(parts: PipelineParts) -> ChatService:
    """The chat service that the doors call."""
    service: ChatService = WorkerCall()
    admission = AdmissionParts(
        degradation=parts.degradation,
        settings=parts.austerity,
        cache=parts.caching.cache,
        in_flight=lambda: parts.cutoff.in_flight,
        only_looks=parts.limits is not None,
    )
    dead_letters, limits = parts.dead_letters, parts.limits
    for layer in reversed(
        (
            lambda inner: AccountingLayer(inner, emit=parts.emit),
            lambda inner: inner if dead_letters is None else DeadLetterLayer(inner, dead_letters),
            lambda inner: DeadlineLayer(inner, cutoff=parts.cutoff),
            lambda inner: AdmissionLayer(inner, admission),
            lambda inner: (
                ReadingLayer(TokenLimitLayer(inner))
                if limits is None
                else SharedLimitLayer(inner, limits)
            ),
            lambda inner: CachingLayer(inner, parts.caching),
            lambda inner: RoutingLayer(inner, parts.routing),
            lambda inner: FailoverLayer(
                inner, settings=parts.retry, chance=parts.chance, emit=parts.emit
            ),
        )
    ):
        service = layer(service)
    return service
