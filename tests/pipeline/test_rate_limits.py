"""What a client may not ask for: told at once, accounted for, and nobody else's loss."""

from typing import Any

import pytest
import trio

from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RateLimited, WorkerFailed
from cortexd.domain.events import ExchangeEnded
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.pipeline.exchange import Exchange
from cortexd.policy.rate_limit import Allowance, Bucket, allowance


async def _ask(bench: Any, limits: Allowance | None, **asked: Any) -> Exchange:
    exchange: Exchange = bench.exchange(**asked)
    exchange.allowance = limits
    await bench.service(exchange)
    return exchange


async def _wait_s(bench: Any, limits: Allowance) -> float:
    """How long the client is told to wait."""
    with pytest.raises(RateLimited) as told:
        await _ask(bench, limits)
    assert (told.value.status, told.value.code) == (429, "rate_limit_exceeded")
    return told.value.retry_after_s


def _outcomes(bench: Any) -> list[Outcome]:
    return [event.outcome for event in bench.events if isinstance(event, ExchangeEnded)]


def _level(limits: Allowance) -> float:
    assert limits.tokens is not None
    return limits.tokens.level(trio.current_time())


async def test_requests_beyond_the_limit_cost_nothing(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """They reach no worker, are not even read, and each has one outcome."""
    bench, limits = make_bench(["hello"]), allowance(2, None)
    await _ask(bench, limits)
    await _ask(bench, limits)
    assert await _wait_s(bench, limits) == pytest.approx(30.0)
    assert bench.workers[0].opened == 2
    assert _outcomes(bench) == [Outcome.SERVED, Outcome.SERVED, Outcome.REFUSED]
    await trio.sleep(30.0)
    await _ask(bench, limits)
    assert _outcomes(bench)[-1] is Outcome.SERVED


async def test_a_request_that_is_turned_away_is_not_read(make_bench: Any) -> None:
    """Reading is work as well."""
    bench, limits = make_bench(["hello"]), allowance(1, None)
    await _ask(bench, limits)
    exchange: Exchange = bench.exchange()
    exchange.allowance = limits

    async def read(_: Exchange) -> None:
        raise AssertionError("it was read")

    exchange.read = read
    with pytest.raises(RateLimited):
        await bench.service(exchange)


async def test_tokens_are_reserved_and_settled(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What the worker says it has spent counts in the end, and a debt has to be paid off first."""
    bench = make_bench(["hello"])
    limits = Allowance(tokens=Bucket(600))
    exchange = await _ask(bench, limits)
    usages = [attempt.usage for attempt in exchange.trail.attempts if attempt.usage]
    [usage] = usages
    assert _level(limits) == pytest.approx(600 - usage.input_tokens - usage.output_tokens)
    assert limits.tokens is not None
    limits.tokens.settle(1000, trio.current_time())
    assert await _wait_s(bench, limits) > 40.0
    assert _outcomes(bench) == [Outcome.SERVED, Outcome.REFUSED]


async def test_what_was_reserved_for_a_failure_comes_back(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Whoever was not served has spent nothing, however it ended."""
    bench = make_bench([FailureKind.SERVER_ERROR])
    limits = Allowance(tokens=Bucket(600))
    with pytest.raises(WorkerFailed):
        await _ask(bench, limits)
    assert _level(limits) == pytest.approx(600)

    slow = make_bench([100.0, "hello"])
    with trio.move_on_after(1.0):
        await _ask(slow, limits)
    assert _level(limits) > 590


async def test_texts_to_embed_count_as_well(make_bench: Any) -> None:
    """Four bytes are a token, before the worker tells."""
    bench, limits = make_bench(["hello"]), Allowance(tokens=Bucket(10))
    exchange: Exchange = bench.exchange()
    exchange.request = EmbeddingRequest(model="m", texts=("x" * 400,))
    exchange.allowance = limits
    await bench.service(exchange)
    assert _level(limits) == pytest.approx(7.0, abs=0.1), "the worker has told of 3"


async def test_without_limits_nothing_is_counted(make_bench: Any) -> None:
    """Nor with an allowance that has none."""
    bench = make_bench(["hello"])
    for limits in (None, Allowance()):
        await _ask(bench, limits)
    assert _outcomes(bench) == [Outcome.SERVED] * 2
