"""S3: requests that are equal and at the same time make one upstream call."""

from typing import Any

import pytest
import trio

from cortexd.domain.answer import Finished, FinishReason, TextDelta
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.pipeline.flight import JOIN_S_MAX, READ_EVENTS_MAX, RECORD_BYTES_MAX

END = Finished(FinishReason.STOP)


@pytest.mark.parametrize("steps", [["a", 1.0, "b", END], [1.0, "a", "b", END]])
async def test_a_thousand_equal_requests_make_one_call(make_stand: Any, steps: list[Any]) -> None:
    """S3: each gets the whole answer, as a stream, and knows who gave it."""
    stand = make_stand(*steps)
    exchanges = [stand.exchange() for _ in range(1000)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)

    assert stand.calls == 1
    assert stand.is_idle()
    assert [exchange.cache for exchange in exchanges].count(CacheUse.MISS) == 1
    for exchange in exchanges:
        assert exchange.downstream.events == [TextDelta("a"), TextDelta("b"), END]
        assert exchange.worker == "w"
        assert exchange.first_sent_at == (1.0 if steps[0] == 1.0 else 0.0)
        assert exchange.downstream.ended_at == 1.0


async def test_requests_that_differ_share_nothing(make_stand: Any) -> None:
    """Each of them is asked."""
    stand = make_stand(1.0, "a", END)
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, stand.exchange("a"))
        nursery.start_soon(stand.ask, stand.exchange("b"))
        nursery.start_soon(stand.ask, stand.exchange("a", tenant="u"))
    assert stand.calls == 3


async def test_as_long_as_a_request_is_alone_the_worker_waits_for_its_client(
    make_stand: Any,
) -> None:
    """Back-pressure is what it would be without a cache."""
    seen: list[float] = []
    stand = make_stand("a", lambda _: seen.append(trio.current_time()), "b", END)
    exchange = stand.exchange()
    exchange.downstream.pause_s = 1.0
    async with stand.parts.flights.open():
        await stand.ask(exchange)
    assert seen == [1.0]
    assert exchange.downstream.is_whole


async def test_who_joins_late_has_all_of_it(make_stand: Any) -> None:
    """What was said before at once, the rest as it comes."""
    stand = make_stand("a", "b", 2.0, "c", END)
    leader, late = stand.exchange(), stand.exchange()
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader)
        await trio.sleep(1.0)
        nursery.start_soon(stand.ask, late)
        await trio.testing.wait_all_tasks_blocked()
        assert late.downstream.text == "ab"
    assert late.first_sent_at == 1.0
    assert late.trail is leader.trail
    for exchange in (leader, late):
        assert exchange.downstream.text == "abc"
        assert exchange.downstream.is_whole
    assert stand.calls == 1


async def test_who_joins_behind_many_pieces_writes_them_in_few_batches(make_stand: Any) -> None:
    """It need not be as many writes as the worker made, but none of them is large."""
    stand = make_stand(*["x"] * 600, 1.0, "y", END)
    leader, late = stand.exchange(), stand.exchange()
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader)
        await trio.sleep(0.5)
        nursery.start_soon(stand.ask, late)
    assert late.downstream.text == leader.downstream.text == "x" * 600 + "y"
    assert late.downstream.is_whole
    assert max(len(batch) for batch in late.downstream.batches) <= READ_EVENTS_MAX
    assert len(late.downstream.batches) < 10


@pytest.mark.parametrize("slow", ["leader", "follower"])
async def test_a_slow_client_holds_up_nobody_else(make_stand: Any, slow: str) -> None:
    """The others have the answer when the worker has given it."""
    stand = make_stand(1.0, *["x"] * 1000, END)
    exchanges = [stand.exchange() for _ in range(3)]
    slow_one = exchanges[0 if slow == "leader" else 1]
    slow_one.downstream.pause_s = 10.0
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    for exchange in exchanges:
        assert exchange.downstream.text == "x" * 1000
        assert exchange.downstream.is_whole
        assert (exchange.downstream.ended_at == 1.0) is (exchange is not slow_one)
    assert stand.calls == 1


async def test_who_joins_while_the_leader_is_written_to_waits_for_that(make_stand: Any) -> None:
    """A moment later the leader is a reader like all the others."""
    stand = make_stand("a", "b", END)
    leader, follower = stand.exchange(), stand.exchange()
    leader.downstream.pause_s = JOIN_S_MAX
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader)
        await trio.sleep(JOIN_S_MAX / 2)
        nursery.start_soon(stand.ask, follower)
    assert stand.calls == 1
    assert follower.downstream.ended_at == JOIN_S_MAX
    assert leader.downstream.events == follower.downstream.events
    assert leader.downstream.is_whole


async def test_nobody_waits_for_a_client_that_does_not_read(make_stand: Any) -> None:
    """Those who come begin a flight of their own, but one for all of them."""
    stand = make_stand("a", "b", END)
    stuck, others = stand.exchange(), [stand.exchange() for _ in range(5)]
    stuck.downstream.pause_s = 1000.0
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, stuck)
        await trio.sleep(10.0)
        for exchange in others:
            nursery.start_soon(stand.ask, exchange)
        await trio.sleep(1.0)
        assert all(exchange.downstream.is_whole for exchange in others)
        assert all(exchange.downstream.ended_at == 10.0 + JOIN_S_MAX for exchange in others)
        assert stand.calls == 2
    assert stuck.downstream.is_whole
    assert stand.is_idle()


async def test_a_caller_whose_leader_grows_too_long_begins_anew(make_stand: Any) -> None:
    """It gets an answer from its beginning, never the rest of another one, nor does the cache."""
    stand = make_stand("x" * RECORD_BYTES_MAX, "b", 1.0, END)
    leader, caller = stand.exchange(), stand.exchange()
    leader.downstream.pause_s = JOIN_S_MAX
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, leader)
        await trio.sleep(JOIN_S_MAX / 2)
        nursery.start_soon(stand.ask, caller)
    assert stand.calls == 2
    for exchange in (leader, caller):
        assert len(exchange.downstream.text) == RECORD_BYTES_MAX + 1
        assert exchange.downstream.is_whole
    assert stand.parts.cache.statistics().entries == 0


async def test_the_answer_of_several_has_an_end(make_stand: Any) -> None:
    """A worker that goes on and on fails, as it would for one who wants it whole."""
    stand = make_stand(1.0, *["x" * 100_000] * 200, END)
    exchanges = [stand.exchange() for _ in range(2)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    for exchange in exchanges:
        assert isinstance(exchange.downstream.error, WorkerFailed)
        assert exchange.downstream.error.kind is FailureKind.SERVER_ERROR
        assert 8_000_000 < len(exchange.downstream.text) < 9_000_000


async def test_what_one_door_has_no_words_for_fails_for_that_one_alone(make_stand: Any) -> None:
    """Where several read, each has its own dialect."""
    stand = make_stand(1.0, "a", END)
    speechless, other = stand.exchange(), stand.exchange()
    speechless.downstream.speechless = True
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, speechless)
        nursery.start_soon(stand.ask, other)
    assert isinstance(speechless.downstream.error, WorkerFailed)
    assert other.downstream.is_whole
    assert stand.calls == 1


async def test_what_the_only_door_has_no_words_for_reaches_the_inner_layers(
    make_stand: Any,
) -> None:
    """So that another worker may say it differently."""
    caught: list[WorkerFailed] = []

    async def inner(exchange: Any) -> None:
        try:
            await exchange.downstream.send((TextDelta("a"), END))
        except WorkerFailed as failure:
            caught.append(failure)
            raise

    stand = make_stand()
    stand.layer._inner = inner
    exchange = stand.exchange()
    exchange.downstream.speechless = True
    async with stand.parts.flights.open():
        await stand.ask(exchange)
    assert len(caught) == 1
    assert isinstance(exchange.downstream.error, WorkerFailed)


def _start_over(answers: list[bool]) -> Any:
    return lambda exchange: answers.append(exchange.downstream.start_over())


@pytest.mark.parametrize(("collects", "allowed"), [(True, True), (False, False)])
async def test_alone_starting_over_is_up_to_the_client(
    make_stand: Any, *, collects: bool, allowed: bool
) -> None:
    """And what was taken back is not kept, either."""
    answers: list[bool] = []
    stand = make_stand("a", _start_over(answers), "b", END)
    exchange, again = stand.exchange(), stand.exchange()
    exchange.downstream.collects = collects
    async with stand.parts.flights.open():
        await stand.ask(exchange)
        await stand.ask(again)
    assert answers == [allowed]
    assert exchange.downstream.text == again.downstream.text == ("b" if allowed else "ab")
    assert again.downstream.is_whole


@pytest.mark.parametrize(
    ("collect", "allowed"),
    [((True, True), True), ((True, False), False), ((False, True), False)],
)
async def test_together_starting_over_is_up_to_all(
    make_stand: Any, collect: tuple[bool, bool], *, allowed: bool
) -> None:
    """Where one has seen something, the others get the same, however often they were asked."""
    answers: list[bool] = []
    stand = make_stand(1.0, "a", 1.0, _start_over(answers), "b", 1.0, "c", END)
    exchanges = [stand.exchange(), stand.exchange()]
    for exchange, collects in zip(exchanges, collect, strict=True):
        exchange.downstream.collects = collects
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    assert answers == [allowed]
    for exchange in exchanges:
        assert exchange.downstream.text == ("bc" if allowed else "abc")
        assert exchange.downstream.is_whole
        assert exchange.first_sent_at == (2.0 if allowed or exchange.downstream.collects else 1.0)
    assert stand.calls == 1


async def test_before_anything_is_said_all_can_start_over(make_stand: Any) -> None:
    """Nobody has seen anything yet."""
    answers: list[bool] = []
    stand = make_stand(1.0, _start_over(answers), "a", END)
    exchanges = [stand.exchange() for _ in range(3)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    assert answers == [True]
    assert all(exchange.downstream.is_whole for exchange in exchanges)


async def test_a_client_that_is_being_written_to_has_seen_something(make_stand: Any) -> None:
    """Even if its part has not arrived yet."""
    answers: list[bool] = []
    stand = make_stand(1.0, "a", 1.0, _start_over(answers), END)
    exchanges = [stand.exchange(), stand.exchange()]
    for exchange in exchanges:
        exchange.downstream.collects = True
    exchanges[1].downstream.pause_s = 5.0
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    assert answers == [False]
    assert [exchange.downstream.text for exchange in exchanges] == ["a", "a"]
