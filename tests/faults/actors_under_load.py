"""Every actor of the node, and clients that must not notice what becomes of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from cortexd.actors.alert_manager import ALERT_MANAGER
from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS
from cortexd.actors.client_keys import CLIENT_KEYS
from cortexd.actors.dead_letter_queue import DEAD_LETTER_QUEUE
from cortexd.actors.degradation_manager import DEGRADATION_MANAGER
from cortexd.actors.health_monitor import HEALTH_MONITOR
from cortexd.actors.load_monitor import LOAD_MONITOR
from cortexd.actors.metrics import NODE_METRICS
from cortexd.actors.worker_pool import WORKER_POOL
from cortexd.actors.worker_registry import WORKER_REGISTRY
from cortexd.domain.outcome import Outcome
from supervisor_tree import Actor, Name, NodeSnapshot
from tests.faults.virtual_node import VirtualNode, running_node

ACTORS: Final[dict[str, Name[Any]]] = {
    f"root/{path}": name_of
    for path, name_of in (
        ("workers/worker-registry", WORKER_REGISTRY),
        ("workers/circuit-breakers", CIRCUIT_BREAKERS),
        ("workers/worker-pool", WORKER_POOL),
        ("workers/health-monitor", HEALTH_MONITOR),
        ("state/client-keys", CLIENT_KEYS),
        ("state/metrics", NODE_METRICS),
        ("state/alert-manager", ALERT_MANAGER),
        ("state/load-monitor", LOAD_MONITOR),
        ("guard/dead-letter-queue", DEAD_LETTER_QUEUE),
        ("guard/degradation-manager", DEGRADATION_MANAGER),
    )
}

TEXT: Final = "all is well"
ANSWER_S: Final = 0.3
CLIENTS: Final = 5

CONFIG: Final = f"""
[health]
interval_seconds = 0.5
timeout_seconds = 0.2
[breaker]
enabled = false
[[workers]]
name = "failing"
type = "scripted"
priority = 1
max_concurrency = 1000
script = [{{ fail = "server_error" }}]
[[workers]]
name = "talker"
type = "scripted"
priority = 2
max_concurrency = 1000
script = [{{ say = "{TEXT}", split = "words", every = 0.1 }}]
"""
"""Every request fails over."""

each_actor = pytest.mark.parametrize("path", ACTORS, ids=lambda path: path.rpartition("/")[2])


@attrs.define(eq=False)
class Load:
    """Clients that ask again and again."""

    node: VirtualNode
    asked: int = 0
    faults: list[str] = attrs.Factory(list)

    async def client(self) -> None:
        """One of them: an answer takes as long as its worker does, to the tick, or it waited."""
        while True:
            told = await self.node.ask()
            self.asked += 1
            if told.error or not told.is_whole or told.text != TEXT:
                self.faults.append(f"{told.error!r} {told.text!r}")
            if abs(told.seconds - ANSWER_S) > 1e-6:
                self.faults.append(f"{told.seconds} s")


@asynccontextmanager
async def under_load(folder: Path, **settings: Any) -> AsyncIterator[VirtualNode]:
    """A node whose clients are all served, and at once, to the end of the block."""
    async with running_node(folder, CONFIG, **settings) as node:
        load = Load(node)
        async with trio.open_nursery() as nursery:
            for _ in range(CLIENTS):
                nursery.start_soon(load.client)
            yield node
            nursery.cancel_scope.cancel()
        assert load.faults == []
        assert load.asked > 0
        assert node.outcomes.keys() <= {Outcome.SERVED, Outcome.CLIENT_LEFT}
        assert node.outcomes[Outcome.CLIENT_LEFT] <= CLIENTS
        assert node.is_idle()
        assert node.incarnations()["root/doors"] == 1


async def handle(actor: Actor) -> None:
    """A message that any actor takes, and that does nothing."""


def check_restarted(node: VirtualNode, path: str, restarts: int) -> None:
    """So many restarts of this actor, and of those only that start from what it publishes."""
    chain = [each for each in ACTORS if each.startswith("root/workers/")]
    restarted = chain[chain.index(path) :] if path in chain else [path]
    found = node.incarnations()
    assert found == {each: 1 + restarts if each in restarted else 1 for each in found}


def look(node: VirtualNode, path: str) -> NodeSnapshot:
    """What the tree says of one child."""
    return next(each for each in node.snapshots() if each.path == path)
