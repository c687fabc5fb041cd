"""Layer 1: every exchange has exactly one outcome.

Why here: outermost, so that no other layer can end an exchange unseen.
"""

import math

import trio

from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RequestRefused,
)
from cortexd.domain.events import Emit, ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.exchange import ChatService, Exchange

_OUTCOMES: dict[type[CortexError], Outcome] = {
    RequestRefused: Outcome.REFUSED,
    NoWorkerAvailable: Outcome.UNAVAILABLE,
    DeadlineExceeded: Outcome.DEADLINE_EXCEEDED,
    NodeStopping: Outcome.NODE_STOPPED,
}


class AccountingLayer:
    """Names the outcome and tells the sinks."""

    def __init__(self, inner: ChatService, *, emit: Emit) -> None:
        self._inner = inner
        self._emit = emit

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange, then account for it, however it ended."""
        started_at = trio.current_time()
        outcome: Outcome | None = None
        try:
            await self._inner(exchange)
            outcome = Outcome.SERVED
        except CortexError as error:
            outcome = _OUTCOMES.get(type(error), Outcome.FAILED)
            raise
        finally:
            if outcome is None:
                outcome = Outcome.CLIENT_LEFT if _is_cancelled() else Outcome.FAILED
            exchange.outcome = outcome
            self._emit(_ended(exchange, outcome, started_at, trio.current_time()))


def _is_cancelled() -> bool:
    """Whether nobody listens any more: from outside the pipeline that is what a cancellation means.

    What is raised does not tell: a nursery on the way, such as that of a connect, wraps it.
    """
    return trio.current_effective_deadline() == -math.inf


def _ended(exchange: Exchange, outcome: Outcome, started_at: float, now: float) -> ExchangeEnded:
    first = exchange.first_sent_at
    failures = (attempt.failure for attempt in exchange.attempts)
    return ExchangeEnded(
        request_id=exchange.request_id,
        door=exchange.door,
        model=exchange.model or exchange.request.model,
        outcome=outcome,
        duration_s=now - started_at,
        first_token_s=None if first is None else first - started_at,
        worker=exchange.worker if first is not None else None,
        tried=tuple(attempt.worker for attempt in exchange.attempts),
        failures=tuple(f"{failure} ({failure.detail})" for failure in failures if failure),
        usage=exchange.usage,
    )
