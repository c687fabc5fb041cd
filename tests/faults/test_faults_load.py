"""S1, S2 and S3 on the virtual clock: too much of everything, and who feels it.

Ratios of virtual times are exact, and are asserted; nothing here depends on how fast a machine is.
S5 does not concern this node yet: it has no alerts.
"""

import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import attrs
import pytest
import trio

from cortexd.domain.chat import ChatRequest
from cortexd.domain.ids import FIRST_KEY, NOBODY, KeyIndex, Tenant
from cortexd.domain.outcome import Outcome
from cortexd.http.error_responses import describe
from cortexd.ports import ChatProvider, ChatStream
from cortexd.runtime.application import Application
from tests.faults.virtual_node import SEED, Told, VirtualNode, running_node

LOAD_S: Final = 60.0
SLOTS: Final = 4
SERVICE_S: Final = 1.0
CAPACITY: Final = SLOTS / SERVICE_S
"""Requests a second that the worker can serve."""

GOODPUT_MIN: Final = 0.9
RECOVERY_S_MAX: Final = 5.0

CONFIG: Final = f"""
[[workers]]
name = "worker"
type = "scripted"
max_concurrency = {SLOTS}
queue_max = 16
script = [{{ wait = {SERVICE_S} }}, {{ say = "all is well", split = "words" }}]
"""

SHARED_SLOTS: Final = 16
UNEVEN: Final = f"""
[[workers]]
name = "worker"
type = "scripted"
max_concurrency = {SHARED_SLOTS}
queue_max = 64
script = [{{ say = "all is well", split = "words" }}]
"""
"""How long it takes is a matter of the question."""

TENANTS: Final = tuple(Tenant(f"tenant-{number}") for number in range(4))
FLOODER: Final = Tenant("flooder")
TENANT_RATE: Final = 0.5 * SHARED_SLOTS / SERVICE_S / len(TENANTS)
"""All of them together need half of the worker."""
FLOOD_RATE: Final = 3 * SHARED_SLOTS / SERVICE_S
TIME_MORE_MAX: Final = 1.2
SUCCESS_MIN: Final = 0.999

CROWD: Final = 1000


@attrs.define(eq=False)
class Arrivals:
    """Requests that come by chance, so many a second in the mean, whatever becomes of them."""

    node: VirtualNode
    chance: random.Random
    told: list[Told] = attrs.Factory(list)

    async def come(self, rate: float, seconds: float, *, tenant: Tenant = NOBODY) -> None:
        """Send them for so long, and wait for the last answer."""
        end = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:
            number = 0
            while trio.current_time() < end:
                nursery.start_soon(self._ask, f"{tenant} asks {number}", tenant)
                number += 1
                await trio.sleep(self.chance.expovariate(rate))

    async def _ask(self, text: str, tenant: Tenant) -> None:
        self.told.append(await self.node.ask(text, tenant=tenant))

    @property
    def served(self) -> list[Told]:
        """Those that got the whole answer."""
        return [each for each in self.told if each.is_whole]


def _arrivals(node: VirtualNode, seed: str = "") -> Arrivals:
    return Arrivals(node, random.Random(f"{SEED}{seed}"))  # noqa: S311  it has to come again


class Counting:
    """Counts what a worker is asked. `is_uneven`: it thinks as long as the question is hard."""

    def __init__(self, worker: ChatProvider, *, is_uneven: bool) -> None:
        self._worker = worker
        self._is_uneven = is_uneven
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)

    @asynccontextmanager
    async def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AsyncIterator[ChatStream]:
        """Think, then play the script."""
        text = request.messages[-1].text
        self.asked[text] += 1
        if self._is_uneven:
            hardness = random.Random(text)  # noqa: S311  it has to be as hard each time
            await trio.sleep(hardness.expovariate(1 / SERVICE_S))
        async with self._worker.open_chat(request, model=model, key=key) as stream:
            yield stream


def _counting(app: Application, *, is_uneven: bool = False) -> Application:
    """The same node over a worker of that kind."""
    (worker,) = app.pool.roster.value
    counting: Any = Counting(worker.provider, is_uneven=is_uneven)
    app.pool.roster.publish((attrs.evolve(worker, provider=counting),))
    return app


def _p99(told: Sequence[Told]) -> float:
    return quantiles([each.seconds for each in told], n=100)[-1]


async def test_s1_the_peak_is_what_the_worker_can_do(tmp_path: Path) -> None:
    """Up to its capacity nobody is turned away."""
    async with running_node(tmp_path, CONFIG) as node:
        arrivals = _arrivals(node)
        await arrivals.come(CAPACITY * 0.8, LOAD_S)
    assert len(arrivals.served) == len(arrivals.told) > CAPACITY * 0.7 * LOAD_S


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 5, 10])
async def test_s1_load_beyond_capacity(tmp_path: Path, times: int) -> None:
    """As much is served as ever, the rest is turned away at once and told when to come again."""
    async with running_node(tmp_path, CONFIG) as node:
        arrivals = _arrivals(node)
        began_at = trio.current_time()
        await arrivals.come(CAPACITY * times, LOAD_S)
        seconds = trio.current_time() - began_at
        refused = [each for each in arrivals.told if not each.is_whole]

        assert len(arrivals.served) / seconds >= GOODPUT_MIN * CAPACITY
        assert max(each.seconds for each in refused) == 0
        answers = [describe(each.error) for each in refused if each.error is not None]
        assert len(answers) == len(refused) > (times - 2) * CAPACITY * LOAD_S
        assert {answer.status for answer in answers} == {503}
        assert all(int(dict(answer.headers)["retry-after"]) >= 1 for answer in answers)

        assert node.is_idle()
        assert seconds - LOAD_S <= RECOVERY_S_MAX
        assert (await node.ask()).seconds == pytest.approx(SERVICE_S)


@pytest.mark.slow
async def test_s2_one_tenant_floods(tmp_path: Path) -> None:
    """The others are served as if it were not there, but for a moment in the queue."""
    alone, flooded = [await _with_flood(tmp_path, rate) for rate in (0.0, FLOOD_RATE)]
    assert len(alone) == len(flooded) > 400
    assert sum(each.is_whole for each in flooded) / len(flooded) >= SUCCESS_MIN
    assert _p99(flooded) <= TIME_MORE_MAX * _p99(alone)


async def _with_flood(folder: Path, flood_rate: float) -> list[Told]:
    """What the well-behaved tenants were told."""
    async with (
        running_node(folder, UNEVEN, adapt=partial(_counting, is_uneven=True)) as node,
        trio.open_nursery() as flood,
    ):
        flood.cancel_scope.deadline = trio.current_time() + 2 * LOAD_S
        if flood_rate:
            flooding = _arrivals(node, "flood")
            flood.start_soon(partial(flooding.come, flood_rate, math.inf, tenant=FLOODER))
        others = [_arrivals(node, tenant) for tenant in TENANTS]
        async with trio.open_nursery() as nursery:
            for each, tenant in zip(others, TENANTS, strict=True):
                nursery.start_soon(partial(each.come, TENANT_RATE, LOAD_S, tenant=tenant))
        flood.cancel_scope.cancel()
    return [told for each in others for told in each.told]


@pytest.mark.slow
async def test_s3_a_thousand_equal_requests_at_once(tmp_path: Path) -> None:
    """The worker is asked once, and everybody has its answer."""
    async with running_node(tmp_path, CONFIG, adapt=_counting) as node:
        told: list[Told] = []
        async with trio.open_nursery() as nursery:
            for _ in range(CROWD):
                nursery.start_soon(_ask_the_same, node, told)
        assert _asked(node) == {"the same": 1}
    assert [each.text for each in told if each.is_whole] == ["all is well"] * CROWD
    assert node.outcomes == {Outcome.SERVED: CROWD}


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.5, 2.5], ids=["before the first token", "mid-stream"])
async def test_s3_the_leader_leaves(tmp_path: Path, after_s: float) -> None:
    """Whoever asked first is nobody special: the others get the answer of its call."""
    slow = CONFIG.replace('split = "words"', 'split = "words", every = 1')
    async with running_node(tmp_path, slow, adapt=_counting) as node:
        told: list[Told] = []
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(after_s) as leader:
                for _ in range(CROWD - 1):
                    nursery.start_soon(_ask_the_same, node, told)
                await node.ask("the same")
        assert leader.cancelled_caught
        assert _asked(node) == {"the same": 1}
    assert [each.text for each in told if each.is_whole] == ["all is well"] * (CROWD - 1)
    assert node.outcomes == {Outcome.SERVED: CROWD - 1, Outcome.CLIENT_LEFT: 1}


@pytest.mark.slow
async def test_s3_a_crowd_costs_what_it_is_large(tmp_path: Path) -> None:
    """Four times as many who come one after the other are about four times the work."""

    async def steps(crowd: int) -> int:
        async with running_node(tmp_path, CONFIG) as node:
            told: list[Told] = []
            counting = Steps()
            trio.lowlevel.add_instrument(counting)
            async with trio.open_nursery() as nursery:
                for _ in range(crowd):
                    nursery.start_soon(_ask_the_same, node, told)
                    await trio.sleep(SERVICE_S / 2 / crowd)
            trio.lowlevel.remove_instrument(counting)
        assert [each.text for each in told] == ["all is well"] * crowd
        return counting.count

    assert await steps(400) < 8 * await steps(100)


class Steps(trio.abc.Instrument):
    """Counts how often a task gets its turn."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


async def _ask_the_same(node: VirtualNode, told: list[Told]) -> None:
    told.append(await node.ask("the same"))


def _asked(node: VirtualNode) -> Counter[str]:
    (worker,) = node.app.pool.roster.value
    counting: Any = worker.provider
    asked: Counter[str] = counting.asked
    return asked
