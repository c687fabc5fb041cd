"""Many requests and sick workers, in virtual time: U28, U30 and U31 of the catalogue."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs
import pytest
import trio

from cortexd.domain.errors import CortexError
from cortexd.domain.events import BreakerChanged
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome
from cortexd.policy.retry_budget import WINDOW_S
from tests.parts import CHANCE
from tests.pipeline.conftest import Bench, MakeBench, Step
from tests.pipeline.conftest import make_bench as make_bench  # noqa: PLC0414  a shared fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

ANSWER_S: Final = 0.2
RATE: Final = 25
"""Requests a second; a worker has slots for more than that at ANSWER_S each."""

REQUESTS: Final = 2_500


@pytest.fixture(autouse=True)
def same_chances() -> None:
    """Whatever ran before, a storm is the same storm."""
    CHANCE.seed(1)


@attrs.define(eq=False)
class Conduct(Sequence[Step]):
    """The steps of a worker that fails when `is_sick` says so, given how many calls came before.

    `calls_at`: when it was called, in seconds.
    """

    is_sick: Callable[[int], bool]
    sickness: Step = FailureKind.SERVER_ERROR
    calls_at: list[float] = attrs.Factory(list)

    def __iter__(self) -> Iterator[Step]:
        sick = self.is_sick(len(self.calls_at))
        self.calls_at.append(trio.current_time())
        return iter((ANSWER_S, self.sickness if sick else "well"))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: object) -> Step:  # type: ignore[override]
        raise AssertionError("a worker plays all steps, in order")


def evenly(share: float) -> Conduct:
    """Fails that share of its calls, evenly spread."""
    return Conduct(lambda call: math.floor((call + 1) * share) > math.floor(call * share))


def always_well() -> Conduct:
    """Never fails."""
    return evenly(0.0)


@attrs.define(eq=False)
class Storm:
    """Requests that come at a steady rate, whatever becomes of those before them."""

    bench: Bench
    served_at: list[float] = attrs.Factory(list)

    async def blow(self, requests: int, *, rate: float = RATE) -> None:
        """Send so many, and wait for the last answer."""
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(requests):
                await trio.sleep_until(start + number / rate)
                nursery.start_soon(self._ask)

    async def _ask(self) -> None:
        exchange = self.bench.exchange(timeout_s=30.0)
        try:
            await self.bench.service(exchange)
        except CortexError:
            return
        self.served_at.append(trio.current_time())

    def outcomes(self) -> Counter[Outcome]:
        """How the exchanges have ended."""
        return Counter(ended.outcome for ended in self.bench.ended())

    def goodput(self, since: float, until: float) -> float:
        """Answers a second between these times."""
        return sum(since <= at < until for at in self.served_at) / (until - since)

    def openings(self, worker: str) -> list[BreakerChanged]:
        """When its breaker opened."""
        return [
            event
            for event in self.bench.events
            if isinstance(event, BreakerChanged) and (event.worker, event.after) == (worker, "open")
        ]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 1.0])
async def test_u28_one_of_two_fails(make_bench: MakeBench, share: float) -> None:
    """Clients hardly notice, and the failures are not multiplied."""
    sick, well = evenly(share), always_well()
    storm = Storm(make_bench(sick, well, slots=64))
    await storm.blow(REQUESTS)
    assert storm.outcomes()[Outcome.SERVED] >= 0.99 * REQUESTS
    assert len(sick.calls_at) + len(well.calls_at) <= 1.2 * REQUESTS
    assert bool(storm.openings("a")) == (share >= 0.5)
    assert storm.openings("b") == []
    assert storm.bench.idle()


async def test_u28_both_fail_always(make_bench: MakeBench) -> None:
    """Where nobody can help, retries do not add to the load, and few requests get through."""
    workers = evenly(1.0), evenly(1.0)
    storm = Storm(make_bench(*workers, slots=64))
    await storm.blow(REQUESTS)
    late = [at for worker in workers for at in worker.calls_at if at >= 10.0]
    assert len(late) <= 1.2 * (REQUESTS - 10 * RATE)
    assert storm.outcomes()[Outcome.SERVED] == 0
    # Nine in ten are told at once to come again.
    assert len(late) <= 0.2 * REQUESTS
    assert storm.bench.idle()


@pytest.mark.parametrize("share", [0.1, 0.3])
async def test_u28_the_only_one_fails_at_times(make_bench: MakeBench, share: float) -> None:
    """Its retries help, and stay within their budget: a fifth of the requests, and one a second."""
    sick = evenly(share)
    storm = Storm(make_bench(sick, slots=64))
    await storm.blow(REQUESTS)
    seconds = REQUESTS / RATE + WINDOW_S
    assert len(sick.calls_at) <= 1.2 * REQUESTS + seconds
    assert storm.outcomes()[Outcome.SERVED] > (1.0 - 0.5 * share) * REQUESTS
    assert storm.openings("a") == []


OUTAGE: Final = (20.0, 80.0)


def out(sickness: Step) -> Conduct:
    """Fails for a minute."""
    return Conduct(lambda _: OUTAGE[0] <= trio.current_time() < OUTAGE[1], sickness)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sickness", [FailureKind.SERVER_ERROR, 1000.0], ids=["errors", "silence"])
async def test_u30_recovers_after_an_outage(
    make_bench: MakeBench, workers: int, sickness: Step
) -> None:
    """Under full load it is back soon, and stays."""
    storm = Storm(make_bench(*(out(sickness) for _ in range(workers)), slots=6))
    await storm.blow(round(150 * RATE))
    before = storm.goodput(5.0, OUTAGE[0])
    assert before == pytest.approx(RATE, rel=0.05)
    healed = OUTAGE[1] + 15.0
    for since in range(round(healed), 145, 5):
        assert storm.goodput(since, since + 5) >= 0.95 * before, since
    assert storm.bench.idle()


async def test_u31_flapping(make_bench: MakeBench) -> None:
    """The longer it goes on the longer the worker is left alone; clients see nothing of it."""
    flapping = Conduct(lambda _: trio.current_time() % 10.0 >= 5.0)
    storm = Storm(make_bench(flapping, always_well(), slots=64))
    await storm.blow(3_600, rate=3)
    assert storm.outcomes()[Outcome.SERVED] == 3_600
    rests = [event.open_s or 0.0 for event in storm.openings("a")]
    assert 24.0 <= rests[0] <= 36.0
    assert rests[-1] >= 192.0
    # Resting half a minute each time, it would have been some forty times.
    assert len(rests) <= 10, rests
