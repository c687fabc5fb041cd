"""The dead letter queue's keeper: drops what is too old, and publishes the figures.

Letters are kept, read and retried without it.
"""

from collections.abc import Callable
from typing import Final

import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.domain.dead_letter import DeadLetterStats
from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import DeadLettersDropped, Emit
from cortexd.ports import DeadLetterStore
from supervisor_tree import Actor, Name

TICK_S: Final = 1.0
"""The figures are at most so old."""

SWEEP_S: Final = 60.0


class DeadLetterQueue(Actor):
    """Never waits for the disk itself; its helper task does."""

    max_handler_time = HANDLER_S_MAX

    def __init__(
        self,
        store: DeadLetterStore,
        stats: Published[DeadLetterStats],
        emit: Emit,
        wall_clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._stats = stats
        self._emit = emit
        self._wall_clock = wall_clock
        self._is_looking = False
        self._changes_seen: int | None = None
        self._dropped_seen: int | None = None
        self._sweep_at = trio.current_time()

    async def on_start(self) -> None:
        """Begin with a sweep at once."""
        self.every(TICK_S, DeadLetterQueue.tick)
        self.continue_with(DeadLetterQueue.tick)

    async def tick(self) -> None:
        """Look, if there is something new or a sweep is due, and nobody is looking."""
        is_due = trio.current_time() >= self._sweep_at
        if not self._is_looking and (is_due or self._store.changes != self._changes_seen):
            self._is_looking = True
            self.nursery.start_soon(self._look, is_due)

    async def _look(self, is_due: bool) -> None:  # noqa: FBT001  start_soon takes no keywords
        try:
            if is_due:
                self._sweep_at = trio.current_time() + SWEEP_S
                await self._store.expire(self._wall_clock())
            self._changes_seen = self._store.changes
            self._publish(await self._store.statistics())
        except StorageFailed:
            # The store itself says so, where operators look.
            self._changes_seen = None
        finally:
            self._is_looking = False

    def _publish(self, stats: DeadLetterStats) -> None:
        before, self._dropped_seen = self._dropped_seen, stats.dropped
        self._stats.publish(stats)
        if before is not None and stats.dropped > before:
            self._emit(DeadLettersDropped(count=stats.dropped - before))


DEAD_LETTER_QUEUE = Name[DeadLetterQueue]("dead-letter-queue")
