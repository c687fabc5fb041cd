"""Slots, deadlines, the end of a drain, and clients that leave, in every phase."""

from typing import Any

import pytest
import trio

from cortexd.domain.errors import DeadlineExceeded, NodeStopping, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome


async def test_only_so_many_requests_are_in_flight_and_the_rest_queue(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """One slot: three requests of a second each take three seconds."""
    bench = make_bench([1.0, "x"], slots=1)
    exchanges = [bench.exchange() for _ in range(3)]

    async with trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(bench.service, exchange)

    assert trio.current_time() == pytest.approx(3.0)
    assert all(exchange.downstream.finished for exchange in exchanges)
    assert bench.idle()


async def test_a_full_queue_turns_away_at_once(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """One in flight, one queued, the third is told to come back."""
    bench = make_bench([1.0, "x"], slots=1, queue_max=1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service, bench.exchange())
        nursery.start_soon(bench.service, bench.exchange())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(WorkerFailed) as caught:
            await bench.service(bench.exchange())
        assert trio.current_time() == 0.0

    assert caught.value.kind is FailureKind.BUSY
    assert caught.value.retry_after_s is not None


async def test_a_worker_without_a_free_slot_is_passed_over(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Nobody waits for the first worker while the second one is idle."""
    bench = make_bench([1.0, "one"], ["two"], slots=1)
    second = bench.exchange()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service, bench.exchange())
        await trio.testing.wait_all_tasks_blocked()
        await bench.service(second)

    assert second.downstream.text == "two"


@pytest.mark.parametrize(
    "steps", [[60.0, "never"], ["one", 4.0, "two", 4.0, "three"]], ids=["before", "after"]
)
async def test_the_clients_deadline_ends_an_exchange(
    make_bench: Any, autojump_clock: trio.testing.MockClock, steps: list[Any]
) -> None:
    """Before and after the first token alike."""
    bench = make_bench(steps)
    exchange = bench.exchange(timeout_s=3.0)

    with pytest.raises(DeadlineExceeded):
        await bench.service(exchange)

    assert trio.current_time() == pytest.approx(3.0)
    assert exchange.outcome is Outcome.DEADLINE_EXCEEDED
    assert bench.idle()


async def test_waiting_in_the_queue_counts_against_the_deadline(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """A place in the queue is given up when time is over."""
    bench = make_bench([9.0, "x"], slots=1)
    waiting = bench.exchange(timeout_s=2.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service, bench.exchange())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(DeadlineExceeded):
            await bench.service(waiting)
        assert bench.view.value.members[0].worker.slots.queued == 0

    assert bench.workers[0].opened == 1


async def test_the_cutoff_ends_what_is_in_flight_and_refuses_what_comes(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """When a drain has run out of time every exchange ends, each with its outcome."""
    bench = make_bench(["one", 4.0, "two"])
    exchange = bench.exchange()
    told: list[str] = []

    async def client() -> None:
        try:
            await bench.service(exchange)
        except NodeStopping as error:
            told.append(error.message)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        await trio.sleep(1.0)
        assert bench.cutoff.in_flight == 1
        bench.cutoff.cut()

    assert len(told) == 1
    assert exchange.outcome is Outcome.NODE_STOPPED
    assert not exchange.downstream.finished
    with pytest.raises(NodeStopping):
        await bench.service(bench.exchange())
    assert bench.idle()


@pytest.mark.parametrize("leaves_after_s", [0.5, 1.5, 2.5], ids=["queued", "waiting", "streaming"])
async def test_a_client_that_leaves_frees_everything_and_is_accounted(
    make_bench: Any, autojump_clock: trio.testing.MockClock, leaves_after_s: float
) -> None:
    """In each phase: the stream is closed, the slot is free, the outcome is one of its own."""
    bench = make_bench([1.0, "one", 1.0, "two", 1.0], slots=1)
    first, second = bench.exchange(), bench.exchange()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service, first)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(leaves_after_s + 2.0):
            await bench.service(second)

    assert second.outcome is Outcome.CLIENT_LEFT
    assert [ended.outcome for ended in bench.ended()].count(Outcome.CLIENT_LEFT) == 1
    assert bench.idle()


async def test_a_bug_in_a_worker_is_accounted_as_a_failure(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Even what nobody foresaw has an outcome, and goes on to the door."""
    bench = make_bench([None])

    with pytest.raises(TypeError):
        await bench.service(bench.exchange())

    assert [ended.outcome for ended in bench.ended()] == [Outcome.FAILED]
    assert bench.idle()


async def test_usage_and_times_are_accounted(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The account says who answered, how long it took, and what it cost."""
    bench = make_bench([2.0, "one", 1.0])

    await bench.service(bench.exchange())

    (ended,) = bench.ended()
    assert (ended.worker, ended.first_token_s, ended.duration_s) == ("a", 2.0, 3.0)
    assert ended.usage is not None
    assert (ended.usage.input_tokens, ended.usage.output_tokens) == (3, 2)


async def test_a_client_that_leaves_inside_a_nursery_is_no_failure(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Such as that of a connect, which wraps the cancellation into a group."""
    bench = make_bench(["x"])
    exchange = bench.exchange()

    class Nested:
        """A client whose way down leads through a nursery."""

        is_sent = False

        async def send(self, events: object) -> None:
            """Wait for ever, twice."""
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await trio.sleep_forever()

    exchange.downstream = Nested()
    with trio.move_on_after(1):
        await bench.service(exchange)

    assert exchange.outcome is Outcome.CLIENT_LEFT
    assert [ended.outcome for ended in bench.ended()] == [Outcome.CLIENT_LEFT]
    assert bench.idle()
