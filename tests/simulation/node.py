"""A whole node but its sockets: what `runtime` puts together, in simulated surroundings."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import attrs
import trio

from cortexd.config.load import load
from cortexd.config.schema import Config
from cortexd.domain.events import Event
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerSettings
from cortexd.http.data_routes import data_routes
from cortexd.http.doors.door import Door
from cortexd.policy.load_balancing import PoolSettings, PoolStrategy
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import DEFAULT_PRIORITY
from cortexd.runtime.application import Application, build_application
from cortexd.runtime.doors import Doors
from cortexd.runtime.supervision import supervision_tree
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import Tree, open_tree, task
from tests.inline_database import InlineDatabase
from tests.simulation.network import Network
from tests.simulation.servers import SimulatedServer

WALL_CLOCK_S: Final = 1_800_000_000.0
"""When the simulated world begins, in seconds since the epoch."""

# Short, so that little virtual time is spent on waiting for what never comes.
FIRST_TOKEN_S: Final = 10.0
IDLE_S: Final = 10.0
TOTAL_S: Final = 120.0


@attrs.frozen(kw_only=True)
class SimulatedNode:
    """A node that runs. `doors` by method and path."""

    app: Application
    tree: Tree
    doors: Mapping[tuple[str, str], Door]


@asynccontextmanager
async def running_node(
    servers: Sequence[SimulatedServer],
    network: Network,
    *,
    chance: random.Random,
    emit: Callable[[Event], None],
) -> AsyncIterator[SimulatedNode]:
    """Run a node with a worker for each server, until the end of the block."""
    ids = count(1)

    def new_id() -> str:
        return f"id{next(ids)}"

    app = build_application(
        _config(servers, chance),
        Surroundings(
            emit=emit,
            chance=chance,
            new_id=new_id,
            clock=trio.current_time,
            wall_clock=lambda: WALL_CLOCK_S + trio.current_time(),
            adapters=AdapterParts(
                new_id=new_id, dial=network.dial, new_transport=network.new_transport
            ),
            open_database=InlineDatabase,
        ),
    )
    doors = Doors(data=task(_be_open, app), admin=task(trio.sleep_forever))
    async with open_tree(supervision_tree(app, doors)) as tree:
        tree.chance = chance
        app.tree.publish(tree)
        table = {(route.method, route.path): route.door for route in data_routes(app.doors)}
        yield SimulatedNode(app=app, tree=tree, doors=table)
    for worker in app.pool.roster.value:
        await worker.provider.aclose()


async def _be_open(app: Application) -> None:
    """Be the data door, as far as it is more than a listener."""
    async with app.pipeline.flights.open():
        await trio.sleep_forever()


@cache
def _defaults() -> Config:
    return load(Path("/dev/null"), {})


def _config(servers: Sequence[SimulatedServer], chance: random.Random) -> Config:
    return attrs.evolve(
        _defaults(),
        pool=PoolSettings(strategy=chance.choice(list(PoolStrategy))),
        workers=tuple(_worker(server, chance) for server in servers),
        # Nobody reads along.
        alerts=attrs.evolve(_defaults().alerts, channels=()),
    )


def _worker(server: SimulatedServer, chance: random.Random) -> WorkerSettings:
    return WorkerSettings(
        name=WorkerName(server.name),
        type=server.type,
        base_url=server.base_url,
        api_keys=tuple(Secret(key) for key in server.keys),
        priority=DEFAULT_PRIORITY[server.type],
        max_concurrency=chance.choice((2, 4, 64)),
        first_token_seconds=FIRST_TOKEN_S,
        idle_seconds=IDLE_S,
        total_seconds=TOTAL_S,
    )
