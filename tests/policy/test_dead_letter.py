"""Which failed requests are kept, and under what words."""

import pytest

from cortexd.domain.dead_letter import dead_letter_id
from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RequestRefused,
    RequestShed,
    WorkerFailed,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.policy.dead_letter import failed_for_good, kind_of, message_of

A = WorkerName("a")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (WorkerFailed(A, FailureKind.SERVER_ERROR, "x"), "server_error"),
        (WorkerFailed(A, FailureKind.RATE_LIMITED, "x"), "rate_limited"),
        (NoWorkerAvailable("none", 1.0), "no_worker_available"),
        (NoWorkerAvailable("none", 1.0, 503, "no_healthy_key"), "no_healthy_key"),
        (DeadlineExceeded("late"), "deadline_exceeded"),
    ],
)
def test_what_failed_for_good_is_kept(error: CortexError, kind: str) -> None:
    """The worker's failure, that there is none, and that time ran out."""
    assert failed_for_good(error)
    assert kind_of(error) == kind


@pytest.mark.parametrize(
    "error",
    [
        RequestRefused("wrong"),
        RequestShed("later", 1.0),
        NodeStopping("elsewhere"),
        WorkerFailed(A, FailureKind.REFUSED, "too long", status=400),
        WorkerFailed(A, FailureKind.BUSY, "its queue is full"),
    ],
)
def test_what_was_refused_or_turned_away_is_not(error: CortexError) -> None:
    """It would fail again, or the client is told to come again."""
    assert not failed_for_good(error)


def test_every_kind_of_failure_is_decided() -> None:
    """Only the two that are said for a worker are not its failure."""
    kept = {kind for kind in FailureKind if failed_for_good(WorkerFailed(A, kind, ""))}
    assert set(FailureKind) - kept == {FailureKind.REFUSED, FailureKind.BUSY}


def test_a_worker_s_own_words_are_cut_short() -> None:
    """An upstream may quote a whole prompt."""
    message = message_of(WorkerFailed(A, FailureKind.SERVER_ERROR, "word " * 1000))
    assert message.startswith("worker 'a' failed: server error (word word")
    assert len(message) == 500


def test_ids_sort_by_time() -> None:
    """Also within a second, and for as long as anybody needs."""
    moments = [0.0, 1_800_000_000.0, 1_800_000_000.002, 1_900_000_000.0, 30_000_000_000.0]
    ids = [dead_letter_id(moment, 2**25 - 1 - place) for place, moment in enumerate(moments)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {len(each) for each in ids} == {17}
