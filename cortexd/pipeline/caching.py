"""Layer 7: equal requests have one answer, be it kept from before or just being given.

Why here: inside admission, since a hit costs capacity, too; outside routing and failover, since it
needs no worker, and one upstream call for many must not be tried again by each of them.
"""

import random
from collections.abc import Mapping

import attrs
import trio

from cortexd.cluster_ports import SharedAnswers
from cortexd.domain.answer import Finished
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import RequestShed, SharedStoreFailed
from cortexd.domain.request import TokenCountRequest
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.flight import Flight
from cortexd.pipeline.flights import Flights
from cortexd.pipeline.kept_answers import Identity, replay
from cortexd.pipeline.shared_flight import SharedFlight
from cortexd.policy.answer_cache import AnswerCache, SecondLevel, cached_answer
from cortexd.policy.caching import (
    CacheSettings,
    cache_key,
    expiry,
    idempotency_digest,
    is_cacheable,
    is_storable,
    models_meant,
)
from cortexd.policy.degradation import Strategy


@attrs.frozen(kw_only=True)
class CachingParts:
    """What caching keeps and goes by. All of it outlives every request.

    `ttl_factor`: for so much longer answers are good that are kept when the node is in need.
    `shared`: what all nodes of a cluster keep; `None` where there is none.
    """

    settings: CacheSettings
    cache: AnswerCache
    flights: Flights
    aliases: Mapping[str, tuple[str, ...]]
    chance: random.Random
    ttl_factor: float = 1.0
    shared: SharedAnswers | None = None


class CachingLayer:
    """Looks for the answer before it lets anybody be asked."""

    def __init__(self, inner: ChatService, parts: CachingParts) -> None:
        self._inner = inner
        self._parts = parts

    async def __call__(self, exchange: Exchange) -> None:
        """Answer from the cache, with others, or as the first who asks.

        Errors: `RequestRefused` (422) for an idempotency key that stands for another request,
        `RequestShed` for one who may have a kept answer only, and what the inner layers raise.
        """
        identity = self._identify(exchange) if self._parts.flights.are_open else None
        if identity is None:
            await self._ask(exchange)
            return
        if identity.is_named or exchange.wishes.may_read:
            now, stale_too = trio.current_time(), Strategy.CACHE_RESPONSES in exchange.strategies
            answer = self._parts.cache.get(identity.key, now, stale_too=stale_too)
            if answer is not None:
                identity.check(answer.fingerprint)
                if not await replay(answer, exchange, now):
                    await self._ask(exchange)
                return
            if await self._share(identity, exchange):
                return
        if exchange.otherwise is not None:
            await self._have_others(identity, exchange, exchange.otherwise)
            return
        exchange.cache = CacheUse.MISS
        flight = Flight(exchange, identity.fingerprint)

        def keep(whole: Flight) -> CachedAnswer | None:
            return self._keep(identity, whole)

        if self._parts.shared is None:
            await self._parts.flights.begin(identity.key, flight, self._inner, keep)
            return
        shared = SharedFlight(
            flight=flight,
            identity=identity,
            inner=self._inner,
            keep_here=keep,
            answers=self._parts.shared,
            cache=self._parts.cache,
            chance=self._parts.chance,
        )
        await self._parts.flights.begin(identity.key, flight, shared, shared.keep, shared.finish)

    async def _ask(self, exchange: Exchange) -> None:
        """Have somebody asked, if the exchange may have more than a kept answer."""
        if exchange.otherwise is not None:
            raise exchange.otherwise
        await self._inner(exchange)

    def _identify(self, exchange: Exchange) -> Identity | None:
        """By what to look for the answer; `None` where it is not to be kept."""
        request, wishes, tenant = exchange.request, exchange.wishes, exchange.tenant
        if not (self._parts.settings.enabled and wishes.may_store):
            return None
        if isinstance(request, TokenCountRequest):
            return None
        if isinstance(request, ChatRequest) and not request.messages:
            return None
        if wishes.idempotency_key is None and not is_cacheable(request):
            return None
        models = models_meant(request.model, self._parts.aliases)
        fingerprint = cache_key(request, tenant=tenant, models=models)
        if wishes.idempotency_key is None:
            return Identity(fingerprint, fingerprint, is_named=False)
        key = idempotency_digest(wishes.idempotency_key, tenant=tenant)
        return Identity(key, fingerprint, is_named=True)

    async def _share(self, identity: Identity, exchange: Exchange) -> bool:
        """Have the answer of an equal request in progress; false where there is none to join."""
        while (flight := self._parts.flights.find(identity.key)) is not None:
            identity.check(flight.fingerprint)
            if await flight.let_in():
                exchange.cache = CacheUse.HIT
                self._parts.cache.count_shared()
                await flight.follow(exchange)
                return True
        return False

    async def _have_others(
        self, identity: Identity, exchange: Exchange, otherwise: RequestShed
    ) -> None:
        """Give an answer that another node has kept. Raises `otherwise` if there is none."""
        if self._parts.shared is None:
            raise otherwise
        try:
            answer = await self._parts.shared.find(identity.key)
        except SharedStoreFailed:
            self._parts.cache.count(SecondLevel.FAILED)
            raise otherwise from None
        if answer is None or not identity.has(answer, exchange.request):
            self._parts.cache.count(SecondLevel.MISS)
            raise otherwise
        self._parts.cache.count(SecondLevel.HIT)
        if not await replay(answer, exchange, trio.current_time()):
            raise otherwise

    def _keep(self, identity: Identity, flight: Flight) -> CachedAnswer | None:
        """Put the answer into the cache, if it is one to give again; returns it then."""
        events, trail = flight.record, flight.exchange.trail
        if not events or not isinstance(events[-1], Finished):
            return None
        # One that two workers have pieced together will do for who was waiting, not for everybody.
        if not identity.is_named and (trail.resumed_from or not is_storable(events)):
            return None
        now, parts = trio.current_time(), self._parts
        in_need = Strategy.CACHE_RESPONSES in flight.exchange.strategies
        factor = parts.ttl_factor if in_need else 1.0
        answer = cached_answer(
            events,
            worker=trail.worker,
            model=trail.model,
            expires_at=expiry(now, parts.settings, chance=parts.chance, factor=factor),
            fingerprint=identity.fingerprint,
        )
        parts.cache.put(identity.key, answer, now)
        return answer
