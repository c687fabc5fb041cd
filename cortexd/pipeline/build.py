"""The pipeline: what a request goes through, outermost first. The order is the contract."""

import random

import attrs

from cortexd.actors.published import Published
from cortexd.domain.events import Emit
from cortexd.pipeline.accounting import AccountingLayer
from cortexd.pipeline.admission import AdmissionLayer
from cortexd.pipeline.caching import CachingLayer, CachingParts
from cortexd.pipeline.deadline import Cutoff, DeadlineLayer
from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.failover import FailoverLayer
from cortexd.pipeline.reading import ReadingLayer
from cortexd.pipeline.routing import RoutingLayer, RoutingParts
from cortexd.pipeline.worker_call import WorkerCall
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.retry_budget import RetrySettings


@attrs.frozen(kw_only=True)
class PipelineParts:
    """What the layers need from outside."""

    emit: Emit
    chance: random.Random
    cutoff: Cutoff
    level: Published[DegradationLevel]
    caching: CachingParts
    routing: RoutingParts
    retry: RetrySettings


def build_pipeline(parts: PipelineParts) -> ChatService:
    """The chat service that the doors call."""
    service: ChatService = WorkerCall()
    for layer in reversed(
        (
            lambda inner: AccountingLayer(inner, emit=parts.emit),
            lambda inner: DeadlineLayer(inner, cutoff=parts.cutoff),
            lambda inner: AdmissionLayer(inner, level=parts.level),
            ReadingLayer,
            lambda inner: CachingLayer(inner, parts.caching),
            lambda inner: RoutingLayer(inner, parts.routing),
            lambda inner: FailoverLayer(
                inner, settings=parts.retry, chance=parts.chance, emit=parts.emit
            ),
        )
    ):
        service = layer(service)
    return service
