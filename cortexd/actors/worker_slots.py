"""The right to use a worker: so many requests at once, so many waiting, and no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName

RETRY_AFTER_FULL_S = 1.0


class WorkerSlots:
    """The slots of one worker. Lives as long as the worker is registered, longer than any actor."""

    def __init__(self, worker: WorkerName, *, slots: int, queue_max: int) -> None:
        self._worker = worker
        self._limiter = trio.CapacityLimiter(slots)
        self._queue_max = queue_max

    @property
    def in_flight(self) -> int:
        """Requests that hold a slot."""
        return int(self._limiter.borrowed_tokens)

    @property
    def queued(self) -> int:
        """Requests that wait for one."""
        return self._limiter.statistics().tasks_waiting

    @property
    def full(self) -> bool:
        """A request would have to wait."""
        return self._limiter.available_tokens < 1

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[None]:
        """Hold a slot for the length of the block; first come, first served.

        Errors: `WorkerFailed` (overloaded) at once when the queue is full as well.
        Cancellation: while waiting, the place in the queue is given up.
        """
        if self.full and self.queued >= self._queue_max:
            raise WorkerFailed(
                self._worker, FailureKind.OVERLOADED, "its queue is full", RETRY_AFTER_FULL_S
            )
        holder = object()
        await self._limiter.acquire_on_behalf_of(holder)
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(holder)
