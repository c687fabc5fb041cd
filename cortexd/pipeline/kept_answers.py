"""By what a request finds the answer that is kept for it, and how it is given that answer."""

from typing import Final

import attrs

from cortexd.domain.answer import Embedded
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RequestRefused, WorkerFailed
from cortexd.domain.request import ModelRequest
from cortexd.pipeline.exchange import Exchange

KEY_REUSED: Final = "idempotency_key_reused"


@attrs.frozen
class Identity:
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

    def has(self, answer: CachedAnswer, request: ModelRequest) -> bool:
        """Whether an answer that others have kept is one to this request. Raises as `check`."""
        if self.is_named:
            self.check(answer.fingerprint)
        are_vectors = any(isinstance(event, Embedded) for event in answer.events)
        return answer.fingerprint == self.fingerprint and are_vectors is isinstance(
            request, EmbeddingRequest
        )


async def replay(answer: CachedAnswer, exchange: Exchange, now: float) -> bool:
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
