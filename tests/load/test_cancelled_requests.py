"""Clients that leave at any moment leave nothing behind: no slot, no file, no memory, no task.

The tasks of a node cannot be counted from outside. One that is left behind keeps its request, so
thousands of them show in the memory, and those of a connection keep the node from stopping.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs
import pytest
import trio

from cortexd.providers.transport.pool import IDLE_S_MAX
from tests.load.asking import DOORS, ask, connected
from tests.load.errands import LIKELY, Errand, draw, run_all, until_sent
from tests.load.plan import Plan
from tests.load.upstream import Upstream

if TYPE_CHECKING:
    from tests.load.conftest import Figures, Node

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SEED: Final = 20261121
REQUESTS: Final = 10_000
WARMING_UP: Final = 1_000
CLIENTS: Final = 100
CROWD: Final = 60
BUSY_SLOTS: Final = 2
LONG_BYTES: Final = 32 * 1024
"""More than a node writes to a worker before it listens for the answer."""

WAITING: Final = (
    ("busy", 0, 0),
    ("deaf", 0, 0),
    ("steady", 0, 0),
    ("steady", 0, LONG_BYTES),
    ("steady", 1, 0),
)
"""Whom the crowd asks, behind how many pieces that falls silent, and how long the question is."""

HANGS_S: Final = 600.0
GROWTH_BYTES_MAX: Final = 16 * 2**20
THREADS_MORE_MAX: Final = 8

WORKER: Final = """
[[workers]]
name = "{name}"
type = "openai"
base_url = "{url}/v1"
models = ["m"]
max_concurrency = {slots}
queue_max = 200
connect_seconds = 600
first_token_seconds = 600
idle_seconds = 600
"""

log = logging.getLogger(__name__)


@attrs.frozen
class Scene:
    """A node with three workers: `steady` and `busy` are one server, `deaf` is another."""

    node: "Node"
    upstream: Upstream
    deaf: Upstream

    async def wait(self, until: Callable[[], object]) -> None:
        """Look again and again, without holding up the clients."""
        await trio.to_thread.run_sync(self.node.wait, until)

    @asynccontextmanager
    async def crowded(self) -> AsyncIterator[None]:
        """For the length of the block all slots of `busy` are taken, and `deaf` has no room."""
        with self.deaf.deaf():
            async with trio.open_nursery() as nursery:
                for index in range(BUSY_SLOTS):
                    plan = Plan(name=f"holder-{id(nursery)}-{index}", held_after=1)
                    nursery.start_soon(self.hold, "busy", plan)
                    await until_sent(self.upstream, plan, 1)
                yield
                nursery.cancel_scope.cancel()

    async def hold(self, worker: str, plan: Plan) -> None:
        """A client that waits for what will not come."""
        async with connected(self.node.port) as client:
            await client.stream.send_all(DOORS[0].request(f"{worker}/m", plan, stream=True))
            await client.hear()

    async def settle(self, name: str) -> "Figures":
        """What the node holds when it is idle, and has let go of what it does not need.

        It lets go of idle connections when it is next asked: the last one of each worker stays.
        """
        await self.wait(self.node.is_idle)
        await trio.sleep(IDLE_S_MAX + 0.1)
        with self.deaf.serving():
            for worker in ("steady", "busy", "deaf"):
                for door in DOORS:
                    plan = Plan(name=f"{name}-{worker}-{door.name}")
                    answer = await ask(self.node.port, door, f"{worker}/m", plan, stream=True)
                    answer.check(door, plan, stream=True)
            await self.wait(lambda: (self.upstream.open, self.deaf.open) == (2, 1))
            await self.wait(self.node.is_idle)
            figures = self.node.figures()
        log.info("%s: %s", name, figures)
        return figures


@pytest.fixture
def scene(start_node: Callable[[str], "Node"]) -> Iterator[Scene]:
    """All workers are well when the node begins."""
    upstream, deaf = Upstream(), Upstream(backlog=0)
    workers = (("steady", upstream, 200), ("busy", upstream, BUSY_SLOTS), ("deaf", deaf, 200))
    with upstream.serving():
        with deaf.serving():
            node = start_node(
                "".join(
                    WORKER.format(name=name, url=server.url, slots=slots)
                    for name, server, slots in workers
                )
            )
        yield Scene(node, upstream, deaf)
    upstream.close()
    deaf.close()


async def test_a_crowd_that_leaves_frees_every_place(scene: Scene) -> None:
    """Waiting for a slot, a connection, a first token or the next: all leave at once."""
    node, asked = scene.node, scene.upstream.asked
    waiting = {
        Plan(name=f"{worker}-{at}-{size}-{index}", held_after=at, asked_bytes=size): worker
        for worker, at, size in WAITING
        for index in range(CROWD)
    }
    held = [plan.name for plan, worker in waiting.items() if worker == "steady"]
    full = {"steady": (3 * CROWD, 0), "busy": (BUSY_SLOTS, CROWD), "deaf": (CROWD, 0)}
    in_flight = {"node": (5 * CROWD + BUSY_SLOTS, 0)}
    with trio.fail_after(HANGS_S):
        async with scene.crowded(), trio.open_nursery() as nursery:
            for plan, worker in waiting.items():
                nursery.start_soon(scene.hold, worker, plan)
            await scene.wait(lambda: node.loads() == full | in_flight)
            await scene.wait(lambda: asked.keys() >= set(held))
            nursery.cancel_scope.cancel()
        await scene.wait(node.is_idle)
        await scene.wait(lambda: len(node.outcomes()) >= len(waiting) + BUSY_SLOTS)

    ended = node.outcomes()
    outcomes = Counter((worker, *ended[plan.name]) for plan, worker in waiting.items())
    assert set(outcomes) == {(worker, "client_left") for worker in full}
    assert {plan.name for plan in waiting} & asked.keys() == set(held)
    await scene.wait(lambda: all(asked[name].is_cut for name in held))
    assert (await trio.to_thread.run_sync(node.daemon.stop), node.failures()) == (0, [])


async def test_ten_thousand_cancelled_requests_leave_nothing_behind(scene: Scene) -> None:
    """Neither slots, tasks, files nor memory; each exchange that began has had one outcome."""
    node, upstream = scene.node, scene.upstream
    errands, tree = draw(REQUESTS, seed=SEED), node.tree()
    with trio.fail_after(HANGS_S):
        async with scene.crowded():
            await run_all(errands[:WARMING_UP], node.port, upstream, clients=CLIENTS)
        before, tasks = await scene.settle("before"), node.tasks()
    with trio.fail_after(HANGS_S):
        async with scene.crowded():
            await run_all(errands[WARMING_UP:], node.port, upstream, clients=CLIENTS)
    with trio.fail_after(HANGS_S):
        after = await scene.settle("after")
        await scene.wait(lambda: node.figures().files <= before.files)
        await scene.wait(lambda: node.tasks() <= tasks)

    ended = node.outcomes()
    log.info("%s", Counter((errand.moment.name, *_ends(errand, ended)) for errand in errands))
    assert after.threads <= before.threads + THREADS_MORE_MAX
    assert after.memory - before.memory < GROWTH_BYTES_MAX
    assert node.tree() == tree
    unlikely = [errand for errand in errands if not _is_likely(errand, ended, upstream)]
    assert [(errand, *_ends(errand, ended)) for errand in unlikely] == []
    assert (await trio.to_thread.run_sync(node.daemon.stop), node.failures()) == (0, [])


def _ends(errand: Errand, ended: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(ended.get(errand.plan.name, ()))


def _is_likely(errand: Errand, ended: dict[str, list[str]], upstream: Upstream) -> bool:
    """Whether the exchange has ended as it may, and only once; not at all if it never began."""
    ends = _ends(errand, ended)
    return ends in LIKELY[errand.moment] and (errand.plan.name not in upstream.asked or ends != ())
