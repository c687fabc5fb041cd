"""Failing over, unseen, for as long as the client has seen nothing."""

from typing import Any

import pytest
import trio

from cortexd.domain.errors import NoWorkerAvailable, RequestRefused, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.domain.worker import WorkerStatus

FAILING_OVER = [
    kind for kind in FailureKind if kind.value.next_worker and kind is not FailureKind.BUSY
]


@pytest.mark.parametrize("kind", FAILING_OVER, ids=lambda kind: kind.name)
async def test_a_failure_before_the_first_token_is_never_seen(
    make_bench: Any, autojump_clock: trio.testing.MockClock, kind: FailureKind
) -> None:
    """The client gets the second worker's answer and nothing else."""
    bench = make_bench([kind], ["hel", "lo"])
    exchange = bench.exchange()

    await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("hello", True)
    assert [attempt.worker for attempt in exchange.trail.attempts] == ["a", "b"]
    assert (exchange.worker, exchange.outcome) == ("b", Outcome.SERVED)
    assert bench.idle()


async def test_a_failure_after_the_first_token_is_told(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """No second worker starts over, and the answer is not called complete."""
    bench = make_bench(["hel", FailureKind.SERVER_ERROR], ["other"])
    exchange = bench.exchange()

    with pytest.raises(WorkerFailed):
        await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("hel", False)
    assert (bench.workers[1].opened, exchange.outcome) == (0, Outcome.FAILED)
    assert bench.idle()


async def test_an_answer_that_is_sent_whole_fails_over_to_its_very_end(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Its client has seen nothing, so the second worker may begin from the beginning."""
    bench = make_bench(["hel", 1.0, FailureKind.SERVER_ERROR], [2.0, "other"])
    exchange = bench.exchange(collects=True)

    await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("other", True)
    assert (exchange.worker, exchange.outcome) == ("b", Outcome.SERVED)
    assert bench.ended()[0].first_token_s == 3.0
    assert bench.idle()


async def test_a_refusal_is_not_tried_elsewhere(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What one worker finds wrong with the request is wrong with it everywhere."""
    bench = make_bench([FailureKind.REFUSED], ["never"])

    with pytest.raises(WorkerFailed) as caught:
        await bench.service(bench.exchange())

    assert caught.value.kind is FailureKind.REFUSED
    assert bench.workers[1].opened == 0


async def test_when_all_fail_the_last_failure_is_told(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Each worker was asked once, and the account names them all."""
    bench = make_bench([FailureKind.UNREACHABLE], [FailureKind.OVERLOADED], max_attempts=2)

    with pytest.raises(WorkerFailed) as caught:
        await bench.service(bench.exchange())

    assert (caught.value.worker, caught.value.kind) == ("b", FailureKind.OVERLOADED)
    (ended,) = bench.ended()
    assert [str(note) for note in ended.candidates] == ["a: unreachable", "b: overloaded"]
    assert (ended.outcome, len(ended.failures)) == (Outcome.FAILED, ended.attempts)


async def test_a_silent_worker_is_given_up_after_its_time_for_the_first_token(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Ten seconds of silence, then the next worker answers."""
    bench = make_bench([60.0, "late"], ["hello"])
    exchange = bench.exchange()
    started = trio.current_time()

    await bench.service(exchange)

    assert (exchange.downstream.text, trio.current_time() - started) == ("hello", 10.0)
    assert exchange.trail.attempts[0].failure.kind is FailureKind.TIMED_OUT
    assert bench.idle()


async def test_a_worker_that_falls_silent_is_cut_at_the_idle_limit(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """After the first token silence is a failure that the client is told of."""
    bench = make_bench(["hel", 60.0, "lo"])
    exchange = bench.exchange()
    started = trio.current_time()

    with pytest.raises(WorkerFailed) as caught:
        await bench.service(exchange)

    assert (caught.value.kind, trio.current_time() - started) == (FailureKind.TIMED_OUT, 5.0)
    assert not exchange.downstream.finished


async def test_a_slow_reader_does_not_try_the_workers_patience(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """A client that takes a minute for each batch is no failure of the worker."""
    bench = make_bench(["a", "b"])
    exchange = bench.exchange(pause_s=60.0)

    await bench.service(exchange)

    assert exchange.downstream.finished


async def test_an_answer_without_end_is_cut_at_the_total_limit(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Tokens that never end are a failure, too."""
    bench = make_bench(["x", 4.0] * 10, total_s=20.0)

    with pytest.raises(WorkerFailed, match="timed out"):
        await bench.service(bench.exchange())

    assert trio.current_time() == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("statuses", "tried"),
    [
        ([WorkerStatus.UNAVAILABLE, WorkerStatus.AVAILABLE], ["b"]),
        ([WorkerStatus.UNKNOWN, WorkerStatus.AVAILABLE], ["b"]),
        ([WorkerStatus.UNKNOWN, WorkerStatus.UNAVAILABLE], ["a"]),
    ],
)
async def test_health_decides_who_is_asked_first(
    make_bench: Any,
    autojump_clock: trio.testing.MockClock,
    statuses: list[WorkerStatus],
    tried: list[str],
) -> None:
    """Unavailable workers are passed over, unchecked ones come after those known to be well."""
    bench = make_bench(["one"], ["two"], statuses=statuses)
    exchange = bench.exchange()

    await bench.service(exchange)

    assert [attempt.worker for attempt in exchange.trail.attempts] == tried


async def test_nobody_available_is_said_with_a_time_to_come_back(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Known model, no worker: try again, and when."""
    bench = make_bench(["one"], statuses=[WorkerStatus.UNAVAILABLE])

    with pytest.raises(NoWorkerAvailable) as caught:
        await bench.service(bench.exchange(model="m"))

    assert caught.value.retry_after_s == 7.0
    assert bench.ended()[0].outcome is Outcome.UNAVAILABLE


@pytest.mark.parametrize("model", ["nope", "a/nope", "x\x1b[31m" + "y" * 5000])
async def test_an_unknown_model_is_refused_with_the_known_ones(
    make_bench: Any, autojump_clock: trio.testing.MockClock, model: str
) -> None:
    """404 for the client, and its own input comes back cut and escaped."""
    bench = make_bench(["one"], aliases={"quick": ("m",)})

    with pytest.raises(RequestRefused) as caught:
        await bench.service(bench.exchange(model=model))

    assert (caught.value.status, caught.value.code) == (404, "model_not_found")
    assert "m, quick" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


async def test_an_alias_prefers_its_first_target(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The alias's order goes before the pool's."""
    bench = make_bench(["one"], ["two"], aliases={"best": ("b", "a/m")})
    exchange = bench.exchange(model="best")

    await bench.service(exchange)

    assert [choice.worker.name for choice in exchange.trail.choices] == ["b", "a"]
    assert exchange.downstream.text == "two"
