"""What each strategy changes about the way of a request: the same request, above and below."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import attrs
import pytest
import trio

from cortexd.domain.answer import Embedded
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.criticality import Criticality
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import CortexError, RequestShed, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import Tenant
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.admission import CROWDED_S, KEPT_REQUEST_BYTES_MAX
from cortexd.pipeline.build import build_pipeline
from cortexd.pipeline.exchange import CacheWishes, Exchange
from cortexd.policy.admission import WINDOW_S, is_admitted
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.caching import CacheSettings
from cortexd.policy.degradation import LEVELS, DegradationLevel
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.load_balancing import PoolStrategy
from tests.parts import pipeline_parts

HEALTHY, MINOR, MAJOR, CRITICAL, EMERGENCY = LEVELS

TTL_S: Final = 100.0
STALE_S: Final = 500.0

OpenBench = Callable[..., AbstractAsyncContextManager[Any]]


def _tenant(level: DegradationLevel, *, admitted: bool, now: float = 0.0) -> Tenant:
    """One who is let in, or is not, in the window of this moment."""
    names = (Tenant(f"tenant-{number}") for number in range(1000))
    return next(
        name for name in names if is_admitted(level, name, Criticality.NORMAL, now=now) is admitted
    )


def _from(exchange: Any, tenant: Tenant) -> Any:
    exchange.tenant = tenant
    return exchange


@pytest.fixture
def open_bench(make_bench: Any) -> OpenBench:
    """Makes a bench with a cache that keeps what has expired."""

    @asynccontextmanager
    async def opened(*scripts: Any, **about: Any) -> AsyncIterator[Any]:
        bench = make_bench(*scripts, **about)
        parts = pipeline_parts(
            bench.view, bench.events.append, cutoff=bench.cutoff, degradation=bench.degradation
        )
        caching = attrs.evolve(
            parts.caching,
            settings=CacheSettings(ttl_seconds=TTL_S),
            cache=AnswerCache(1_000_000, stale_s=STALE_S),
            ttl_factor=4.0,
        )
        bench.service = build_pipeline(attrs.evolve(parts, caching=caching))
        async with caching.flights.open():
            yield bench

    return opened


@pytest.mark.parametrize(("level", "limit_s"), [(HEALTHY, 10.0), (MINOR, 7.0), (MAJOR, 7.0)])
async def test_reduce_timeouts(
    make_bench: Any, autojump_clock: trio.testing.MockClock, level: DegradationLevel, limit_s: float
) -> None:
    """A worker that says nothing is given up after 7 s, and not after 10."""
    bench = make_bench([60.0, "too late"])
    bench.fall_to(level)
    exchange = _from(bench.exchange(), _tenant(level, admitted=True))

    with pytest.raises(WorkerFailed) as caught:
        await bench.service(exchange)

    assert caught.value.kind is FailureKind.TIMED_OUT
    assert trio.current_time() == pytest.approx(limit_s)
    assert caught.value.detail.endswith(f"(limit {limit_s:g} s)")


async def test_reduce_timeouts_of_whole_answers(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The total limit as well; one that is answering already keeps the limit it had."""
    bench = make_bench(["one", *[4.0, "more"] * 10], total_s=30.0)
    before, after = bench.exchange(), bench.exchange()
    ends: list[float] = []

    async def ask(exchange: Exchange) -> None:
        with pytest.raises(WorkerFailed):
            await bench.service(exchange)
        ends.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, before)
        await trio.sleep(1.0)
        bench.fall_to(MINOR)
        nursery.start_soon(ask, after)

    assert ends == [pytest.approx(1.0 + 21.0), pytest.approx(30.0)]


async def test_reduce_timeouts_of_answers_in_one_piece(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Embeddings have the limit for a first token."""
    bench = make_bench([8.0])
    bench.workers[0].vectors = ((1.0,),)

    def exchange() -> Any:
        asked = bench.exchange()
        asked.request = EmbeddingRequest(model=None, texts=("x",))
        return asked

    served = exchange()
    await bench.service(served)
    assert isinstance(served.downstream.batches[0][0], Embedded)
    bench.fall_to(MINOR)
    with pytest.raises(WorkerFailed):
        await bench.service(exchange())


@pytest.mark.parametrize(("level", "first"), [(HEALTHY, "a"), (MINOR, "b")])
async def test_prefer_fast_workers(make_bench: Any, level: DegradationLevel, first: str) -> None:
    """The idle one of two equals, or the one that was quicker lately though it is busy."""
    bench = make_bench(["from a"], ["from b"])
    bench.view.publish(attrs.evolve(bench.view.value, strategy=PoolStrategy.LEAST_LOADED))
    slow, quick = (member.worker for member in bench.view.value.members)
    slow.traffic.pace.started(trio.current_time(), 2.0)
    quick.traffic.pace.started(trio.current_time(), 0.2)
    bench.fall_to(level)
    exchange = bench.exchange()

    async with quick.slots.lease(Tenant("somebody")):
        await bench.service(exchange)

    assert exchange.worker == first


async def test_limit_concurrent_requests(make_bench: Any) -> None:
    """The third at once is turned away; premium clients never are, nor is anybody above."""
    bench = make_bench([5.0, "x"], austerity=DegradationSettings(concurrent_requests_max=2))
    insider = _tenant(MAJOR, admitted=True)
    bench.fall_to(MAJOR)
    crowd = [_from(bench.exchange(), insider) for _ in range(2)]
    better = _from(bench.exchange(), insider)
    better.criticality = Criticality.PREMIUM
    above = _from(bench.exchange(), insider)

    async with trio.open_nursery() as nursery:
        for exchange in crowd:
            nursery.start_soon(bench.service, exchange)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(RequestShed) as caught:
            await bench.service(_from(bench.exchange(), insider))
        assert caught.value.retry_after_s == CROWDED_S
        nursery.start_soon(bench.service, better)
        await trio.testing.wait_all_tasks_blocked()
        bench.fall_to(MINOR)
        nursery.start_soon(bench.service, above)

    assert all(exchange.downstream.finished for exchange in (*crowd, better, above))
    assert bench.idle()


async def test_cache_responses_gives_what_has_expired(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """In need an old answer is given at once; otherwise the worker is asked again."""
    async with open_bench(["said"]) as bench:
        tenant = _tenant(CRITICAL, admitted=True, now=2 * TTL_S)

        async def ask(level: DegradationLevel) -> Any:
            bench.fall_to(level)
            exchange = _from(bench.exchange(), tenant)
            await bench.service(exchange)
            return exchange

        first = await ask(HEALTHY)
        await trio.sleep(2 * TTL_S)
        stale = await ask(CRITICAL)
        assert (first.cache, stale.cache) == (CacheUse.MISS, CacheUse.STALE)
        assert (stale.downstream.text, bench.workers[0].opened) == ("said", 1)
        assert bench.ended()[-1].usage is None
        fresh = await ask(MINOR)
        assert (fresh.cache, bench.workers[0].opened) == (CacheUse.MISS, 2)


async def test_cache_responses_when_nobody_can_serve(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """An old answer is better than none; who will not have one from the cache gets an error."""
    async with open_bench(["said"]) as bench:
        now = 2 * TTL_S
        tenant = _tenant(CRITICAL, admitted=True, now=now)
        await bench.service(_from(bench.exchange(), tenant))
        await trio.sleep_until(now)
        bench.workers[0].steps = [FailureKind.UNREACHABLE]
        bench.fall_to(CRITICAL)
        old = _from(bench.exchange(), tenant)
        await bench.service(old)
        assert (old.downstream.text, old.cache) == ("said", CacheUse.STALE)
        picky = _from(bench.exchange(), tenant)
        picky.wishes = CacheWishes(may_read=False)
        with pytest.raises(CortexError):
            await bench.service(picky)


async def test_cache_responses_keeps_answers_for_longer(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """Four times as long as at other times: it is still good when all is well again."""
    async with open_bench(["said"]) as bench:
        tenant = _tenant(CRITICAL, admitted=True)
        bench.fall_to(CRITICAL)
        await bench.service(_from(bench.exchange(), tenant))
        bench.fall_to(HEALTHY)
        await trio.sleep(3 * TTL_S)
        later = _from(bench.exchange(), tenant)
        await bench.service(later)
        assert (later.cache, bench.workers[0].opened) == (CacheUse.HIT, 1)


async def test_return_cached_only(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """In an emergency a kept answer is given, however old; all else is turned away."""
    async with open_bench(["said"]) as bench:
        await bench.service(bench.exchange())
        await trio.sleep(2 * TTL_S)
        bench.fall_to(EMERGENCY)
        kept, other = bench.exchange(), bench.exchange(model="a/m")
        await bench.service(kept)
        assert (kept.downstream.text, kept.cache) == ("said", CacheUse.STALE)
        with pytest.raises(RequestShed) as caught:
            await bench.service(other)
        assert 0 < caught.value.retry_after_s <= WINDOW_S
        assert bench.workers[0].opened == 1
        assert [ended.outcome for ended in bench.ended()] == [
            Outcome.SERVED,
            Outcome.SERVED,
            Outcome.SHED,
        ]


async def test_return_cached_only_is_for_those_who_are_not_let_in(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """Half of the premium clients are served as far as anybody can serve."""
    async with open_bench(["said"]) as bench:
        bench.fall_to(EMERGENCY)
        premium = Criticality.PREMIUM
        tenants = [Tenant(f"tenant-{number}") for number in range(50)]
        served = 0
        for tenant in tenants:
            exchange = _from(bench.exchange(), tenant)
            exchange.criticality = premium
            expected = is_admitted(EMERGENCY, tenant, premium, now=trio.current_time())
            try:
                await bench.service(exchange)
            except RequestShed:
                assert not expected
            else:
                assert expected
                served += 1
        assert 10 < served < 40


@pytest.mark.parametrize("level", [MAJOR, CRITICAL, EMERGENCY])
async def test_who_is_turned_away_is_not_read(
    make_bench: Any, autojump_clock: trio.testing.MockClock, level: DegradationLevel
) -> None:
    """Nothing is parsed, nobody is asked; in an emergency, while there is no kept answer at all."""
    bench = make_bench(["x"])
    bench.fall_to(level)
    exchange = _from(bench.exchange(), _tenant(level, admitted=False))

    async def read(_: Exchange) -> None:
        raise AssertionError("this costs")

    exchange.read = read
    with pytest.raises(RequestShed):
        await bench.service(exchange)
    assert exchange.level is level
    assert exchange.outcome is Outcome.SHED
    assert bench.workers[0].opened == 0


async def test_a_large_request_has_no_kept_answer_and_is_not_read_in_an_emergency(
    open_bench: OpenBench, autojump_clock: trio.testing.MockClock
) -> None:
    """To parse megabytes only to turn them away would be an attack made easy."""
    async with open_bench(["said"]) as bench:
        await bench.service(bench.exchange())
        bench.fall_to(EMERGENCY)
        reads: list[int] = []

        async def read(exchange: Exchange) -> None:
            reads.append(exchange.body_bytes)

        for size in (KEPT_REQUEST_BYTES_MAX + 1, KEPT_REQUEST_BYTES_MAX):
            exchange = bench.exchange(model="a/m")
            exchange.read, exchange.body_bytes = read, size
            with pytest.raises(RequestShed):
                await bench.service(exchange)
        assert reads == [KEPT_REQUEST_BYTES_MAX]


async def test_a_healthy_node_changes_nothing(make_bench: Any) -> None:
    """No strategy, no haste, and nobody is turned away."""
    bench = make_bench(["x"])
    exchange = bench.exchange()
    await bench.service(exchange)
    assert (exchange.level, exchange.strategies, exchange.haste) == (HEALTHY, frozenset(), 1.0)
