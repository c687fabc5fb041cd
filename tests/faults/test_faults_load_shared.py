"""S1 and S3 on a real node: one too many, and a thousand who ask the same at once.

How that goes on for a minute is shown on the virtual clock, in `test_faults_load.py`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.daemon import running_daemon
from tests.fakes.openai import OpenAi
from tests.fakes.scene import Scene
from tests.fakes.server import Reply
from tests.faults.client import HANGS_S, Farewell, FaultyClient, ask, chat, connected, until
from tests.faults.upstream import ServerLoop, Upstream
from tests.faults.upstream_wire import Wire, play
from tests.load.conftest import PROBED_ONCE, Node, many_files  # noqa: F401  a fixture for all

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CROWD: Final = 1000
TEXT: Final = "all is well that ends well"

CONFIG: Final = """
[cache]
enabled = true
"""

WORKER: Final = """
[[workers]]
name = "{name}"
type = "openai"
base_url = "http://127.0.0.1:{port}/v1"
models = ["m1"]
api_keys = ["env:FAULTS_KEY"]
{room}
"""

ROOMS: Final = {
    "wide": "max_concurrency = 2000",
    "narrow": "max_concurrency = 1\nqueue_max = 0",
}
"""In the one there is room for all, so that it is no queue that they share."""


@attrs.frozen
class Shared:
    """A node, and the server behind it, which waits for the test before it says anything."""

    node: Node
    upstream: Upstream


@pytest.fixture
def shared(loop: ServerLoop, tmp_path: Path) -> Iterator[Shared]:
    """A node with two workers, which are one server."""
    upstream = loop.upstream(OpenAi())
    upstream.fake.play(Scene.text(TEXT))
    upstream.fault = _wait_then_play
    (key,) = upstream.fake.keys
    workers = "".join(
        WORKER.format(name=name, port=upstream.port, room=room) for name, room in ROOMS.items()
    )
    config = PROBED_ONCE + CONFIG + workers
    with running_daemon(tmp_path, config, environ={"FAULTS_KEY": key}) as daemon:
        for name in ROOMS:
            daemon.wait_available(name)
        yield Shared(Node(daemon), upstream)


async def _wait_then_play(wire: Wire, reply: Reply) -> None:
    await wire.wait_released()
    await play(wire, reply)


async def test_s1_who_finds_no_place_is_told_when_to_come_again(shared: Shared) -> None:
    """503 and retry-after, in the client's dialect; and there is a place, once it is free."""
    node, upstream = shared.node, shared.upstream
    async with connected(node.port) as client:
        await client.send(chat("the first", model="narrow/m1"))
        await until(node, lambda: upstream.asked)
        refused = await ask(node.port, chat("one too many", model="narrow/m1"))
        await trio.to_thread.run_sync(upstream.release)
        await client.hear()
    served = await ask(node.port, chat("one too many", model="narrow/m1"))
    assert (refused.status, refused.document["error"]["code"]) == (503, "worker_busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert [(each.status, each.said) for each in (client.answer, served)] == [(200, TEXT)] * 2
    assert len(upstream.asked) == 2


@pytest.mark.parametrize("farewell", [None, Farewell.RST], ids=["all stay", "the leader leaves"])
async def test_s3_a_thousand_equal_requests(shared: Shared, farewell: Farewell | None) -> None:
    """One call of the worker serves them all, also when the client that began it is gone."""
    node, upstream = shared.node, shared.upstream
    async with AsyncExitStack() as stack:
        clients: list[FaultyClient] = []
        for number in range(CROWD):
            clients.append(await stack.enter_async_context(connected(node.port)))
            await clients[-1].send(chat("the same", model="wide/m1", request_id=f"r-{number}"))
            if number == 0:
                await until(node, lambda: upstream.asked)
        await until(node, lambda: node.loads()["node"] == (CROWD, 0))
        if farewell is not None:
            clients.pop(0).leave(farewell)
            await until(node, lambda: node.outcomes().get("r-0"))
        await trio.to_thread.run_sync(upstream.release)
        with trio.fail_after(HANGS_S):
            for client in clients:
                await client.hear()
    assert Counter((each.answer.status, each.answer.said) for each in clients) == {
        (200, TEXT): len(clients)
    }
    assert {each.answer.headers["x-cortexd-attempts"][0] for each in clients} == {"1"}
    assert len(upstream.asked) == 1
    await until(node, node.is_idle)
    outcomes = Counter(name for names in node.outcomes().values() for name in names)
    assert outcomes == Counter(served=len(clients), client_left=CROWD - len(clients))
