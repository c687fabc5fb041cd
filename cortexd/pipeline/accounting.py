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
    RateLimited,
    RequestRefused,
    RequestShed,
)
from cortexd.domain.events import Emit, ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage, sum_of
from cortexd.pipeline.exchange import ChatService, Exchange

_OUTCOMES: dict[type[CortexError], Outcome] = {
    RequestRefused: Outcome.REFUSED,
    # It is the client that has gone too far, and not the node that is short of anything.
    RateLimited: Outcome.REFUSED,
    RequestShed: Outcome.SHED,
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
                outcome = _outcome_of_a_break(exchange)
            exchange.outcome = outcome
            self._emit(_ended(exchange, outcome, started_at, trio.current_time()))


def _outcome_of_a_break(exchange: Exchange) -> Outcome:
    if not _is_cancelled():
        return Outcome.FAILED
    # Many clients hang up on the terminator, a moment before the worker's connection is put away.
    return Outcome.SERVED if exchange.downstream.is_sent else Outcome.CLIENT_LEFT


def _is_cancelled() -> bool:
    """Whether nobody listens any more: from outside the pipeline that is what a cancellation means.

    What is raised does not tell: a nursery on the way, such as that of a connect, wraps it.
    """
    return trio.current_effective_deadline() == -math.inf


def _ended(exchange: Exchange, outcome: Outcome, started_at: float, now: float) -> ExchangeEnded:
    first, trail = exchange.first_sent_at, exchange.trail
    usages, is_estimate = spent(exchange)
    failures = (attempt.failure for attempt in trail.attempts)
    return ExchangeEnded(
        request_id=exchange.request_id,
        door=exchange.door,
        model=exchange.model or exchange.request.model,
        outcome=outcome,
        duration_s=now - started_at,
        first_token_s=None if first is None else first - started_at,
        worker=exchange.worker if first is not None else None,
        candidates=trail.explain(),
        attempts=len(trail.attempts),
        failures=tuple(failure.report for failure in failures if failure),
        resumed=len(trail.resumed_from),
        cache=exchange.cache,
        usage=sum_of(usages),
        usage_is_estimate=is_estimate,
        overhead_s=_overhead_s(exchange, started_at),
        key_id=exchange.key_id,
        dead_letter=exchange.dead_letter,
    )


def _overhead_s(exchange: Exchange, started_at: float) -> float | None:
    """From here to when the first worker was asked, but for the wait for its slot."""
    attempts = exchange.trail.attempts
    if exchange.cache.is_anothers or not attempts:
        return None
    # Whoever has taken over a call that another request began has come later than the call.
    return max(0.0, attempts[0].began_at - attempts[0].queued_s - started_at)


def spent(exchange: Exchange) -> tuple[list[Usage], bool]:
    """What the workers have spent on this exchange alone."""
    if exchange.cache.is_anothers:
        # Whoever was asked was asked for another.
        return [], False
    spent = [attempt for attempt in exchange.trail.attempts if attempt.usage is not None]
    usages = [attempt.usage for attempt in spent if attempt.usage is not None]
    return usages, any(attempt.usage_is_estimate for attempt in spent)
