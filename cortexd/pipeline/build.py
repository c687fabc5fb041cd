"""The pipeline: what a request goes through, outermost first. The order is the contract."""

from collections.abc import Mapping

import attrs

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolView
from cortexd.domain.events import Emit
from cortexd.pipeline.accounting import AccountingLayer
from cortexd.pipeline.deadline import Cutoff, DeadlineLayer
from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.failover import FailoverLayer
from cortexd.pipeline.routing import RoutingLayer
from cortexd.pipeline.worker_call import WorkerCall


@attrs.frozen(kw_only=True)
class PipelineParts:
    """What the layers need from outside."""

    emit: Emit
    cutoff: Cutoff
    view: Published[PoolView]
    aliases: Mapping[str, tuple[str, ...]]
    retry_after_s: float


def build_pipeline(parts: PipelineParts) -> ChatService:
    """The chat service that the doors call."""
    service: ChatService = WorkerCall()
    for layer in reversed(
        (
            lambda inner: AccountingLayer(inner, emit=parts.emit),
            lambda inner: DeadlineLayer(inner, cutoff=parts.cutoff),
            lambda inner: RoutingLayer(
                inner,
                view=parts.view,
                aliases=parts.aliases,
                retry_after_s=parts.retry_after_s,
            ),
            FailoverLayer,
        )
    ):
        service = layer(service)
    return service
