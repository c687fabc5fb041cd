"""How long one attempt may wait for its worker: for the first token, between tokens, and in all.

Only the worker's time counts, not the client's: while a batch is written, the timer stands still.
"""

from typing import Final

import trio

from cortexd.domain.answer import Batch, weight
from cortexd.domain.worker import WorkerSettings

SHORT: Final = 1024
"""The weight of an event that is written in one piece, or two, in whatever dialect."""

CLIENT_S_MAX: Final = 60.0
"""How long a client surely does not take for a short event: the host gives up on one that makes no
room for a piece sooner. Many or long events may take it any time."""

COARSE_S: Final = 3.0
"""By how much a limit of more than CLIENT_S_MAX may be overrun.

Moving Trio's timers twice for each piece costs as much as decoding it; with this much room they are
moved every few seconds.
"""


class Patience:
    """The timer of one attempt; its `scope` is cancelled when time is up.

    `haste`: by what the limits for the first token and for the whole are multiplied.
    """

    def __init__(self, settings: WorkerSettings, haste: float = 1.0) -> None:
        # Read twice for each piece, and without Trio's detours at half the cost.
        self._clock = trio.lowlevel.current_clock()
        now = self._clock.current_time()
        total_s = haste * settings.total_seconds
        first_token_s = haste * settings.first_token_seconds
        self._ends_at = now + total_s
        self._idle_s = settings.idle_seconds
        self._coarse_s = COARSE_S if settings.idle_seconds >= CLIENT_S_MAX else 0.0
        self._total_s = total_s
        self._first_token_s = first_token_s
        self._has_begun = False
        # The scope's, read twice for each piece.
        self._deadline = min(self._ends_at, now + first_token_s)
        self.scope = trio.CancelScope(deadline=self._deadline)

    def pause(self, events: Batch) -> None:
        """The worker has delivered; now `events` are written to the client."""
        is_short = len(events) == 1 and weight(events[0]) <= SHORT
        if not is_short or self._deadline < self._clock.current_time() + CLIENT_S_MAX:
            self._deadline = self.scope.deadline = self._ends_at

    def resume(self) -> None:
        """It is the worker's turn again."""
        self._has_begun = True
        due = self._clock.current_time() + self._idle_s
        if not due <= self._deadline <= due + self._coarse_s:
            self._deadline = self.scope.deadline = min(self._ends_at, due + self._coarse_s)

    @property
    def waiting_for(self) -> str:
        """What did not come in time."""
        if self._clock.current_time() >= self._ends_at:
            return f"end of the answer (limit {self._total_s:g} s)"
        if self._has_begun:
            return f"next token (limit {self._idle_s:g} s)"
        return f"first token (limit {self._first_token_s:g} s)"
