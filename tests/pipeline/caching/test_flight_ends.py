"""How flights end: by failures, bugs, deadlines, and clients that leave, at every stage."""

from functools import partial
from typing import Any

import pytest
import trio

from cortexd.domain.answer import Finished, FinishReason
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import NodeStopping, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.pipeline.flight import END_S_MAX, JOIN_S_MAX

END = Finished(FinishReason.STOP)
FAILURE = WorkerFailed(WorkerName("w"), FailureKind.SERVER_ERROR, "broken")
STAGES = [0.5, 1.5, 2.5]
"""Before the first event, and between events."""


def _steps() -> list[Any]:
    return [1.0, "a", 1.0, "b", 1.0, "c", END]


@pytest.mark.parametrize("how", ["leaves_after_s", "timeout_s"])
@pytest.mark.parametrize("leaves_at", STAGES)
async def test_when_the_leader_leaves_the_others_go_on(
    make_stand: Any, leaves_at: float, how: str
) -> None:
    """One call in all, nobody fails, and the answer is to somebody's account."""
    stand = make_stand(*_steps())
    leader, others = stand.exchange(), [stand.exchange() for _ in range(3)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(partial(stand.ask, leader, **{how: leaves_at}))
        for exchange in others:
            nursery.start_soon(stand.ask, exchange)

    assert stand.calls == 1
    assert leader.downstream.ended_at == leaves_at
    for exchange in others:
        assert exchange.downstream.error is None
        assert exchange.downstream.text == "abc"
        assert exchange.downstream.is_whole
    assert [exchange.cache for exchange in others].count(CacheUse.MISS) == 1
    assert stand.is_idle()
    assert stand.parts.cache.statistics().entries == 1


@pytest.mark.parametrize("leaves_at", STAGES)
async def test_one_after_the_other_may_leave(make_stand: Any, leaves_at: float) -> None:
    """The last one who stays has the answer."""
    stand = make_stand(*_steps())
    exchanges = [stand.exchange() for _ in range(5)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for number, exchange in enumerate(exchanges[:-1]):
            nursery.start_soon(stand.ask, exchange, leaves_at + number / 10)
        nursery.start_soon(stand.ask, exchanges[-1])
    assert stand.calls == 1
    assert exchanges[-1].downstream.text == "abc"
    assert exchanges[-1].downstream.is_whole
    assert exchanges[-1].cache is CacheUse.MISS


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("leaves_at", STAGES)
async def test_when_all_have_left_the_call_ends(
    make_stand: Any, leaves_at: float, count: int
) -> None:
    """Before the last one is gone, so that its slot is free by then."""
    stand = make_stand(*_steps())
    exchanges = [stand.exchange() for _ in range(count)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange, leaves_at)
        await trio.sleep(leaves_at - 0.1)
        assert stand.inner.running == 1
        await trio.sleep(0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert stand.inner.running == 0
        assert all(exchange.downstream.ended_at == leaves_at for exchange in exchanges)
        assert stand.is_idle()
        # Who comes now is not shown to a flight that is over.
        assert (await stand.ask(stand.exchange())).is_whole
    assert stand.calls == 2


async def test_who_leaves_does_not_wait_for_ever_for_a_call_to_end(make_stand: Any) -> None:
    """A worker's client that is slow to clean up is left to itself; nobody joins it any more."""
    tidied = trio.Event()

    async def inner(exchange: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(30.0)
                await exchange.downstream.send((END,))
            tidied.set()

    stand = make_stand("a", END)
    layer_inner, stand.layer._inner = stand.inner, inner
    exchange = stand.exchange()
    async with stand.parts.flights.open():
        await stand.ask(exchange, 1.0)
        assert trio.current_time() == 1.0 + END_S_MAX
        stand.layer._inner = layer_inner
        assert (await stand.ask(stand.exchange())).is_whole
        await tidied.wait()
    assert exchange.downstream.batches == []


async def test_a_client_that_is_being_written_to_may_leave(make_stand: Any) -> None:
    """Nothing is written to it any more once its request has ended."""
    stand = make_stand("a", END)
    exchange = stand.exchange()
    exchange.downstream.pause_s = 10.0
    async with stand.parts.flights.open():
        await stand.ask(exchange, 5.0)
        assert exchange.downstream.writing == 0
        assert exchange.downstream.ended_at == 5.0
        assert stand.is_idle()


async def test_a_caller_begins_anew_when_a_stuck_leader_leaves(make_stand: Any) -> None:
    """It had not joined yet, so the flight has ended with its leader."""
    stand = make_stand("a", END)
    leader, caller = stand.exchange(), stand.exchange()
    leader.downstream.pause_s = 10.0
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader, 5.0)
        await trio.sleep(5.0 - JOIN_S_MAX / 2)
        nursery.start_soon(stand.ask, caller)
    assert caller.downstream.is_whole
    assert caller.downstream.ended_at == 5.0
    assert stand.calls == 2


async def test_a_flight_lives_as_long_as_the_most_patient(make_stand: Any) -> None:
    """What is inside sees the latest deadline of all who still wait."""
    stand = make_stand(100.0)
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(partial(stand.ask, stand.exchange(), timeout_s=10.0))
        await trio.testing.wait_all_tasks_blocked()
        flight = next(iter(stand.parts.flights._flights.values()))
        assert flight._scope.deadline == 10.0

        async with trio.open_nursery() as leaving:
            leaving.start_soon(partial(stand.ask, stand.exchange(), timeout_s=30.0))
            nursery.start_soon(partial(stand.ask, stand.exchange(), timeout_s=20.0))
            await trio.testing.wait_all_tasks_blocked()
            assert flight._scope.deadline == 30.0
            leaving.cancel_scope.cancel()
        assert flight._scope.deadline == 20.0

        await trio.sleep(15.0)
        assert stand.inner.running == 1
    assert trio.current_time() == 20.0
    assert stand.calls == 1


async def test_at_a_deadline_that_all_share_each_has_run_out_of_time(make_stand: Any) -> None:
    """However the tasks take turns: to nobody does it look as if the node were stopping."""

    def go_beyond_the_deadline(exchange: Any) -> None:
        # All are awake, with nothing to read, when it passes.
        exchange.downstream.start_over()
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(10.0)

    stand = make_stand(1.0, go_beyond_the_deadline, 100.0)
    exchanges = [stand.exchange() for _ in range(20)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(partial(stand.ask, exchange, timeout_s=5.0))
    for exchange in exchanges:
        assert isinstance(exchange.downstream.error, TimeoutError)
    assert stand.calls == 1


@pytest.mark.parametrize("leaver_s", [0.5, 1.5, 3600.0])
async def test_a_failure_reaches_all_who_wait(make_stand: Any, leaver_s: float) -> None:
    """Each has it as its own, behind what was said before; and nobody tries again."""
    stand = make_stand(1.0, "a", 1.0, FAILURE)
    leader, others = stand.exchange(), [stand.exchange() for _ in range(3)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader, leaver_s)
        for exchange in others:
            nursery.start_soon(stand.ask, exchange)
    errors = [exchange.downstream.error for exchange in others]
    assert all(isinstance(error, WorkerFailed) for error in errors)
    assert [str(error) for error in errors] == [str(FAILURE)] * 3
    assert len({id(error) for error in errors}) == 3
    assert all(exchange.downstream.text == "a" for exchange in others)
    assert stand.calls == 1
    assert stand.is_idle()


async def test_a_bug_reaches_all_who_wait_and_nobody_else(make_stand: Any) -> None:
    """As what it is: their doors answer 500, and other flights go on."""
    bug = ZeroDivisionError("a bug")
    stand = make_stand(1.0, bug)
    exchanges, other = [stand.exchange() for _ in range(3)], stand.exchange("other")
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
        await trio.testing.wait_all_tasks_blocked()
        stand.inner.steps = [2.0, "a", END]
        nursery.start_soon(stand.ask, other)
    assert [exchange.downstream.error for exchange in exchanges] == [bug] * 3
    assert other.downstream.is_whole
    assert stand.is_idle()


async def test_the_trace_of_a_bug_does_not_grow_with_those_who_wait(make_stand: Any) -> None:
    """Each of a thousand would write it into the log."""
    bug = ZeroDivisionError("a bug")
    stand = make_stand(1.0, bug)
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(stand.ask, stand.exchange())
    depth, trace = 0, bug.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    assert depth < 15


async def test_a_bug_in_keeping_the_answer_reaches_the_leader(make_stand: Any) -> None:
    """It must not take the nursery of all flights down."""
    stand = make_stand("a", END)
    stand.parts.cache.put = None
    async with stand.parts.flights.open():
        with pytest.raises(TypeError):
            await stand.ask(stand.exchange())
    assert stand.is_idle()


async def test_when_the_place_for_flights_closes_those_in_progress_are_cut(
    make_stand: Any,
) -> None:
    """Whoever still waits is told that the node is stopping."""
    stand = make_stand(1.0, "a", 100.0, END)
    exchanges = [stand.exchange() for _ in range(2)]
    async with trio.open_nursery() as nursery:
        async with stand.parts.flights.open():
            for exchange in exchanges:
                nursery.start_soon(stand.ask, exchange)
            await trio.sleep(2.0)
        assert stand.is_idle()
    assert trio.current_time() == 2.0
    for exchange in exchanges:
        assert isinstance(exchange.downstream.error, NodeStopping)
        assert exchange.downstream.text == "a"
