"""What clients notice of sick workers in ten thousand requests, in virtual time; U29 besides."""

import random
from collections.abc import Iterator
from typing import Final

import attrs
import pytest
import trio

from cortexd.domain.outcome import Outcome
from cortexd.policy.circuit_breaker import BreakerSettings
from tests.faults.test_faults_upstream_storms import ANSWER_S, RATE, Conduct, Storm, always_well
from tests.pipeline.conftest import MakeBench, Step
from tests.pipeline.conftest import make_bench as make_bench  # noqa: PLC0414  a shared fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

REQUESTS: Final = 10_000
SLOW_REQUESTS: Final = 5_000
SEED: Final = 5


def by_chance(share: float) -> Conduct:
    """Fails that share of its calls, any of them."""
    chance = random.Random(SEED)  # noqa: S311  it has to come again, not to be secret
    return Conduct(lambda _: chance.random() < share)


async def test_three_in_ten_calls_of_one_worker_fail(make_bench: MakeBench) -> None:
    """With a healthy spare, one client in a thousand may notice, and load hardly grows."""
    sick, well = by_chance(0.3), always_well()
    storm = Storm(make_bench(sick, well, slots=64))
    await storm.blow(REQUESTS)
    assert storm.outcomes()[Outcome.SERVED] >= 0.999 * REQUESTS
    assert len(sick.calls_at) + len(well.calls_at) <= 1.2 * REQUESTS
    # Of a worker that is left alone for ever nobody would know when it has healed.
    assert sick.calls_at[-1] > 0.9 * REQUESTS / RATE
    assert storm.bench.idle()


async def test_all_workers_fail_always(make_bench: MakeBench) -> None:
    """Behind the first ten seconds they are asked no more often than there are requests."""
    workers = by_chance(1.0), by_chance(1.0), by_chance(1.0)
    storm = Storm(make_bench(*workers, slots=64))
    await storm.blow(REQUESTS)
    late = sum(at >= 10.0 for worker in workers for at in worker.calls_at)
    assert late <= 1.2 * (REQUESTS - 10 * RATE)
    assert storm.bench.idle()


@attrs.define(eq=False)
class Slowing(Conduct):
    """Takes ten times as long when `is_sick` says so."""

    def __iter__(self) -> Iterator[Step]:
        sick = self.is_sick(len(self.calls_at))
        self.calls_at.append(trio.current_time())
        return iter((10 * ANSWER_S if sick else ANSWER_S, "well"))


async def test_u29_ten_times_slower(make_bench: MakeBench) -> None:
    """No error, and yet its breaker opens; what others answer takes as long as before."""
    slow_from = 60.0
    slowing = Slowing(lambda _: trio.current_time() >= slow_from)
    breaker = BreakerSettings(slow_call_seconds=5 * ANSWER_S)
    bench = make_bench(slowing, always_well(), always_well(), slots=64, breaker=breaker)
    storm = Storm(bench)
    others: list[float] = []

    async def ask_another() -> None:
        for _ in range(1_000):
            began_at = trio.current_time()
            await bench.service(bench.exchange(model="c/m"))
            others.append(trio.current_time() - began_at)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_another)
        await storm.blow(SLOW_REQUESTS)

    (opened, *_) = storm.openings("a")
    assert "slow" in opened.reason
    assert storm.outcomes()[Outcome.SERVED] == SLOW_REQUESTS + len(others)
    # What was fast before stays in the window for half a minute; then it is tried now and then.
    late = [at for at in slowing.calls_at if at >= slow_from + 30.0]
    assert len(late) < 0.1 * (SLOW_REQUESTS - (slow_from + 30.0) * RATE)
    assert max(others) <= 1.1 * ANSWER_S
