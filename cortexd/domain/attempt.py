"""What became of the candidates for an exchange: who was asked, and who was not."""

import attrs

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import KeyIndex, WorkerName
from cortexd.domain.usage import Usage


@attrs.define(eq=False)
class Attempt:
    """One worker that was asked, with one of its keys.

    `began_at`: when it was its turn, on the monotonic clock, after `queued_s` seconds of waiting
    for a free slot. `first_token_s`: how long it then took
    to begin, in seconds; `None` if it did not. `is_answered`: it has come to the end of an answer.
    `failure` says why it gave no whole answer, if it did not. `usage` is what it has spent, whole
    answer or not; `usage_is_estimate`: it did not tell, so we have counted ourselves.
    """

    worker: WorkerName
    model: str
    key: KeyIndex
    began_at: float
    queued_s: float = 0.0
    first_token_s: float | None = None
    is_answered: bool = False
    failure: WorkerFailed | None = None
    usage: Usage | None = None
    usage_is_estimate: bool = False


@attrs.frozen
class Skipped:
    """A worker that serves the model and was not asked; `reason` in a few words."""

    worker: WorkerName
    reason: str


@attrs.frozen
class CandidateNote:
    """A worker that serves the model, and what came of it, in a few words."""

    worker: WorkerName
    verdict: str

    def __str__(self) -> str:
        return f"{self.worker}: {self.verdict}"
