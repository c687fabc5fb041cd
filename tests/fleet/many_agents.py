"""Many agents in one process: `python -m tests.fleet.many_agents NAME COUNT AMQP_URL BASE_URL`.

Each is the whole of an agent: a supervision tree with its line and its actor, and a connection of
its own. Only the process, its log and its signals are shared.
"""

import signal
import sys
from pathlib import Path

import trio

from cortexd.agent.main import agent_tree
from cortexd.agent.settings import AgentConfig, AgentSettings, OfferSettings
from cortexd.config.server_url import parse_server_url
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerType
from cortexd.runtime.service_manager import ServiceManager
from supervisor_tree import open_tree
from tests.fleet.fleet import MODEL, SIGNING_KEY


async def _agent(name: str, amqp_url: str, base_url: str, stop: trio.Event) -> None:
    config = AgentConfig(
        agent=AgentSettings(
            name=name,
            amqp_url=parse_server_url(amqp_url),
            signing_key=Secret(SIGNING_KEY),
            status_seconds=2.0,
            state_dir=Path(name),
        ),
        workers=(
            OfferSettings(name="w", type=WorkerType.OPENAI, base_url=base_url, models=(MODEL,)),
        ),
    )
    async with open_tree(agent_tree(config, ServiceManager())):
        await stop.wait()


async def _main(*arguments: str) -> None:
    prefix, count, amqp_url, base_url = arguments
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            for number in range(int(count)):
                nursery.start_soon(_agent, f"{prefix}-{number}", amqp_url, base_url, stop)
            async for _ in signals:
                break
            stop.set()


if __name__ == "__main__":
    trio.run(_main, *sys.argv[1:])
