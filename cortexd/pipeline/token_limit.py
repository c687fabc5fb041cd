"""Layer 6: a client may spend so many tokens a minute.

Why here: behind reading, because only then can it be estimated what a request will take; before the
cache, whose answers cost nothing in the end, but nobody knows that before the look-up. Requests are
counted further out, by admission, which need not know what they say.
"""

from collections.abc import Coroutine
from typing import Any

import trio

from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.request import ModelRequest
from cortexd.pipeline.accounting import spent
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.rate_limited import too_many_tokens
from cortexd.policy.rate_limit import Bucket
from cortexd.policy.token_estimate import BYTES_PER_TOKEN, estimate_input_tokens


class TokenLimitLayer:
    """Reserves what a request will take by an estimate, and settles the account at its end."""

    def __init__(self, inner: ChatService) -> None:
        self._inner = inner

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer the exchange. Raises `RateLimited`."""
        allowance = exchange.allowance
        if allowance is None or allowance.tokens is None:
            # Not a coroutine of its own, which each piece of an answer would have to pass through.
            return self._inner(exchange)
        return self._limited(exchange, allowance.tokens)

    async def _limited(self, exchange: Exchange, bucket: Bucket) -> None:
        reserved = estimate(exchange.request)
        wait_s = bucket.take(reserved, trio.current_time())
        if wait_s:
            raise too_many_tokens(bucket.per_minute, wait_s)
        try:
            await self._inner(exchange)
        finally:
            bucket.settle(tokens_spent(exchange) - reserved, trio.current_time())


def tokens_spent(exchange: Exchange) -> int:
    """What its workers say it has taken."""
    usages, _ = spent(exchange)
    return sum(usage.input_tokens + usage.output_tokens for usage in usages)


def estimate(request: ModelRequest) -> int:
    """What the worker will read; what it will write is settled afterwards."""
    match request:
        case ChatRequest():
            return estimate_input_tokens(request)
        case EmbeddingRequest(texts=texts):
            return sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN
    return 0
