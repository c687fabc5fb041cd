"""A thousand clients at once, each with a stream of its own."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest
import trio

from tests.load.asking import DOORS, ask
from tests.load.plan import Plan
from tests.load.upstream import Upstream

if TYPE_CHECKING:
    from tests.load.conftest import Node

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STREAMS: Final = 1000
PIECES: Final = 64
GAP_S: Final = 0.05
RAMP_S: Final = 2.0
HANGS_S: Final = 120.0

WORKER: Final = """
[[workers]]
name = "paced"
type = "openai"
base_url = "{url}/v1"
models = ["m"]
max_concurrency = 1000
queue_max = 0
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A model server."""
    server = Upstream()
    with server.serving():
        yield server
    server.close()


async def test_a_thousand_streams_run_side_by_side(
    upstream: Upstream, start_node: Callable[[str], "Node"]
) -> None:
    """All of them are open before any goes on, and each brings every piece, in its order."""
    node = start_node(WORKER.format(url=upstream.url))
    before = node.figures()

    async def read_one(index: int) -> None:
        door = DOORS[index % len(DOORS)]
        plan = Plan(name=f"stream-{index}", pieces=PIECES, gap_s=GAP_S, crowd=STREAMS)
        await trio.sleep(index / STREAMS * RAMP_S)
        answer = await ask(node.port, door, "paced/m", plan, stream=True)
        answer.check(door, plan, stream=True)

    with trio.fail_after(HANGS_S):
        async with trio.open_nursery() as nursery:
            for index in range(STREAMS):
                nursery.start_soon(read_one, index)
            await trio.to_thread.run_sync(
                node.wait, lambda: node.loads()["paced"] == (STREAMS, 0), abandon_on_cancel=True
            )
        await trio.to_thread.run_sync(node.wait, node.is_idle)

    assert set(map(tuple, node.outcomes().values())) == {("served",)}
    assert len(node.outcomes()) == STREAMS
    assert node.failures() == []
    assert node.figures().files - before.files <= STREAMS  # those that idle towards the worker
