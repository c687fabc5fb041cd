"""Layer 10, innermost: one attempt at one worker.

Why here: what it does (a slot, a stream, its timers) belongs to a single attempt and must be given
back before the next one begins.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from cortexd.domain.answer import Batch, Embedded, Finished, FinishReason, InputCounted
from cortexd.domain.attempt import Attempt
from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.request import ModelRequest, TokenCountRequest
from cortexd.pipeline.exchange import Choice, Exchange
from cortexd.pipeline.patience import Patience
from cortexd.policy.token_estimate import estimate_input_tokens

T = TypeVar("T")


class WorkerCall:
    """Leases a slot, opens the stream, and passes it on batch by batch."""

    async def __call__(self, exchange: Exchange) -> None:
        """Carry the answer of `exchange.choice` to the client. Raises `WorkerFailed`."""
        choice = exchange.choice
        if choice is None:
            raise AssertionError("failover sets the choice before it calls")
        request = exchange.upstream_request or exchange.request
        if isinstance(request, ChatRequest) and not request.messages:
            # Whether the model is there is all it asks, and routing has found that it is.
            await exchange.downstream.send((Finished(FinishReason.STOP),))
            return
        deadline = trio.current_effective_deadline()
        async with choice.worker.slots.lease(exchange.tenant, deadline=deadline):
            # The wait in our own queue says nothing about the worker.
            attempt, now = exchange.trail.attempts[-1], trio.current_time()
            attempt.queued_s, attempt.began_at = now - attempt.began_at, now
            await self._attempt(exchange, choice, request)

    async def _attempt(self, exchange: Exchange, choice: Choice, request: ModelRequest) -> None:
        provider, model, key = choice.worker.provider, choice.model, exchange.key
        match request:
            case ChatRequest():
                await self._chat(exchange, choice, request)
            case EmbeddingRequest():
                embedded, usage = await _in_time(
                    exchange, choice, partial(provider.embed, request, model=model, key=key)
                )
                _check_vectors(choice, request, embedded)
                await _pass_on(exchange, (embedded, Finished(FinishReason.STOP, usage)))
            case TokenCountRequest(chat):
                told = await _in_time(
                    exchange, choice, partial(provider.count_tokens, chat, model=model, key=key)
                )
                counted = InputCounted(
                    estimate_input_tokens(chat) if told is None else told, is_estimate=told is None
                )
                await _pass_on(exchange, (counted, Finished(FinishReason.STOP)))

    async def _chat(self, exchange: Exchange, choice: Choice, request: ChatRequest) -> None:
        patience = Patience(choice.worker.settings, exchange.haste)
        with patience.scope:
            async with choice.worker.provider.open_chat(
                request, model=choice.model, key=exchange.key
            ) as stream:
                async for events in stream:
                    patience.pause(events)
                    await _pass_on(exchange, events)
                    patience.resume()
        if patience.scope.cancelled_caught:
            raise _timed_out(choice, patience.waiting_for)


def _pass_on(exchange: Exchange, events: Batch) -> Awaitable[None]:
    # Not a coroutine of its own: it would be one more for each piece of a stream.
    attempt = exchange.trail.attempts[-1]
    if attempt.first_token_s is None:
        _note_first_token(exchange, attempt)
    return exchange.downstream.send(events)


def _note_first_token(exchange: Exchange, attempt: Attempt) -> None:
    now = trio.current_time()
    attempt.first_token_s = now - attempt.began_at
    if exchange.first_sent_at is None:
        exchange.first_sent_at = now
    if exchange.choice is not None:
        exchange.choice.worker.traffic.pace.started(now, attempt.first_token_s)


async def _in_time(exchange: Exchange, choice: Choice, ask: Callable[[], Awaitable[T]]) -> T:
    """What the worker answers, in one piece, within its limit for a first token."""
    limit_s = exchange.haste * choice.worker.settings.first_token_seconds
    with trio.move_on_after(limit_s):
        return await ask()
    raise _timed_out(choice, f"answer (limit {limit_s:g} s)")


def _check_vectors(choice: Choice, request: EmbeddingRequest, embedded: Embedded) -> None:
    """Refuse what could only be paired with the wrong texts."""
    count, wanted = len(embedded.vectors), len(request.texts)
    if count != wanted:
        detail = f"must give as many vectors as texts: {count} for {wanted}"
    elif len({len(vector) for vector in embedded.vectors}) > 1:
        detail = "must give vectors of one length"
    else:
        return
    raise WorkerFailed(choice.worker.name, FailureKind.SERVER_ERROR, detail)


def _timed_out(choice: Choice, waiting_for: str) -> WorkerFailed:
    return WorkerFailed(
        choice.worker.name, FailureKind.TIMED_OUT, f"timed out waiting for the {waiting_for}"
    )
