"""What is answered from the cache, what is kept, and what clients can say about it."""

from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.answer import Finished, FinishReason, RefusalDelta, TextDelta
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RequestRefused, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.request import TokenCountRequest
from cortexd.pipeline.exchange import CacheWishes, Exchange
from cortexd.policy.caching import CacheSettings

END = Finished(FinishReason.STOP)
CHAT = ChatRequest(model="m", messages=(text_message(Role.USER, "hello"),))
NAMED = CacheWishes(idempotency_key="k")


async def _ask_all(stand: Any, *exchanges: Exchange) -> None:
    """One after the other."""
    async with stand.parts.flights.open():
        for exchange in exchanges:
            await stand.ask(exchange)


async def test_an_equal_request_is_answered_from_the_cache(make_stand: Any) -> None:
    """With the same text, worker and model, and without anybody being asked."""
    stand = make_stand("a", "b", END)
    first, second = stand.exchange(), stand.exchange()
    await _ask_all(stand, first, second)

    assert stand.calls == 1
    assert (first.cache, second.cache) == (CacheUse.MISS, CacheUse.HIT)
    assert first.downstream.text == second.downstream.text == "ab"
    assert second.downstream.is_whole
    assert (second.worker, second.model) == ("w", "m")
    assert second.trail is not first.trail
    assert first.first_sent_at is not None
    assert second.first_sent_at is not None


async def test_an_alias_and_a_tenant_have_answers_of_their_own(make_stand: Any) -> None:
    """And so has each text."""
    stand = make_stand("a", END)
    await _ask_all(
        stand,
        stand.exchange(),
        stand.exchange(model="fast"),
        stand.exchange(tenant="u"),
        stand.exchange("other"),
    )
    assert stand.calls == 4


async def test_an_answer_expires(make_stand: Any) -> None:
    """After its time, give or take ten percent, it is asked for again."""
    stand = make_stand("a", END)
    async with stand.parts.flights.open():
        await stand.ask(stand.exchange())
        await trio.sleep(89.0)
        await stand.ask(stand.exchange())
        assert stand.calls == 1
        await trio.sleep(22.0)
        await stand.ask(stand.exchange())
    assert stand.calls == 2


@pytest.mark.parametrize(
    "about",
    [
        {"temperature": 1.0},
        {"text": "x" * 8000},
        {"wishes": CacheWishes(may_read=False, may_store=False)},
        {"wishes": CacheWishes(may_read=False, may_store=False, idempotency_key="k")},
        {"request": TokenCountRequest(CHAT)},
        {"request": TokenCountRequest(CHAT), "wishes": NAMED},
        {"request": EmbeddingRequest(model="m", texts=("a",))},
        {"request": attrs.evolve(CHAT, messages=()), "wishes": NAMED},
    ],
)
async def test_what_is_not_to_be_kept_goes_past_the_cache(
    make_stand: Any, about: dict[str, Any]
) -> None:
    """The inner layers get the very same exchange, and nothing of it stays."""
    stand = make_stand("a", END)
    exchange = stand.exchange(**about)
    await _ask_all(stand, exchange, stand.exchange(**about))
    assert stand.calls == 2
    assert stand.inner.seen[0] is exchange
    assert exchange.cache is CacheUse.BYPASS
    assert stand.parts.cache.statistics().entries == 0


async def test_no_store_goes_past_an_answer_that_is_there(make_stand: Any) -> None:
    """Neither read nor stored."""
    stand = make_stand("a", END)
    unstored = stand.exchange(wishes=CacheWishes(may_read=False, may_store=False))
    await _ask_all(stand, stand.exchange(), unstored)
    assert stand.calls == 2


async def test_no_cache_has_a_new_answer_that_is_kept(make_stand: Any) -> None:
    """Not read, but stored, in the place of the one before."""
    stand = make_stand("a", END)
    fresh = stand.exchange(wishes=CacheWishes(may_read=False))
    async with stand.parts.flights.open():
        await stand.ask(stand.exchange())
        stand.inner.steps = ["b", END]
        assert (await stand.ask(fresh)).text == "b"
        assert (await stand.ask(stand.exchange())).text == "b"
    assert stand.calls == 2
    assert fresh.cache is CacheUse.MISS


async def test_no_cache_does_not_join_what_is_in_progress(make_stand: Any) -> None:
    """That began before it was asked."""
    stand = make_stand(1.0, "a", END)
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, stand.exchange())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(stand.ask, stand.exchange(wishes=CacheWishes(may_read=False)))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(stand.ask, stand.exchange())
    assert stand.calls == 2
    assert stand.is_idle()


async def test_disabled_nothing_is_kept_or_shared(make_stand: Any) -> None:
    """Not even under a name."""
    stand = make_stand("a", END, settings=CacheSettings(enabled=False))
    exchange = stand.exchange(wishes=NAMED)
    await _ask_all(stand, exchange, stand.exchange(wishes=NAMED))
    assert stand.calls == 2
    assert exchange.cache is CacheUse.BYPASS


async def test_without_a_place_for_flights_nothing_is_shared(make_stand: Any) -> None:
    """A pipeline by itself goes past the cache; and so does one whose door has closed."""
    stand = make_stand("a", END)
    exchange = stand.exchange()
    await stand.ask(exchange)
    async with stand.parts.flights.open():
        pass
    await stand.ask(stand.exchange())
    assert stand.calls == 2
    assert exchange.cache is CacheUse.BYPASS


@pytest.mark.parametrize(
    "steps",
    [
        ["a", Finished(FinishReason.CONTENT_FILTER)],
        [RefusalDelta("no"), END],
        [END],
        ["a"],
        ["a", lambda exchange: setattr(exchange.trail, "resumed_from", (WorkerName("v"),)), END],
    ],
    ids=["filtered", "refused", "empty", "not whole", "pieced together"],
)
async def test_not_every_answer_is_kept(make_stand: Any, steps: list[Any]) -> None:
    """Only those that are good enough for everybody."""
    stand = make_stand(*steps)
    await _ask_all(stand, stand.exchange(), stand.exchange())
    assert stand.calls == 2


async def test_a_failure_is_not_kept(make_stand: Any) -> None:
    """The next one who asks tries again."""
    stand = make_stand("a", WorkerFailed(WorkerName("w"), FailureKind.SERVER_ERROR, "broken"))
    first, second = stand.exchange(), stand.exchange()
    await _ask_all(stand, first, second)
    assert stand.calls == 2
    assert isinstance(first.downstream.error, WorkerFailed)
    assert isinstance(second.downstream.error, WorkerFailed)
    assert first.downstream.text == "a"
    assert stand.is_idle()


async def test_a_long_answer_is_passed_on_but_not_kept(make_stand: Any) -> None:
    """Beyond a MiB it is neither kept, nor can anybody join."""
    stand = make_stand(*["x" * 100_000] * 11, 1.0, "end", END)
    first, late = stand.exchange(), stand.exchange()
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, first)
        await trio.sleep(0.5)
        nursery.start_soon(stand.ask, late)
    assert len(first.downstream.text) == len(late.downstream.text) == 1_100_003
    assert first.downstream.is_whole
    assert stand.calls == 2
    assert stand.parts.cache.statistics().entries == 0


async def test_many_small_pieces_are_kept_as_few(make_stand: Any) -> None:
    """And given again as the same text."""
    stand = make_stand(*["word "] * 1000, END)
    first, second = stand.exchange(), stand.exchange()
    await _ask_all(stand, first, second)
    assert second.downstream.text == first.downstream.text == "word " * 1000
    assert len(second.downstream.batches) == 1
    assert len(second.downstream.events) == 3


async def test_a_door_without_words_for_a_kept_answer_asks_a_worker(make_stand: Any) -> None:
    """What another door took may not fit into this one's dialect; a worker may say it anew."""
    stand = make_stand("a", END)
    async with stand.parts.flights.open():
        await stand.ask(stand.exchange())
        speechless = stand.exchange()
        speechless.downstream.speechless = True
        client = await stand.ask(speechless)
    assert isinstance(client.error, WorkerFailed)
    assert stand.calls == 2
    assert speechless.cache is CacheUse.BYPASS


async def test_an_idempotency_key_makes_any_request_run_once(make_stand: Any) -> None:
    """At any temperature, also an embedding, and whatever the end was."""
    stand = make_stand("a", Finished(FinishReason.CONTENT_FILTER))
    embedding = EmbeddingRequest(model="m", texts=("a",))
    again = CacheWishes(may_read=False, idempotency_key="k")
    hit = stand.exchange(temperature=2.0, wishes=again)
    await _ask_all(
        stand,
        stand.exchange(temperature=2.0, wishes=NAMED),
        hit,
        stand.exchange(request=embedding, wishes=CacheWishes(idempotency_key="e")),
        stand.exchange(request=embedding, wishes=CacheWishes(idempotency_key="e")),
    )
    assert stand.calls == 2
    assert hit.cache is CacheUse.HIT
    assert hit.downstream.events == [TextDelta("a"), Finished(FinishReason.CONTENT_FILTER)]


@pytest.mark.parametrize("in_progress", [True, False])
async def test_an_idempotency_key_stands_for_one_request(
    make_stand: Any, *, in_progress: bool
) -> None:
    """Another request with it is refused, at once or later; another tenant has keys of its own."""
    stand = make_stand(1.0, "a", END)
    other, foreign = stand.exchange("other", wishes=NAMED), stand.exchange(tenant="u", wishes=NAMED)
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stand.ask, stand.exchange(wishes=NAMED))
        await trio.sleep(0.5 if in_progress else 2.0)
        await stand.ask(other)
        nursery.start_soon(stand.ask, foreign)
    error = other.downstream.error
    assert isinstance(error, RequestRefused)
    assert (error.status, error.code, error.param) == (
        422,
        "idempotency_key_reused",
        "idempotency-key",
    )
    assert foreign.downstream.text == "a"
    assert stand.calls == 2


async def test_an_idempotency_key_is_joined_while_its_request_runs(make_stand: Any) -> None:
    """The client that lost patience and asks again has the answer of its first try."""
    stand = make_stand(1.0, "a", END)
    exchanges = [stand.exchange(temperature=2.0, wishes=NAMED) for _ in range(3)]
    async with stand.parts.flights.open(), trio.open_nursery() as nursery:
        for exchange in exchanges:
            nursery.start_soon(stand.ask, exchange)
    assert stand.calls == 1
    assert all(exchange.downstream.is_whole for exchange in exchanges)


async def test_an_idempotent_request_without_an_end_may_run_again(make_stand: Any) -> None:
    """Half an answer is not given again, whatever name it has."""
    stand = make_stand("a")
    await _ask_all(stand, stand.exchange(wishes=NAMED), stand.exchange(wishes=NAMED))
    assert stand.calls == 2


async def test_a_failed_idempotent_request_may_run_again(make_stand: Any) -> None:
    """Its key is forgotten with it, even for another request."""
    stand = make_stand(WorkerFailed(WorkerName("w"), FailureKind.SERVER_ERROR, "broken"))
    async with stand.parts.flights.open():
        await stand.ask(stand.exchange(wishes=NAMED))
        stand.inner.steps = ["a", END]
        assert (await stand.ask(stand.exchange("other", wishes=NAMED))).text == "a"


async def test_the_cache_counts(make_stand: Any) -> None:
    """Hits, misses, and those of them that shared."""
    stand = make_stand(1.0, "a", END)
    async with stand.parts.flights.open():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(stand.ask, stand.exchange())
        await stand.ask(stand.exchange())
    told = stand.parts.cache.statistics()
    assert (told.entries, told.hits, told.misses, told.shared) == (1, 1, 3, 2)
