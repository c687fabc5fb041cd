"""Layer 3: when the node has fallen low, some requests are turned away, so that others are served.

Why here: before anything costs, so that turning away stays cheap however many come; inside
accounting, because being turned away is an outcome.
"""

import trio

from cortexd.actors.published import Published
from cortexd.domain.errors import RequestShed
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.policy.admission import is_admitted, retry_after_s
from cortexd.policy.degradation import DegradationLevel


class AdmissionLayer:
    """Reads the level that has been published."""

    def __init__(self, inner: ChatService, *, level: Published[DegradationLevel]) -> None:
        self._inner = inner
        self._level = level

    async def __call__(self, exchange: Exchange) -> None:
        """Let the exchange in. Raises `RequestShed`."""
        level = self._level.value
        if level is not DegradationLevel.HEALTHY:
            now = trio.current_time()
            if not is_admitted(level, exchange.tenant, exchange.criticality, now=now):
                raise RequestShed(
                    "the node is short of workers and takes only some of the requests; "
                    "try again after the time in retry-after",
                    retry_after_s=retry_after_s(now),
                )
        await self._inner(exchange)
