"""Layer 4: the next worker is asked when one fails, for as long as the client has seen nothing.

That is until the first token of a stream, and until the last one of an answer that is sent whole.

Why here: the only place where a request is tried again, so that attempts never multiply.
"""

import attrs

from cortexd.domain.errors import WorkerFailed
from cortexd.pipeline.exchange import Attempt, ChatService, Exchange


class FailoverLayer:
    """Walks the choices in order."""

    def __init__(self, inner: ChatService) -> None:
        self._inner = inner

    async def __call__(self, exchange: Exchange) -> None:
        """Let one choice after the other try. Raises the last `WorkerFailed` when none could."""
        last: WorkerFailed | None = None
        for choice in exchange.choices:
            exchange.choice = choice
            exchange.attempts.append(Attempt(choice.worker.name, choice.model))
            try:
                await self._inner(exchange)
            except WorkerFailed as failure:
                exchange.attempts[-1] = attrs.evolve(exchange.attempts[-1], failure=failure)
                if not failure.kind.value.fails_over or not exchange.downstream.start_over():
                    raise
                exchange.first_sent_at, last = None, failure
            else:
                return
        if last is None:
            raise AssertionError("routing lets no exchange through without a choice")
        raise last
