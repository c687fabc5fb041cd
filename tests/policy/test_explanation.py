"""Why a request went where it went, in words."""

import attrs

from cortexd.domain.attempt import Attempt, Skipped
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import FIRST_KEY, WorkerName
from cortexd.policy.explanation import explain

A, B, C, D = (WorkerName(name) for name in "abcd")
ANSWER = Attempt(A, "m", FIRST_KEY, 0.0)


def failed(worker: WorkerName, kind: FailureKind) -> Attempt:
    """An attempt that came to nothing."""
    failure = WorkerFailed(worker, kind, "as told")
    return attrs.evolve(ANSWER, worker=worker, failure=failure)


def test_each_worker_that_serves_the_model_is_accounted_for() -> None:
    """Who was asked, in that order, with what came of it; who was not needed; who was not asked."""
    notes = explain(
        [A, B, C],
        [failed(A, FailureKind.UNREACHABLE), attrs.evolve(ANSWER, worker=B)],
        [Skipped(D, "breaker open")],
    )
    assert [str(note) for note in notes] == [
        "a: unreachable",
        "b: taken",
        "c: not needed",
        "d: skipped, breaker open",
    ]


def test_a_worker_that_was_asked_twice_is_named_twice() -> None:
    """With what came of it each time."""
    notes = explain([A], [failed(A, FailureKind.OVERLOADED), ANSWER], [])
    assert [str(note) for note in notes] == ["a: overloaded", "a: taken"]


def test_a_worker_that_turned_out_to_be_busy_is_named_once() -> None:
    """As one that was passed over."""
    notes = explain([A, B], [attrs.evolve(ANSWER, worker=B)], [Skipped(A, "busy")])
    assert [str(note) for note in notes] == ["b: taken", "a: skipped, busy"]


def test_each_kind_of_failure_has_words_of_its_own() -> None:
    """So that an operator can tell them apart."""
    words = {str(explain([], [failed(A, kind)], [])[0]) for kind in FailureKind}
    assert len(words) == len(FailureKind)
