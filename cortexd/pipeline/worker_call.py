"""Layer 5, innermost: one attempt at one worker.

Why here: what it does (a slot, a stream, its timers) belongs to a single attempt and must be given
back before the next one begins.
"""

import trio

from cortexd.domain.chat import Batch, Finished
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.pipeline.exchange import Choice, Exchange


class WorkerCall:
    """Leases a slot, opens the stream, and passes it on batch by batch."""

    async def __call__(self, exchange: Exchange) -> None:
        """Carry the answer of `exchange.choice` to the client. Raises `WorkerFailed`."""
        choice = exchange.choice
        if choice is None:
            raise AssertionError("failover sets the choice before it calls")
        async with choice.worker.slots.lease():
            await self._attempt(exchange, choice)

    async def _attempt(self, exchange: Exchange, choice: Choice) -> None:
        settings = choice.worker.settings
        ends_at = trio.current_time() + settings.total_seconds
        with trio.CancelScope() as patience:
            waiting_for = f"first token (limit {settings.first_token_seconds:g} s)"
            patience.deadline = min(ends_at, trio.current_time() + settings.first_token_seconds)
            async with choice.worker.provider.open_chat(
                exchange.request, model=choice.model
            ) as stream:
                async for events in stream:
                    # While the client is being written to, the worker's patience is not tried.
                    patience.deadline = ends_at
                    await self._pass_on(exchange, events)
                    waiting_for = f"next token (limit {settings.idle_seconds:g} s)"
                    patience.deadline = min(ends_at, trio.current_time() + settings.idle_seconds)
        if patience.cancelled_caught:
            if trio.current_time() >= ends_at:
                waiting_for = f"end of the answer (limit {settings.total_seconds:g} s)"
            raise WorkerFailed(
                choice.worker.name,
                FailureKind.TIMED_OUT,
                f"timed out waiting for the {waiting_for}",
            )

    @staticmethod
    async def _pass_on(exchange: Exchange, events: Batch) -> None:
        if exchange.first_sent_at is None:
            exchange.first_sent_at = trio.current_time()
        last = events[-1]
        if isinstance(last, Finished):
            exchange.usage = last.usage
        await exchange.downstream.send(events)
