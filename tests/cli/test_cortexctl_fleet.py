"""`cortexctl fleet …` and `cortexctl cluster`, against a node that a test holds in its hand."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import httpx
import pytest
from click.testing import Result

from cortexd.ctl.admin_api import AdminApi
from cortexd.policy.fleet_settings import FleetSettings
from tests.cli.admin_node import FakeNode

Invoke: TypeAlias = Callable[..., Result]

pytestmark = pytest.mark.real_time

FLEET: Final[dict[str, Any]] = {
    "enabled": True,
    "broker": {"up": False, "blocked": False, "failure": "[red]no way :boom: to [/broker]"},
    "agents": [
        {
            "name": "gpu",
            "state": "available",
            "version": "1",
            "load": 0.25,
            "last_status_at": "2026-11-21T09:00:00+00:00",
            "commands": {"response_ms": {"p50": 3.5}},
            "workers": [
                {"name": "llama", "active": True, "taken_on": True},
                {"name": "qwen", "active": False, "taken_on": True},
                {"name": "gemma", "active": True, "taken_on": False},
            ],
        }
    ],
}


def test_the_fleet_is_shown_as_the_node_tells_it(invoke: Invoke, node: FakeNode) -> None:
    """Nothing that a broker says is taken for a colour or a picture."""
    node.say("/admin/fleet", FLEET)
    for command in (("fleet",), ("fleet", "list")):
        head, headings, row = invoke("--url", node.url, *command).stdout.splitlines()
        assert head == "broker down ([red]no way :boom: to [/broker])"
        assert headings.startswith("agent")
        assert row.split()[:4] == ["gpu", "available", "1", "0.25"]
        assert row.endswith("llama, qwen (off), gemma (refused)")


def test_a_node_without_a_fleet_says_so(invoke: Invoke, node: FakeNode) -> None:
    """With what makes one."""
    node.say("/admin/fleet", {"enabled": False})
    told = invoke("--url", node.url, "fleet").stdout
    assert told == "this node has no fleet: [fleet] in its configuration makes one\n"


def test_an_order_says_with_which_worker(invoke: Invoke, node: FakeNode) -> None:
    """And how long the agent has taken."""
    node.say("/admin/fleet/agents/gpu/drain", {"response_ms": 12.5})
    done = invoke("--url", node.url, "fleet", "drain", "gpu", "--worker", "llama")
    assert (done.exit_code, done.stdout) == (0, "gpu has answered to drain after 12.5 ms\n")
    assert node.orders == [{"worker": "llama"}]


def test_an_agent_may_take_its_time(
    invoke: Invoke, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the node that knows whether an answer comes, and why none has come."""
    limits_s: list[float | None] = []
    client = AdminApi._client

    def noted(api: AdminApi, seconds_max: float | None) -> httpx.Client:
        limits_s.append(seconds_max)
        return client(api, seconds_max)

    monkeypatch.setattr(AdminApi, "_client", noted)
    error = {"error": {"message": "agent 'gpu' has not answered within 300 s"}}
    node.say("/admin/fleet/agents/gpu/ping", error, status=504)
    done = invoke("--url", node.url, "fleet", "ping", "gpu")
    assert (done.exit_code, done.stderr) == (1, f"Error: {error['error']['message']}\n")
    [limit_s] = limits_s
    assert limit_s is not None
    # No node can be told to wait for as long.
    with pytest.raises(ValueError, match="command_seconds"):
        FleetSettings(command_seconds=limit_s)


def test_what_has_become_of_agents(invoke: Invoke, node: FakeNode) -> None:
    """Of one of them, and no more than so many."""
    deed = {"at": "2026", "agent": "gpu", "worker": None, "what": "left", "activity": 7}
    node.say("/admin/fleet/activity?agent=gpu&limit=5", {"items": [deed], "total": 1})
    told = invoke("--url", node.url, "fleet", "activity", "--agent", "gpu", "--limit", "5").stdout
    assert told.splitlines()[1].split() == ["2026", "gpu", "-", "left", "7"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [("ollama", "/admin/cluster?type=ollama"), ("a&b=c", "/admin/cluster?type=a%26b%3Dc")],
)
def test_the_type_of_workers_is_asked_for_as_it_is(
    invoke: Invoke, node: FakeNode, kind: str, path: str
) -> None:
    """Whatever is in it is part of it."""
    node.say(path, {"enabled": False})
    done = invoke("--url", node.url, "cluster", "--type", kind)
    assert done.stdout.startswith("this node is in no cluster: it has no [cluster] redis_url\n")
    assert node.asked == [path]


def test_programs_are_given_the_document(invoke: Invoke, node: FakeNode) -> None:
    """As it is."""
    node.say("/admin/fleet", FLEET)
    assert json.loads(invoke("--url", node.url, "--json", "fleet").stdout) == FLEET
