"""FAULTS rows M1, M2 and M3 on a real node with a real agent: chats know nothing of the broker."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fleet.fleet import (
    AgentProcess,
    FleetNode,
    ModelServer,
    fleet_node,
    model_server,
    running_agent,
)
from tests.operator import wait_until
from tests.servers.rabbitmq import RabbitServer, the_rabbitmq

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

AGENT = "faulty"
WORKER = f"{AGENT}.w"


@pytest.fixture(scope="module")
def broker() -> RabbitServer:
    """A broker."""
    return the_rabbitmq()


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """What the agent stands beside."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def agent(
    broker: RabbitServer, server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    """An agent with one worker."""
    folder = tmp_path_factory.mktemp("agent")
    with running_agent(folder, broker, AGENT, {"w": server.url}) as agent:
        yield agent


@pytest.fixture(scope="module")
def node(
    broker: RabbitServer, agent: AgentProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FleetNode]:
    """A node that has found it."""
    folder = tmp_path_factory.mktemp("node")
    with fleet_node(folder, broker.url, name="faults-broker-node") as node:
        wait_until(lambda: node.state(AGENT) == "available")
        node.wait_available(WORKER)
        yield node


@pytest.fixture(autouse=True)
def well_again(broker: RabbitServer, node: FleetNode) -> Iterator[None]:
    """The broker, and what the node thinks of it; no agent has been given up over it."""
    yield
    broker.thaw()
    if broker.process.poll() is not None:
        broker.start()
    broker.end_alarm()
    wait_until(lambda: _broker(node) == {"up": True, "blocked": False, "failure": None})
    assert node.state(AGENT) == "available"
    assert '"event":"agent lost"' not in node.daemon.log


def _broker(node: FleetNode) -> Any:
    return node.fleet["broker"]


def _assert_chats(node: FleetNode) -> None:
    """With the agent's worker, whatever the broker does."""
    assert node.chat(f"{WORKER}/m").status_code == 200
    assert node.status(WORKER) == "available"


def _assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "broker_unavailable"


def _is_alerted(node: FleetNode) -> bool:
    alerts = node.operator.get("/admin/alerts")["items"]
    return any(alert["rule"] == "fleet_lost" and alert["state"] == "firing" for alert in alerts)


def _times_done(agent: AgentProcess, verb: str) -> list[str]:
    return [
        entry["id"]
        for entry in agent.log
        if entry["event"] == "command done" and entry["command"] == verb
    ]


def test_m2_with_an_alarm_commands_are_refused_and_chats_go_on(
    broker: RabbitServer, node: FleetNode
) -> None:
    """The broker takes nothing; operators are told, and told again that it is over."""
    broker.raise_alarm()
    wait_until(lambda: _broker(node)["blocked"])

    _assert_refused(node.tell(AGENT, "ping"))
    _assert_chats(node)
    wait_until(lambda: _is_alerted(node))
    broker.end_alarm()

    wait_until(lambda: node.tell(AGENT, "ping").status_code == 200)
    wait_until(lambda: not _is_alerted(node))


def test_m3_while_the_broker_is_frozen_chats_go_on(broker: RabbitServer, node: FleetNode) -> None:
    """Nobody is given up because of its silence; after the thaw all is as before."""
    broker.freeze()
    _assert_chats(node)
    wait_until(lambda: not _broker(node)["up"])

    _assert_refused(node.tell(AGENT, "ping"))
    _assert_chats(node)
    broker.thaw()

    wait_until(lambda: node.tell(AGENT, "ping").status_code == 200)


def test_m1_a_command_outlives_the_broker_and_is_done_once(
    broker: RabbitServer, node: FleetNode, agent: AgentProcess
) -> None:
    """It is on its way when the broker dies, and is answered when there is one again."""
    before = _times_done(agent, "deactivate")
    broker.freeze()
    with node.telling(AGENT, "deactivate") as answer:
        # Whoever came later has been answered: the command is on its way.
        assert _broker(node)["up"]
        broker.kill()
        _assert_chats(node)
        broker.start()
        status, document = answer()

    assert status == 200
    [command] = [each for each in _times_done(agent, "deactivate") if each not in before]
    assert command == document["command_id"]
    assert node.operator.worker(WORKER)["active"] is False

    assert node.tell(AGENT, "activate").status_code == 200
    _assert_chats(node)
