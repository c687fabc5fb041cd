"""Layer 2: a request that failed for good is kept on disk before its error is answered.

Why here: outside the deadline, so that a request that ran out of time is kept as well, and has a
moment left for it; inside accounting, whose outcome is the same whether or not it could be kept.
Each client's request is kept for itself, also where one upstream call was for many: each may be
tried again by itself.
"""

import random
from collections.abc import Callable
from typing import Final

import attrs
import trio

from cortexd.domain.dead_letter import DeadLetter, FailedAttempt, dead_letter_id
from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NoWorkerAvailable,
    StorageFailed,
)
from cortexd.domain.events import DeadLetterKept, Emit
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.exchange import ChatService, Exchange, Original
from cortexd.policy.dead_letter import (
    BODY_BYTES_MAX,
    failed_for_good,
    kind_of,
    message_of,
    shortened,
)
from cortexd.ports import DeadLetterStore

KEEP_S_MAX: Final = 1.0
"""A client that waits for its error waits no longer for this; it is then answered without an id."""

_CHANCE_BITS: Final = 25

_OUTCOMES: Final[dict[type[CortexError], Outcome]] = {
    NoWorkerAvailable: Outcome.UNAVAILABLE,
    DeadlineExceeded: Outcome.DEADLINE_EXCEEDED,
}


@attrs.frozen(kw_only=True)
class DeadLetterParts:
    """Where letters go. `wall_clock` gives seconds since the epoch."""

    store: DeadLetterStore
    store_body: bool
    wall_clock: Callable[[], float]
    chance: random.Random
    emit: Emit


class DeadLetterLayer:
    """Keeps what the client has asked for, and what went wrong."""

    def __init__(self, inner: ChatService, parts: DeadLetterParts) -> None:
        self._inner = inner
        self._parts = parts

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange. Errors: those of the inner layers, whatever becomes of the letter.

        Cancellation: the letter that is just being kept may be kept or not.
        """
        try:
            await self._inner(exchange)
        except CortexError as error:
            original = exchange.original
            if original is not None and not original.is_retry and failed_for_good(error):
                await self._keep(exchange, original, error)
            raise

    async def _keep(self, exchange: Exchange, original: Original, error: CortexError) -> None:
        letter = self._letter(exchange, original, error)
        with trio.move_on_after(KEEP_S_MAX):
            try:
                await self._parts.store.keep(letter)
            except StorageFailed:
                # The store says itself what is wrong with it, once and not for each letter.
                return
            exchange.dead_letter = letter.id
            self._parts.emit(
                DeadLetterKept(
                    dead_letter=letter.id,
                    request_id=exchange.request_id,
                    door=exchange.door,
                    error=letter.error,
                )
            )

    def _letter(self, exchange: Exchange, original: Original, error: CortexError) -> DeadLetter:
        now_s = self._parts.wall_clock()
        size = len(original.body)
        body = original.body if self._parts.store_body and size <= BODY_BYTES_MAX else None
        return DeadLetter(
            id=dead_letter_id(now_s, self._parts.chance.getrandbits(_CHANCE_BITS)),
            kept_at=now_s,
            request_id=exchange.request_id,
            door=exchange.door,
            path=original.path,
            model=exchange.request.model,
            outcome=_OUTCOMES.get(type(error), Outcome.FAILED),
            error=kind_of(error),
            message=message_of(error),
            attempts=tuple(
                FailedAttempt(attempt.worker, shortened(str(attempt.failure.detail)))
                for attempt in exchange.trail.attempts
                if attempt.failure is not None
            ),
            key_id=exchange.key_id,
            body_bytes=size,
            has_body=body is not None,
            body=body,
        )
