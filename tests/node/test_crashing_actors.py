"""Any actor, and any branch but the doors, may crash under load without a client noticing."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from cortexd.actors.alert_manager import ALERT_MANAGER
from cortexd.actors.health_monitor import HEALTH_MONITOR
from cortexd.actors.load_monitor import LOAD_MONITOR
from cortexd.actors.metrics import NODE_METRICS
from cortexd.actors.worker_pool import WORKER_POOL
from cortexd.actors.worker_registry import WORKER_REGISTRY
from cortexd.config.load import load
from cortexd.runtime.application import build_application
from cortexd.runtime.doors import doors_on
from cortexd.runtime.listening import Listening, listen
from cortexd.runtime.supervision import (
    ALERT_CHANNELS,
    DOORS,
    ENGINES,
    STATE,
    WORKERS,
    supervision_tree,
)
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import (
    ChildStarted,
    Event,
    Name,
    NodeSnapshot,
    RestartIntensityExceeded,
    open_tree,
    whereis,
)
from supervisor_tree.testing import crash

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

CRASHES = 20
STREAMS = 8
WORDS = 20
TEXT = "word " * WORDS
HANGS_S = 300.0
"""A limit for what hangs, not an expectation."""

CONFIG = """
[node]
state_dir = "{folder}/state"
[data]
bind = ["127.0.0.1:0"]
[admin]
bind = ["127.0.0.1:0"]
[health]
interval_seconds = 0.2
timeout_seconds = 0.1
[[workers]]
name = "talker"
type = "scripted"
max_concurrency = 100
script = [{{ repeat = 20, steps = [{{ wait = 0.01 }}, {{ say = "word " }}] }}]
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Any, Listening]]:
    """A configuration and its open sockets."""
    path = tmp_path / "cortexd.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    config = load(path, {})
    with ExitStack() as stack:
        opened = listen(config)
        for sock in (*opened.data, *opened.admin):
            stack.enter_context(sock)
        yield config, opened


class Load:
    """Clients that ask again and again, and check each answer to the last letter."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.streams = 0
        self.faults: list[str] = []
        self.stopping = False
        self._answered = trio.Event()

    async def next_answer(self) -> None:
        """Wait for the end of an answer, whosever it is."""
        await self._answered.wait()

    async def client(self) -> None:
        """One client, until told to stop."""
        async with httpx.AsyncClient(timeout=30) as client:
            while not self.stopping:
                await self._stream(client)

    async def _stream(self, client: httpx.AsyncClient) -> None:
        body = {"messages": [{"role": "user", "content": "go"}], "stream": True}
        async with client.stream("POST", self._url + "/api/chat", json=body) as answer:
            text = (await answer.aread()).decode()
        lines = [json.loads(line) for line in text.splitlines()]
        said = "".join(line.get("message", {}).get("content", "") for line in lines)
        if answer.status_code != 200 or said != TEXT or not lines[-1].get("done"):
            self.faults.append(f"{answer.status_code} {text[-300:]}")
        self.streams += 1
        self._answered.set()
        self._answered = trio.Event()


def _restarts(snapshot: NodeSnapshot, path: str) -> int:
    if snapshot.path == path:
        return snapshot.restarts
    return sum(_restarts(child, path) for child in snapshot.children)


async def _started(events: AsyncIterator[Event], path: str) -> None:
    async for event in events:
        if isinstance(event, ChildStarted) and event.path == path:
            return


async def test_a_node_whose_doors_keep_crashing_gives_up(
    listening: tuple[Any, Listening],
) -> None:
    """Three restarts, and then the whole tree ends: its service manager knows what to do."""
    config, opened = listening
    app = build_application(config, Surroundings())
    with trio.fail_after(HANGS_S), pytest.raises(RestartIntensityExceeded) as caught:
        async with open_tree(supervision_tree(app, doors_on(opened, app))) as tree:
            for _ in range(4):
                doors = whereis(DOORS).started_value
                (door,) = [child for child in doors.which_children() if child.id == "data-door"]
                async with tree.events() as events:
                    await crash(door.ref)
                    await _started(events, "root/doors/data-door")

    assert caught.value.child_id == "doors"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (WORKER_REGISTRY, "root/workers/worker-registry"),
        (WORKER_POOL, "root/workers/worker-pool"),
        (HEALTH_MONITOR, "root/workers/health-monitor"),
        (NODE_METRICS, "root/state/metrics"),
        (ALERT_MANAGER, "root/state/alert-manager"),
        (LOAD_MONITOR, "root/state/load-monitor"),
        (ALERT_CHANNELS, "root/alert-channels"),
        (STATE, "root/state"),
        (WORKERS, "root/workers"),
        (ENGINES, "root/engines"),
    ],
    ids=str,
)
async def test_twenty_crashes_cut_no_stream_and_fail_no_request(
    listening: tuple[Any, Listening], name: Name[Any], path: str
) -> None:
    """Eight clients stream without a break while an actor, or a supervisor, keeps crashing."""
    config, opened = listening
    app = build_application(config, Surroundings())
    load = Load(opened.data_addresses[0])

    with trio.fail_after(HANGS_S):
        async with open_tree(supervision_tree(app, doors_on(opened, app))) as tree:
            await app.pool.view.wait_until(lambda view: bool(view.members))
            async with trio.open_nursery() as nursery:
                for _ in range(STREAMS):
                    nursery.start_soon(load.client)
                for _ in range(CRASHES):
                    async with tree.events() as events:
                        await crash(whereis(name))
                        await _started(events, path)
                    await load.next_answer()
                load.stopping = True
            assert _restarts(tree.snapshot(), path) == CRASHES

    assert load.faults == []
    assert load.streams >= CRASHES
