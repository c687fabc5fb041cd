"""A real fleet: agents as processes beside a model server, a node, and RabbitMQ between them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon import UNMEASURED
from tests.fleet.fleet import (
    STOP_S_MAX,
    FleetNode,
    ModelServer,
    fleet_node,
    model_server,
    running_agent,
)
from tests.operator import wait_until
from tests.servers.rabbitmq import RabbitServer, the_rabbitmq

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

AGENTS_MANY = 50
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def broker() -> RabbitServer:
    """A broker."""
    return the_rabbitmq()


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """What the agents stand beside."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def node(broker: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetNode]:
    """A node without any worker of its own."""
    folder = tmp_path_factory.mktemp("node")
    with fleet_node(folder, broker.url, name="fleet-node") as node:
        yield node


def test_an_agent_comes_is_switched_and_goes(
    broker: RabbitServer, server: ModelServer, node: FleetNode, tmp_path: Path
) -> None:
    """Its worker is one like any other: listed, asked, switched, drained, and gone with it."""
    with running_agent(tmp_path, broker, "gpu", {"w": server.url}) as agent:
        node.wait_available("gpu.w")
        assert node.chat("gpu.w/m").status_code == 200
        shown = node.agent("gpu")
        assert [(each["name"], each["taken_on"]) for each in shown["workers"]] == [("w", True)]
        assert shown["status_period_seconds"] == 1.0

        ping = node.tell("gpu", "ping").json()
        assert (ping["command"], ping["agent"], ping["answered"]) == ("ping", "gpu", True)
        assert node.tell("nobody", "ping").status_code == 404
        assert node.tell("gpu", "ping", "nothing").status_code == 404

        assert node.tell("gpu", "deactivate", "w").status_code == 200
        assert node.chat("gpu.w/m").status_code == 503
        assert node.tell("gpu", "activate").status_code == 200
        assert node.chat("gpu.w/m").status_code == 200

        assert node.tell("gpu", "drain").status_code == 200
        assert node.status("gpu.w") is None
        assert not node.agent("gpu")["workers"][0]["taken_on"]
        assert node.tell("gpu", "activate").status_code == 200
        node.wait_available("gpu.w")

        assert agent.stop() == 0
        wait_until(lambda: node.state("gpu") == "left")
        assert node.status("gpu.w") is None
        assert node.tell("gpu", "ping").status_code == 404
    told = wait_until(lambda: node.operator.get("/admin/fleet/activity?agent=gpu")["items"])
    assert {"registered", "active no", "drained yes"} <= {each["what"] for each in told}


def test_a_stream_in_flight_outlives_a_deactivation(
    broker: RabbitServer, server: ModelServer, node: FleetNode, tmp_path: Path
) -> None:
    """Nothing new goes there once the command is answered; what runs is finished."""
    with running_agent(tmp_path, broker, "streamer", {"w": server.url}):
        node.wait_available("streamer.w")
        server.gate.clear()
        server.begun.clear()
        answers: list[httpx.Response] = []
        chatting = threading.Thread(
            target=lambda: answers.append(node.chat("streamer.w/m", stream=True))
        )
        chatting.start()
        assert server.begun.wait(STOP_S_MAX)

        assert node.tell("streamer", "deactivate").status_code == 200
        [worker] = node.agent("streamer")["workers"]
        assert (worker["active"], worker["in_flight"]) == (False, 1)
        chats = server.chats
        assert node.chat("streamer.w/m").status_code == 503
        assert server.chats == chats

        server.gate.set()
        chatting.join()
        assert answers[0].text.endswith("data: [DONE]\n\n")
        assert "last" in answers[0].text


def test_what_an_operator_does_to_a_worker_stands(
    broker: RabbitServer, server: ModelServer, node: FleetNode, tmp_path: Path
) -> None:
    """An agent that goes on saying that it is active does not undo what was done here."""
    with running_agent(tmp_path, broker, "other", {"w": server.url}):
        node.wait_available("other.w")
        node.operator.ask("POST", "/admin/workers/other.w/deactivate")
        heard_at = node.agent("other")["last_status_at"]
        wait_until(lambda: node.agent("other")["last_status_at"] > heard_at)
        assert node.operator.worker("other.w")["active"] is False


def test_an_agent_that_is_killed_is_missed_and_welcome_back(
    broker: RabbitServer, server: ModelServer, node: FleetNode, tmp_path: Path
) -> None:
    """Its worker counts as unavailable; a new agent remembers what the old one was told."""
    with running_agent(tmp_path, broker, "mortal", {"w": server.url, "v": server.url}) as agent:
        node.wait_available("mortal.w")
        assert node.tell("mortal", "deactivate", "v").status_code == 200
        agent.process.kill()
        wait_until(lambda: node.state("mortal") == "unavailable")
        wait_until(lambda: node.status("mortal.w") == "unavailable")
        assert node.chat("mortal.w/m").status_code == 503
        reason = node.operator.worker("mortal.w")["reason"]
        assert reason == "its agent has missed its status"
    with running_agent(tmp_path, broker, "mortal", {"w": server.url, "v": server.url}):
        wait_until(lambda: node.state("mortal") == "available")
        node.wait_available("mortal.w")
        assert node.chat("mortal.w/m").status_code == 200
        active = {each["name"]: each["active"] for each in node.agent("mortal")["workers"]}
        assert active == {"w": True, "v": False}


def test_fifty_agents_register_and_a_new_node_finds_them(
    broker: RabbitServer, server: ModelServer, node: FleetNode, tmp_path: Path
) -> None:
    """All of them on both nodes; each is told by name, and all leave together."""
    command = [sys.executable, "-m", "tests.fleet.many_agents"]
    with subprocess.Popen(
        [*command, "many", str(AGENTS_MANY), broker.url, server.url],
        cwd=tmp_path,
        env=os.environ | UNMEASURED | {"PYTHONPATH": str(REPOSITORY)},
    ) as process:
        try:
            wait_until(lambda: _count(node, "many-", "available") == AGENTS_MANY)
            assert node.tell("many-7", "deactivate").status_code == 200
            with fleet_node(tmp_path, broker.url, name="fleet-newcomer") as newcomer:
                wait_until(lambda: _count(newcomer, "many-", "available") == AGENTS_MANY)
                wait_until(lambda: newcomer.status("many-8.w") == "available")
                assert newcomer.operator.worker("many-7.w")["active"] is False
                assert newcomer.chat("many-8.w/m").status_code == 200
            process.terminate()
            wait_until(lambda: _count(node, "many-", "left") == AGENTS_MANY)
        finally:
            process.kill()


def _count(node: FleetNode, prefix: str, state: str) -> int:
    return sum(
        each["name"].startswith(prefix) and each["state"] == state for each in node.fleet["agents"]
    )
