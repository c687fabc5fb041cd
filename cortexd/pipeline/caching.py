"""Layer 7: equal requests have one answer, be it kept from before or just being given.

Why here: inside admission, since a hit costs capacity, too; outside routing and failover, since it
needs no worker, and one upstream call for many must not be tried again by each of them.
"""

import random
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from cortexd.domain.answer import Finished
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import RequestRefused, WorkerFailed
from cortexd.domain.request import TokenCountRequest
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.flight import Flight
from cortexd.pipeline.flights import Flights
from cortexd.policy.answer_cache import AnswerCache, CachedAnswer, cached_answer
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

KEY_REUSED: Final = "idempotency_key_reused"


@attrs.frozen(kw_only=True)
class CachingParts:
    """What caching keeps and goes by. All of it outlives every request.

    `ttl_factor`: for so much longer answers are good that are kept when the node is in need.
    """

    settings: CacheSettings
    cache: AnswerCache
    flights: Flights
    aliases: Mapping[str, tuple[str, ...]]
    chance: random.Random
    ttl_factor: float = 1.0


@attrs.frozen
class _Identity:
    """By what a request is known again.

    `is_named`: by its client's own word for it, so that it must not run twice. `fingerprint`: what
    it asks for; the same as `key` where it has no name.
    """

    key: bytes
    fingerprint: bytes
    is_named: bool

    def check(self, fingerprint: bytes) -> None:
        """Refuse a name that another request has had."""
        if fingerprint != self.fingerprint:
            raise RequestRefused(
                "this idempotency-key was used for another request; use a new one for each",
                "idempotency-key",
                KEY_REUSED,
                422,
            )


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
                if not await _replay(answer, exchange, now):
                    await self._ask(exchange)
                return
            if await self._share(identity, exchange):
                return
        if exchange.otherwise is not None:
            raise exchange.otherwise
        exchange.cache = CacheUse.MISS
        flight = Flight(exchange, identity.fingerprint)

        def keep(whole: Flight) -> None:
            self._keep(identity, whole)

        await self._parts.flights.begin(identity.key, flight, self._inner, keep)

    async def _ask(self, exchange: Exchange) -> None:
        """Have somebody asked, if the exchange may have more than a kept answer."""
        if exchange.otherwise is not None:
            raise exchange.otherwise
        await self._inner(exchange)

    def _identify(self, exchange: Exchange) -> _Identity | None:
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
            return _Identity(fingerprint, fingerprint, is_named=False)
        key = idempotency_digest(wishes.idempotency_key, tenant=tenant)
        return _Identity(key, fingerprint, is_named=True)

    async def _share(self, identity: _Identity, exchange: Exchange) -> bool:
        """Have the answer of an equal request in progress; false where there is none to join."""
        while (flight := self._parts.flights.find(identity.key)) is not None:
            identity.check(flight.fingerprint)
            if await flight.let_in():
                exchange.cache = CacheUse.HIT
                self._parts.cache.count_shared()
                await flight.follow(exchange)
                return True
        return False

    def _keep(self, identity: _Identity, flight: Flight) -> None:
        """Put the answer into the cache, if it is one to give again."""
        events, trail = flight.record, flight.exchange.trail
        if not events or not isinstance(events[-1], Finished):
            return
        # One that two workers have pieced together will do for who was waiting, not for everybody.
        if not identity.is_named and (trail.resumed_from or not is_storable(events)):
            return
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


async def _replay(answer: CachedAnswer, exchange: Exchange, now: float) -> bool:
    """Give the answer again; false if this door has no words for what another one took."""
    exchange.cache = CacheUse.HIT if answer.expires_at > now else CacheUse.STALE
    exchange.trail.worker, exchange.trail.model = answer.worker, answer.model
    exchange.first_sent_at = now
    try:
        for batch in answer.batches():
            await exchange.downstream.send(batch)
    except WorkerFailed:
        if not exchange.downstream.start_over():
            raise
        exchange.cache, exchange.first_sent_at = CacheUse.BYPASS, None
        exchange.trail.worker = exchange.trail.model = None
        return False
    return True
