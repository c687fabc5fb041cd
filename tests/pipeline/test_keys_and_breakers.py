"""Bad keys, limited keys, open breakers: whom a request passes by, and what its client sees."""

from typing import Any

import pytest
import trio

from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import NoWorkerAvailable, WorkerFailed
from cortexd.domain.events import BreakerChanged, KeyChanged
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.routing import FORCED_EVERY
from cortexd.policy.circuit_breaker import BreakerSettings


def changes(bench: Any, kind: type) -> list[Any]:
    """The events of this type."""
    return [event for event in bench.events if isinstance(event, kind)]


async def test_one_bad_key_among_three_costs_no_client_anything(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """It is switched off, that is told once, and nobody sees an error."""
    bench = make_bench(["hello"], keys=3)
    bench.workers[0].refused_keys = {1: FailureKind.BAD_KEY}

    for _ in range(9):
        exchange = bench.exchange()
        await bench.service(exchange)
        assert exchange.downstream.text == "hello"

    assert bench.workers[0].keys.count(1) == 1
    (change,) = changes(bench, KeyChanged)
    assert (change.key, change.state) == (1, "rejected")


async def test_without_any_good_key_the_client_is_told_whose_fault_it_is(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """503 no_healthy_key, first from the provider's mouth, then without asking it."""
    bench = make_bench(["hello"], keys=3)
    bench.workers[0].refused_keys = dict.fromkeys(range(3), FailureKind.BAD_KEY)

    with pytest.raises(WorkerFailed) as failed:
        await bench.service(bench.exchange())
    assert failed.value.kind.value.code == "no_healthy_key"

    with pytest.raises(NoWorkerAvailable) as unavailable:
        await bench.service(bench.exchange())
    assert (unavailable.value.status, unavailable.value.code) == (503, "no_healthy_key")
    assert bench.workers[0].opened == 3
    assert len(changes(bench, KeyChanged)) == 3


async def test_a_dead_worker_has_a_spare(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Out of keys or out of quota, the next worker answers."""
    bench = make_bench(["never"], ["hello"], keys=2)
    bench.workers[0].refused_keys = {0: FailureKind.BAD_KEY, 1: FailureKind.QUOTA_EXHAUSTED}

    for _ in range(2):
        exchange = bench.exchange()
        await bench.service(exchange)
        assert exchange.downstream.text == "hello"

    (_, last) = bench.ended()
    assert [str(note) for note in last.candidates] == ["b: taken", "a: skipped, no healthy key"]


async def test_a_limited_worker_is_not_called_before_its_gate_opens(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The others are asked meanwhile; alone, its clients are told when to come again."""
    bench = make_bench([FailureKind.RATE_LIMITED], ["hello"])
    for _ in range(5):
        await bench.service(bench.exchange())
    assert bench.workers[0].opened == 1

    alone = make_bench([FailureKind.RATE_LIMITED], max_attempts=1)
    with pytest.raises(WorkerFailed):
        await alone.service(alone.exchange())
    with pytest.raises(NoWorkerAvailable) as caught:
        await alone.service(alone.exchange())
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    assert caught.value.retry_after_s == pytest.approx(2.0)
    assert alone.workers[0].opened == 1


async def test_five_failures_in_a_row_open_the_breaker(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """From then on the worker is left alone, and everything goes to the next."""
    bench = make_bench([FailureKind.SERVER_ERROR], ["hello"])
    for _ in range(20):
        await bench.service(bench.exchange())
    assert bench.workers[0].opened == 5
    (change,) = changes(bench, BreakerChanged)
    assert (change.worker, change.before, change.after) == ("a", "closed", "open")
    assert str(bench.ended()[-1].candidates[-1]) == "a: skipped, breaker open"


async def test_the_breaker_is_not_a_wall(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Where all are open, one request in ten goes through, and the rest are told when to come."""
    bench = make_bench([FailureKind.SERVER_ERROR], max_attempts=1)
    for _ in range(5):
        with pytest.raises(WorkerFailed):
            await bench.service(bench.exchange())
    ends: list[Exception] = []
    for _ in range(3 * FORCED_EVERY):
        with pytest.raises((WorkerFailed, NoWorkerAvailable)) as caught:
            await bench.service(bench.exchange())
        ends.append(caught.value)
    turned_away = [end for end in ends if isinstance(end, NoWorkerAvailable)]
    assert len(turned_away) == 3 * (FORCED_EVERY - 1)
    assert bench.workers[0].opened == 5 + 3
    assert all(0 < end.retry_after_s <= 36 for end in turned_away)


async def test_a_forced_success_brings_it_back(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """As soon as one in ten has come through, trials follow, and then everybody."""
    bench = make_bench([FailureKind.SERVER_ERROR], max_attempts=1)
    for _ in range(5):
        with pytest.raises(WorkerFailed):
            await bench.service(bench.exchange())
    bench.workers[0].steps = ["hello"]
    served = 0
    for _ in range(30):
        try:
            await bench.service(bench.exchange())
        except NoWorkerAvailable:
            continue
        served += 1
    assert served == 30
    assert [change.after for change in changes(bench, BreakerChanged)] == [
        "open",
        "half_open",
        "closed",
    ]


async def test_who_leaves_says_nothing_of_the_worker(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Neither a failure nor a success, and a trial's place is free again."""
    bench = make_bench(
        [FailureKind.SERVER_ERROR], breaker=BreakerSettings(open_seconds=1.0), max_attempts=1
    )
    for _ in range(5):
        with pytest.raises(WorkerFailed):
            await bench.service(bench.exchange())
    await trio.sleep(2.0)
    bench.workers[0].steps = [9.0, "late"]
    for _ in range(3):
        with trio.move_on_after(1.0):
            await bench.service(bench.exchange())
    assert [ended.outcome for ended in bench.ended()[-3:]] == [Outcome.CLIENT_LEFT] * 3
    assert [change.after for change in changes(bench, BreakerChanged)] == ["open", "half_open"]


async def test_a_request_for_nothing_but_the_model_proves_nothing(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The worker has not been asked: no trial has succeeded, and its place is free again."""
    bench = make_bench(
        [FailureKind.SERVER_ERROR], breaker=BreakerSettings(open_seconds=1.0), max_attempts=1
    )
    for _ in range(5):
        with pytest.raises(WorkerFailed):
            await bench.service(bench.exchange())
    await trio.sleep(2.0)
    for _ in range(5):
        exchange = bench.exchange()
        exchange.request = ChatRequest(model="m", messages=())
        await bench.service(exchange)
    assert [change.after for change in changes(bench, BreakerChanged)] == ["open", "half_open"]
    assert bench.view.value.members[0].worker.breaker.admits(trio.current_time())
