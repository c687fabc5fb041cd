"""An answer that is kept, to be given again."""

from collections.abc import Iterator
from typing import Final

import attrs

from cortexd.domain.answer import AnswerEvent, Batch
from cortexd.domain.ids import WorkerName

REPLAY_EVENTS_MAX: Final = 16
"""How many events of a kept answer are written at once."""


@attrs.frozen(kw_only=True)
class CachedAnswer:
    """A whole answer, as it is given again. `expires_at` is in monotonic seconds.

    `fingerprint`: the key of the request it answers, which is not always what it is kept by.
    """

    events: tuple[AnswerEvent, ...]
    worker: WorkerName | None
    model: str | None
    size_bytes: int
    expires_at: float
    fingerprint: bytes

    def batches(self) -> Iterator[Batch]:
        """The events as they are written, some at a time."""
        for start in range(0, len(self.events), REPLAY_EVENTS_MAX):
            yield self.events[start : start + REPLAY_EVENTS_MAX]
