"""Layer 4: when the node has fallen low, some requests are turned away, so that others are served.

So are the requests of a client beyond what it may ask in a minute; the tokens it may spend are
counted further in (`token_limit.py`).
Why here: before anything costs, so that turning away stays cheap however many come; inside
accounting, because being turned away is an outcome.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import RequestShed
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.rate_limited import too_many_requests
from cortexd.policy.admission import is_admitted, retry_after_s
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.degradation import DegradationLevel, Strategy
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.rate_limit import Bucket

CROWDED_S: Final = 2.0
"""When to come again, where too many are being served at once."""

KEPT_REQUEST_BYTES_MAX: Final = 64 * 1024
"""No longer request has an answer in the cache, so it is not worth reading in order to find out."""


@attrs.frozen(kw_only=True)
class AdmissionParts:
    """What admission goes by. `in_flight`: how many exchanges there are, with the one that asks.

    `only_looks`: whether a client has a request left; it is counted further in, for all nodes.
    """

    degradation: Published[DegradationState]
    settings: DegradationSettings
    cache: AnswerCache
    in_flight: Callable[[], int]
    only_looks: bool = False


class AdmissionLayer:
    """Reads the state that has been published, and has the other layers go by the same."""

    def __init__(self, inner: ChatService, parts: AdmissionParts) -> None:
        self._inner = inner
        self._parts = parts

    async def __call__(self, exchange: Exchange) -> None:
        """Let the exchange in. Raises `RequestShed`, `RateLimited`."""
        state = self._parts.degradation.value
        if state.level is not DegradationLevel.HEALTHY:
            self._admit(exchange, state)
        # What the node cannot take now has cost the client none of its requests.
        if exchange.allowance is not None and exchange.allowance.requests is not None:
            self._count(exchange.allowance.requests)
        await self._inner(exchange)

    def _admit(self, exchange: Exchange, state: DegradationState) -> None:
        exchange.level, exchange.strategies = state.level, state.strategies
        if Strategy.REDUCE_TIMEOUTS in state.strategies:
            exchange.haste = self._parts.settings.timeouts_factor
        objection = self._objection(exchange, state)
        if objection is None:
            return
        # Whether there is an answer for it shows only once it has been read: in an emergency, that
        # is worth a moment; unless it is surely in vain.
        if (
            Strategy.RETURN_CACHED_ONLY in state.strategies
            and exchange.body_bytes <= KEPT_REQUEST_BYTES_MAX
            and len(self._parts.cache)
        ):
            exchange.otherwise = objection
            return
        raise objection

    def _objection(self, exchange: Exchange, state: DegradationState) -> RequestShed | None:
        """Why the exchange is not let in, if so."""
        now, criticality = trio.current_time(), exchange.criticality
        if state.sheds and not is_admitted(state.level, exchange.tenant, criticality, now=now):
            return RequestShed(
                "the node is short of what it needs and takes only some of the requests; "
                "try again after the time in retry-after",
                retry_after_s=retry_after_s(now),
            )
        if (
            Strategy.LIMIT_CONCURRENT_REQUESTS in state.strategies
            and criticality is not Criticality.PREMIUM
            and self._parts.in_flight() > self._parts.settings.concurrent_requests_max
        ):
            return RequestShed(
                "the node is in trouble and serves only so many requests at once; "
                "try again after the time in retry-after",
                retry_after_s=CROWDED_S,
            )
        return None

    def _count(self, requests: Bucket) -> None:
        now = trio.current_time()
        wait_s = requests.wait_s(1, now) if self._parts.only_looks else requests.take(1, now)
        if wait_s:
            raise too_many_requests(requests.per_minute, wait_s)
