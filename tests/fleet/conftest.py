"""An agent's actor on a line that a test holds in its hand."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from cortexd.agent.actor import AGENT, AgentActor, AgentParts
from cortexd.agent.board import new_board
from cortexd.agent.settings import AgentConfig, AgentSettings, OfferSettings
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl
from cortexd.domain.worker import WorkerType
from supervisor_tree import ChildSpec, Supervisor, open_tree
from tests.fakes.fleet_line import FakeLine
from tests.fleet.lone_agent import STATUS_S, LoneAgent, StartAgent


@pytest.fixture
def start_agent(tmp_path: Path) -> StartAgent:
    """Starts an agent with the workers `w` and `v`; each time anew, with what the last one kept."""
    starts = itertools.count(1)

    @asynccontextmanager
    async def start() -> AsyncIterator[LoneAgent]:
        nowhere = "http://127.0.0.1:9"
        config = AgentConfig(
            agent=AgentSettings(
                name="a",
                amqp_url=ServerUrl(scheme="amqp", host="nowhere"),
                signing_key=Secret("k" * 32),
                status_seconds=STATUS_S,
                state_dir=tmp_path,
            ),
            workers=tuple(
                OfferSettings(name=name, type=WorkerType.OLLAMA, base_url=nowhere)
                for name in ("w", "v")
            ),
        )
        line, numbers = FakeLine(), itertools.count(1)
        board = new_board(config, now=float(next(starts)))
        parts = AgentParts(
            board=board,
            line=line,
            version="1",
            new_id=lambda: f"m{next(numbers)}",
            wall_clock=lambda: 1000.0,
        )
        spec = ChildSpec("agent", partial(AgentActor, parts), name=AGENT)
        async with open_tree(Supervisor(spec)):
            yield LoneAgent(line, board)

    return start
