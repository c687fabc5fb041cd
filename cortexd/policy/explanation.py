"""Why a request went where it went."""

from collections.abc import Mapping, Sequence

from cortexd.domain.attempt import Attempt, CandidateNote, Skipped
from cortexd.domain.ids import WorkerName

TAKEN = "taken"
NOT_NEEDED = "not needed"


def explain(
    chosen: Sequence[WorkerName], attempts: Sequence[Attempt], skipped: Sequence[Skipped]
) -> tuple[CandidateNote, ...]:
    """A note on each worker that serves the model: asked ones first, in the order of asking.

    `chosen`: those that routing would have asked, best first. A worker that failed and was asked
    again has a note for each time.
    """
    notes = [CandidateNote(attempt.worker, _verdict(attempt)) for attempt in attempts]
    passed_over: Mapping[WorkerName, str] = {one.worker: one.reason for one in skipped}
    asked = {attempt.worker for attempt in attempts}
    notes += [
        CandidateNote(worker, NOT_NEEDED)
        for worker in chosen
        if worker not in asked and worker not in passed_over
    ]
    notes += [CandidateNote(one.worker, f"skipped, {one.reason}") for one in skipped]
    return tuple(notes)


def _verdict(attempt: Attempt) -> str:
    if attempt.failure is None:
        return TAKEN
    return attempt.failure.kind.value.words
