"""The cache between the other layers: failover within a flight, accounts, slots, the drain."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import CortexError, NodeStopping, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.pipeline.build import build_pipeline
from tests.parts import pipeline_parts

OpenBench = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def open_bench(make_bench: Any) -> OpenBench:
    """Makes a bench of which the flights are open."""

    @asynccontextmanager
    async def opened(*scripts: Any, **about: Any) -> AsyncIterator[Any]:
        bench = make_bench(*scripts, **about)
        parts = pipeline_parts(bench.view, bench.events.append, cutoff=bench.cutoff)
        bench.service = build_pipeline(parts)
        async with parts.caching.flights.open():
            yield bench

    return opened


async def _ask_all(bench: Any, exchanges: list[Any]) -> list[CortexError]:
    """At once; the errors of those who failed."""
    errors: list[CortexError] = []

    async def ask(exchange: Any) -> None:
        try:
            await bench.service(exchange)
        except CortexError as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(ask, exchange)
    return errors


@pytest.mark.slow
async def test_a_thousand_equal_requests_are_one_for_the_worker(open_bench: OpenBench) -> None:
    """S3: though it has eight slots and a queue of eight; what it spent is booked once."""
    async with open_bench([1.0, "one ", "two"]) as bench:
        exchanges = [bench.exchange() for _ in range(1000)]
        assert await _ask_all(bench, exchanges) == []
        assert bench.workers[0].opened == 1
        assert all(exchange.downstream.text == "one two" for exchange in exchanges)
        assert all(exchange.downstream.finished for exchange in exchanges)
        ended = bench.ended()
        assert [one.outcome for one in ended] == [Outcome.SERVED] * 1000
        assert [one.usage for one in ended if one.usage is not None] == [Usage(3, 2)]
        assert all((one.worker, one.attempts) == ("a", 1) for one in ended)

        late = bench.exchange()
        assert await _ask_all(bench, [late]) == []
        assert (late.cache, late.downstream.text) == (CacheUse.HIT, "one two")
        assert bench.workers[0].opened == 1
        assert bench.idle()


async def test_failover_is_for_all_of_them(open_bench: OpenBench) -> None:
    """The next worker is asked once, and all know of both."""
    async with open_bench([1.0, FailureKind.TIMED_OUT], ["two"]) as bench:
        exchanges = [bench.exchange() for _ in range(5)]
        assert await _ask_all(bench, exchanges) == []
        assert [worker.opened for worker in bench.workers] == [1, 1]
        assert all(exchange.downstream.text == "two" for exchange in exchanges)
        assert all(len(exchange.trail.attempts) == 2 for exchange in exchanges)
        assert bench.idle()


async def test_an_answer_is_carried_on_for_all_of_them(open_bench: OpenBench) -> None:
    """Nobody notices; but it is not kept for others."""
    async with open_bench(
        [1.0, "hel", "lo ", 1.0, FailureKind.UNREACHABLE], ["hello ", "world"]
    ) as (bench):
        for index, member in enumerate(bench.view.value.members):
            info = attrs.evolve(member.worker.info, resumes=True)
            bench.replace(index, attrs.evolve(member.worker, info=info))
        exchanges = [bench.exchange() for _ in range(5)]
        assert await _ask_all(bench, exchanges) == []
        assert all(exchange.downstream.text == "hello world" for exchange in exchanges)
        assert all(exchange.downstream.finished for exchange in exchanges)
        assert [worker.opened for worker in bench.workers] == [1, 1]
        assert await _ask_all(bench, [bench.exchange()]) == []
        assert [worker.opened for worker in bench.workers] == [2, 2]


async def test_a_failure_for_good_is_that_of_all(open_bench: OpenBench) -> None:
    """With one attempt in all."""
    async with open_bench([1.0, "one", FailureKind.TIMED_OUT]) as bench:
        errors = await _ask_all(bench, [bench.exchange() for _ in range(5)])
        assert [type(error) for error in errors] == [WorkerFailed] * 5
        assert bench.workers[0].opened == 1
        assert [one.outcome for one in bench.ended()] == [Outcome.FAILED] * 5
        assert bench.idle()


async def test_the_first_client_may_leave(open_bench: OpenBench) -> None:
    """What the worker has spent is booked to one of those who stay."""
    async with open_bench(["one", 2.0, "two"], slots=1) as bench:
        leader, others = bench.exchange(), [bench.exchange() for _ in range(3)]
        async with trio.open_nursery() as staying, trio.open_nursery() as leaving:
            leaving.start_soon(bench.service, leader)
            await trio.testing.wait_all_tasks_blocked()
            staying.start_soon(_ask_all, bench, others)
            await trio.sleep(1.0)
            leaving.cancel_scope.cancel()
        assert bench.workers[0].opened == 1
        assert all(exchange.downstream.text == "onetwo" for exchange in others)
        assert [one.outcome for one in bench.ended()] == [Outcome.CLIENT_LEFT] + [
            Outcome.SERVED
        ] * 3
        assert [one.usage for one in bench.ended() if one.usage is not None] == [Usage(3, 2)]
        assert bench.idle()


async def test_when_all_clients_leave_the_slot_is_free(open_bench: OpenBench) -> None:
    """At once, and nobody is blamed."""
    async with open_bench(["one", 5.0, "two"], slots=1) as bench:
        with trio.move_on_after(1.0) as scope:
            await _ask_all(bench, [bench.exchange() for _ in range(3)])
        assert scope.cancelled_caught
        assert trio.current_time() == 1.0
        assert bench.idle()
        assert [one.outcome for one in bench.ended()] == [Outcome.CLIENT_LEFT] * 3


async def test_the_end_of_a_drain_ends_all_of_them(open_bench: OpenBench) -> None:
    """Each is told, and the worker's slot is free."""
    async with open_bench(["one", 5.0, "two"]) as bench, trio.open_nursery() as nursery:
        errors: list[CortexError] = []

        async def ask() -> None:
            errors.extend(await _ask_all(bench, [bench.exchange() for _ in range(3)]))

        nursery.start_soon(ask)
        await trio.sleep(1.0)
        bench.cutoff.cut()
        await trio.testing.wait_all_tasks_blocked()
        assert [type(error) for error in errors] == [NodeStopping] * 3
        assert bench.idle()
