"""Equal requests to several nodes: one is asked, whatever becomes of it, and nobody fails."""

from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.answer import Embedded, Finished, FinishReason
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import RequestRefused, RequestShed, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.pipeline.exchange import CacheWishes
from cortexd.pipeline.shared_flight import WAIT_S_MAX
from cortexd.policy.answer_cache import SecondLevel
from cortexd.policy.degradation import Strategy
from tests.fakes.shared_answers import CLAIM_S, SharedMemory

END = Finished(FinishReason.STOP)
NAMED = CacheWishes(idempotency_key="k")
FRESH = CacheWishes(may_read=False)
SHED = RequestShed("in need", 1.0)


def _second_level(stand: Any) -> tuple[int, ...]:
    """Hits, misses and failures."""
    counts = stand.parts.cache.statistics().second_level
    return tuple(counts[each] for each in SecondLevel)


async def _ask_in_turn(*asked: tuple[Any, Any]) -> None:
    """One after the other, each at its own stand."""
    async with trio.open_nursery() as nursery:
        for stand in {stand for stand, _ in asked}:
            await nursery.start(_open, stand)
        for stand, exchange in asked:
            await stand.ask(exchange)
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def _open(stand: Any, task_status: trio.TaskStatus[None]) -> None:
    async with stand.parts.flights.open():
        task_status.started()
        await trio.sleep_forever()


@pytest.fixture
def shared() -> SharedMemory:
    """What the nodes share."""
    return SharedMemory()


async def test_what_one_has_kept_the_other_has(make_stand: Any, shared: SharedMemory) -> None:
    """It is a hit, to nobody's account, and from then on the other's own."""
    one, other = make_stand("a", "b", END, shared=shared), make_stand("c", END, shared=shared)
    exchanges = [one.exchange(), other.exchange(), other.exchange()]
    await _ask_in_turn(*zip((one, other, other), exchanges, strict=True))
    assert [each.cache for each in exchanges] == [CacheUse.MISS, CacheUse.HIT, CacheUse.HIT]
    assert {each.downstream.text for each in exchanges} == {"ab"}
    assert (one.calls, other.calls) == (1, 0)
    assert (_second_level(one), _second_level(other)) == ((0, 1, 0), (1, 0, 0))
    assert exchanges[1].worker == "w"
    assert exchanges[1].first_sent_at is not None
    [kept] = shared.answers.values()
    own = next(iter(other.parts.cache._answers.values()))
    assert own.expires_at == kept.expires_at, "the rest of its time, and not a new one"


async def test_a_crowd_on_three_nodes_makes_one_call(make_stand: Any, shared: SharedMemory) -> None:
    """Also one that takes a while; all of them have the whole answer."""
    stands = [make_stand("a", 3.0, "b", END, shared=shared) for _ in range(3)]
    exchanges = [(stand, stand.exchange()) for stand in stands for _ in range(50)]
    async with trio.open_nursery() as opened:
        for stand in stands:
            await opened.start(_open, stand)
        async with trio.open_nursery() as asking:
            for stand, exchange in exchanges:
                asking.start_soon(stand.ask, exchange)
        opened.cancel_scope.cancel()
    assert sum(stand.calls for stand in stands) == 1
    assert {exchange.downstream.text for _, exchange in exchanges} == {"ab"}
    assert all(exchange.downstream.is_whole for _, exchange in exchanges)
    assert [exchange.cache for _, exchange in exchanges].count(CacheUse.MISS) == 1
    assert shared.claims == {}


@pytest.mark.parametrize(
    "end",
    [
        pytest.param([WorkerFailed(WorkerName("w"), FailureKind.SERVER_ERROR, "x")], id="fails"),
        pytest.param([Finished(FinishReason.CONTENT_FILTER)], id="is not kept"),
    ],
)
async def test_what_is_not_kept_is_asked_for_again(
    make_stand: Any, shared: SharedMemory, end: list[Any]
) -> None:
    """By the node that has waited, and soon."""
    one, other = make_stand(1.0, *end, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange())
        await trio.sleep(0.1)
        client = await other.ask(other.exchange())
        assert (client.text, client.error) == ("b", None)
        assert 1.0 < client.ended_at < 2.0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("leaves_after_s", [None, 0.5])
@pytest.mark.parametrize("end", [ValueError(), Finished(FinishReason.CONTENT_FILTER), END])
async def test_however_it_ends_the_claim_does(
    make_stand: Any, shared: SharedMemory, end: Any, leaves_after_s: float | None
) -> None:
    """Nobody else waits for an answer that does not come."""
    stand = make_stand("a", 1.0, end, shared=shared)
    async with trio.open_nursery() as nursery:
        await nursery.start(_open, stand)
        with suppress(ValueError, ExceptionGroup):
            await stand.ask(stand.exchange(), leaves_after_s)
        await trio.testing.wait_all_tasks_blocked()
        assert shared.claims == {}
        nursery.cancel_scope.cancel()


async def test_a_client_that_leaves_leaves_the_claim(make_stand: Any, shared: SharedMemory) -> None:
    """Within a second another node asks."""
    one, other = make_stand(60.0, "a", END, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange(), 2.0)
        await trio.sleep(0.1)
        client = await other.ask(other.exchange())
        assert client.text == "b"
        assert client.ended_at < 3.0
        assert one.is_idle()
        nursery.cancel_scope.cancel()


async def test_who_waits_and_leaves_is_gone_at_once(make_stand: Any, shared: SharedMemory) -> None:
    """And has neither a claim nor a task left."""
    one, other = make_stand(60.0, "a", END, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange())
        await trio.sleep(0.1)
        await other.ask(other.exchange(), 1.0)
        assert other.is_idle()
        assert other.calls == 0
        assert len(shared.claims) == 1
        nursery.cancel_scope.cancel()


async def test_a_dead_node_is_waited_for_no_longer_than_its_claim(
    make_stand: Any, shared: SharedMemory
) -> None:
    """Then one of those that wait asks, and the others have its answer."""
    shared.renews = False
    dead, *others = (make_stand(1000.0, shared=shared), *_two(make_stand, shared))
    async with trio.open_nursery() as nursery:
        for stand in (dead, *others):
            await nursery.start(_open, stand)
        nursery.start_soon(dead.ask, dead.exchange())
        await trio.sleep(0.1)
        clients: list[Any] = []

        async def ask(stand: Any) -> None:
            clients.append(await stand.ask(stand.exchange()))

        async with trio.open_nursery() as asking:
            for stand in others:
                asking.start_soon(ask, stand)
        assert [client.text for client in clients] == ["b", "b"]
        assert sum(stand.calls for stand in others) == 1
        assert max(client.ended_at for client in clients) < CLAIM_S + 2.0
        nursery.cancel_scope.cancel()


def _two(make_stand: Any, shared: SharedMemory) -> list[Any]:
    return [make_stand(1.0, "b", END, shared=shared) for _ in range(2)]


async def test_patience_has_an_end(make_stand: Any, shared: SharedMemory) -> None:
    """An answer that takes longer is asked for a second time."""
    one, other = make_stand(1000.0, END, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange())
        await trio.sleep(0.1)
        client = await other.ask(other.exchange())
        assert client.text == "b"
        assert WAIT_S_MAX < client.ended_at < WAIT_S_MAX + 1.0
        nursery.cancel_scope.cancel()


async def test_a_slow_client_holds_up_no_other_node(make_stand: Any, shared: SharedMemory) -> None:
    """While it is being written to, and nothing goes on, the answer is not worth a wait."""
    one, other = make_stand("a", "b", END, shared=shared), make_stand("c", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        exchange = one.exchange()
        exchange.downstream.pause_s = 500.0
        nursery.start_soon(one.ask, exchange)
        await trio.sleep(0.1)
        client = await other.ask(other.exchange())
        assert client.text == "c"
        assert client.ended_at < 2.0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("fault", ["gone", "late"])
async def test_without_it_each_node_asks_for_itself(
    make_stand: Any, shared: SharedMemory, fault: str
) -> None:
    """After one look at most, which is counted as failed; equal requests still share here."""
    shared.is_up, shared.is_late = fault == "late", fault == "late"
    stand = make_stand("a", END, shared=shared)
    first, second = stand.exchange(), stand.exchange()
    await _ask_in_turn((stand, first), (stand, second))
    assert first.downstream.text == second.downstream.text == "a"
    assert (stand.calls, shared.calls) == (1, 1)
    assert _second_level(stand) == (0, 0, 1)


async def test_losing_it_ends_the_wait(make_stand: Any, shared: SharedMemory) -> None:
    """At once: whoever waits asks a worker."""
    one, other = make_stand(60.0, "a", END, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange())
        await trio.sleep(0.1)

        async def lose() -> None:
            await trio.sleep(2.0)
            shared.is_up = False

        nursery.start_soon(lose)
        client = await other.ask(other.exchange())
        assert client.text == "b"
        assert client.ended_at < 2.6
        nursery.cancel_scope.cancel()


async def test_a_name_holds_on_all_nodes(make_stand: Any, shared: SharedMemory) -> None:
    """The same request has the kept answer, another one is refused."""
    one, other = make_stand("a", END, shared=shared), make_stand("b", END, shared=shared)
    again, wrong = other.exchange(wishes=NAMED), other.exchange("other", wishes=NAMED)
    await _ask_in_turn((one, one.exchange(wishes=NAMED)), (other, wrong), (other, again))
    assert again.downstream.text == "a"
    assert isinstance(wrong.downstream.error, RequestRefused)
    assert wrong.downstream.error.status == 422
    assert other.calls == 0


async def test_a_name_in_use_is_refused_to_another_request(
    make_stand: Any, shared: SharedMemory
) -> None:
    """Before there is an answer, and without a wait."""
    one, other = make_stand(60.0, "a", END, shared=shared), make_stand("b", END, shared=shared)
    async with trio.open_nursery() as nursery:
        for stand in (one, other):
            await nursery.start(_open, stand)
        nursery.start_soon(one.ask, one.exchange(wishes=NAMED))
        await trio.sleep(0.1)
        client = await other.ask(other.exchange("other", wishes=NAMED))
        assert isinstance(client.error, RequestRefused)
        assert client.ended_at < 0.2
        nursery.cancel_scope.cancel()


async def test_who_wants_a_new_answer_gets_one_and_leaves_it(
    make_stand: Any, shared: SharedMemory
) -> None:
    """`no-cache` looks nowhere; what comes of it is kept for all."""
    one, other = make_stand("a", END, shared=shared), make_stand("b", END, shared=shared)
    fresh, later = other.exchange(wishes=FRESH), one.exchange()
    await _ask_in_turn((one, one.exchange()), (other, fresh))
    assert (fresh.downstream.text, fresh.cache) == ("b", CacheUse.MISS)
    assert _second_level(other) == (0, 0, 0)
    one.parts.cache.purge()
    await _ask_in_turn((one, later))
    assert later.downstream.text == "b"


async def test_who_may_have_a_kept_answer_only_has_that_of_another_node(
    make_stand: Any, shared: SharedMemory
) -> None:
    """In an emergency nobody is asked, here or there; nor does anybody wait."""
    one, other = make_stand("a", END, shared=shared), make_stand("b", END, shared=shared)
    found, none = other.exchange(), other.exchange("other")
    for exchange in (found, none):
        exchange.otherwise, exchange.strategies = SHED, frozenset({Strategy.RETURN_CACHED_ONLY})
    lost = attrs.evolve(found, downstream=type(found.downstream)())
    await _ask_in_turn((one, one.exchange()), (other, found), (other, none))
    assert (found.downstream.text, found.cache) == ("a", CacheUse.HIT)
    assert none.downstream.error is SHED
    shared.is_up = False
    await _ask_in_turn((other, lost))
    assert lost.downstream.error is SHED
    assert (other.calls, _second_level(other)) == (0, (1, 1, 1))
    assert shared.claims == {}


async def test_an_answer_to_something_else_is_none(make_stand: Any, shared: SharedMemory) -> None:
    """Whoever has put it there: of another request, or of another kind."""
    one, other = make_stand("a", END, shared=shared), make_stand("b", END, shared=shared)
    await _ask_in_turn((one, one.exchange()))
    [(key, answer)] = shared.answers.items()
    for wrong in (
        attrs.evolve(answer, fingerprint=b"x" * 32),
        attrs.evolve(answer, events=(Embedded(((1.0,),)), END)),
    ):
        shared.answers[key] = wrong
        other.parts.cache.purge()
        exchange = other.exchange()
        await _ask_in_turn((other, exchange))
        assert exchange.downstream.text == "b"
    assert _second_level(other) == (0, 0, 2)


async def test_a_door_without_words_for_it_asks_itself(
    make_stand: Any, shared: SharedMemory
) -> None:
    """What one door took may be nothing that another can say."""
    one, other = make_stand("a", END, shared=shared), make_stand("b", END, shared=shared)
    exchange = other.exchange()
    client = exchange.downstream
    client.speechless, client.collects = True, True

    def speak(_: object) -> None:
        client.speechless = False

    other.inner.steps = (speak, "b", END)
    await _ask_in_turn((one, one.exchange()), (other, exchange))
    assert (client.text, exchange.cache) == ("b", CacheUse.MISS)


async def test_without_a_cluster_nothing_more_is_awaited(make_stand: Any) -> None:
    """The flight runs the inner layers themselves, and has nothing to finish."""
    stand = make_stand("a", END)
    ran: list[object] = []
    begin = stand.parts.flights.begin

    async def spy(*arguments: object) -> None:
        ran.extend(arguments)
        await begin(*arguments)

    stand.parts.flights.begin = spy
    await _ask_in_turn((stand, stand.exchange()))
    assert len(ran) == 4
    assert ran[2] is stand.inner
