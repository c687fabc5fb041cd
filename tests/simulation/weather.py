"""What befalls a node while its clients are at it: servers, keys and actors fail and recover."""

import random
from collections.abc import Iterator, Sequence
from enum import Enum, unique
from typing import Final

import trio

from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.domain.ids import WorkerName
from cortexd.runtime.supervision import ENGINES, WORKERS
from supervisor_tree import ActorRef, NoProc, SupervisorDown, whereis
from supervisor_tree.testing import crash
from tests.fakes.scene import Trouble
from tests.simulation.faults import WELL, draw_condition
from tests.simulation.history import History
from tests.simulation.servers import SimulatedServer

RESTART_S_MAX: Final = 1.0

CHANGE_S: Final = 4.0
"""The mean time from one change to the next."""

KEY_TROUBLES: Final = (Trouble.BAD_KEY, Trouble.RATE_LIMIT, Trouble.QUOTA)
KEY_TROUBLE_WEIGHTS: Final = (45, 50, 5)


@unique
class Climate(Enum):
    """How bad it is: nothing fails but actors; one server does, always the same; all servers do."""

    FAIR = "fair"
    ONE_SICK = "one sick"
    STORM = "storm"


def draw_victims(
    climate: Climate, servers: Sequence[SimulatedServer], chance: random.Random
) -> Sequence[SimulatedServer]:
    """Whom it hits."""
    if climate is Climate.FAIR:
        return ()
    return servers if climate is Climate.STORM else (chance.choice(servers),)


async def change(
    victims: Sequence[SimulatedServer], chance: random.Random, history: History
) -> None:
    """Let one thing after another fail or recover, until cancelled."""
    while True:
        await trio.sleep(chance.expovariate(1 / CHANGE_S))
        if not victims or chance.random() < 0.2:
            _crash_somebody(chance, history)
            continue
        victim = chance.choice(victims)
        if chance.random() < 0.05:
            _send_home(victim, history)
        elif victim.keys and chance.random() < 0.4:
            trouble = chance.choices(KEY_TROUBLES, KEY_TROUBLE_WEIGHTS)[0]
            # Limits are often those of an organisation, whatever the key.
            for key in victim.keys if chance.random() < 0.3 else (chance.choice(victim.keys),):
                victim.trouble_key(key, None if key in victim.troubles else trouble)
        else:
            victim.become(draw_condition(chance) if chance.random() < 0.6 else WELL)


async def clear_up(servers: Sequence[SimulatedServer]) -> None:
    """All servers get well, take all keys, and have their workers back."""
    # The registry may have crashed just now.
    await trio.sleep(RESTART_S_MAX)
    for server in servers:
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.activate, WorkerName(server.name))
        server.become(WELL)
        for key in tuple(server.troubles):
            server.trouble_key(key, None)


def _send_home(server: SimulatedServer, history: History) -> None:
    """An operator deactivates the worker of this server."""
    try:
        whereis(WORKER_REGISTRY).cast(WorkerRegistry.deactivate, WorkerName(server.name))
    except NoProc:
        return
    history.note(server.name, "is deactivated")


def _crash_somebody(chance: random.Random, history: History) -> None:
    victim = chance.choice(list(_actors()))
    try:
        crash(victim)
    except NoProc:
        # It has not come back from the last time.
        return
    history.note("actors", f"{victim} crashes")


def _actors() -> Iterator[ActorRef[object]]:
    """The branches but for the doors, and whoever runs in them now."""
    for branch in (WORKERS, ENGINES):
        ref = whereis(branch)
        yield ref
        supervisor = ref.started_value
        if supervisor is not None:
            try:
                yield from [child.ref for child in supervisor.which_children()]
            except SupervisorDown:
                continue
