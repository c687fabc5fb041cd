"""Each attempt is told of once, and the gateway's own time is what it took before the first."""

from collections import Counter
from typing import Any

import pytest
import trio

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.events import AttemptEnded
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.pipeline.build import build_pipeline
from tests.parts import pipeline_parts


def _told(bench: Any) -> list[tuple[str, FailureKind | None, bool]]:
    return [
        (event.worker, event.failure, event.is_answered)
        for event in bench.events
        if isinstance(event, AttemptEnded)
    ]


async def test_an_answer(make_bench: Any) -> None:
    """With the times from when the worker was asked, and what it has spent."""
    bench = make_bench([2.0, "x", 1.0])
    await bench.service(bench.exchange())
    (event,) = [event for event in bench.events if isinstance(event, AttemptEnded)]
    assert (event.worker, event.failure, event.is_answered) == ("a", None, True)
    assert event.queued_s == pytest.approx(0.0)
    assert event.first_token_s == pytest.approx(2.0)
    assert event.duration_s == pytest.approx(3.0)
    assert event.usage == Usage(3, 2)


async def test_every_attempt_and_no_other(make_bench: Any) -> None:
    """Those that failed, with the reason; the one that answered; not those who were not asked."""
    bench = make_bench([FailureKind.BAD_KEY], [FailureKind.TIMED_OUT], ["x"], ["never"])
    await bench.service(bench.exchange())
    assert _told(bench) == [
        ("a", FailureKind.BAD_KEY, False),
        ("b", FailureKind.TIMED_OUT, False),
        ("c", None, True),
    ]
    (ended,) = bench.ended()
    assert ended.attempts == 3


async def test_a_client_that_leaves(make_bench: Any) -> None:
    """It is the end of the attempt, and nobody's fault."""
    bench = make_bench([5.0, "x"])
    with trio.move_on_after(1.0):
        await bench.service(bench.exchange())
    assert _told(bench) == [("a", None, False)]
    assert [event.outcome for event in bench.ended()] == [Outcome.CLIENT_LEFT]


async def test_the_wait_for_a_slot(make_bench: Any) -> None:
    """It is told apart, and is no time of the gateway's own."""
    bench = make_bench([3.0, "x"], slots=1)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bench.service, bench.exchange())
    waits = [event.queued_s for event in bench.events if isinstance(event, AttemptEnded)]
    assert waits == [pytest.approx(0.0), pytest.approx(3.0)]
    assert [event.overhead_s for event in bench.ended()] == [pytest.approx(0.0)] * 2


async def test_a_full_queue(make_bench: Any) -> None:
    """Whoever finds it full has asked nobody, and yet is told of."""
    bench = make_bench([1.0, "x"], slots=1, queue_max=0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.service, bench.exchange())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(WorkerFailed):
            await bench.service(bench.exchange())
        assert _told(bench) == [("a", FailureKind.BUSY, False)]
        assert [(event.attempts, event.overhead_s) for event in bench.ended()] == [(0, None)]


async def test_overhead_ends_with_the_first_attempt(make_bench: Any) -> None:
    """How long workers take to fail is not the gateway's own time."""
    bench = make_bench([4.0, FailureKind.TIMED_OUT], ["x"])
    exchange = bench.exchange()

    async def read(_: object) -> None:
        await trio.sleep(0.5)

    exchange.read = read
    await bench.service(exchange)
    (ended,) = bench.ended()
    assert ended.overhead_s == pytest.approx(0.5)


async def test_those_who_share_an_answer_share_an_attempt(make_bench: Any) -> None:
    """One call for all: one attempt, and one account; also where who began it has left."""
    bench = make_bench([2.0, "x"])
    parts = pipeline_parts(bench.view, bench.events.append, cutoff=bench.cutoff)
    bench.service = build_pipeline(parts)

    async def leave() -> None:
        with trio.move_on_after(1.0):
            await bench.service(bench.exchange())

    async with parts.caching.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(bench.service, bench.exchange())
    assert _told(bench) == [("a", None, True)]
    ended = Counter(
        (event.outcome, event.cache, event.overhead_s is None) for event in bench.ended()
    )
    assert ended == {
        (Outcome.CLIENT_LEFT, CacheUse.MISS, False): 1,
        (Outcome.SERVED, CacheUse.MISS, False): 1,
        (Outcome.SERVED, CacheUse.HIT, True): 2,
    }
