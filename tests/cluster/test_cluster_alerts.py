"""What people are told by three real nodes over a real Redis that die and come back."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import attrs
import httpx
import pytest

from cortexd.cluster.keys import key
from tests.daemon import running_daemon
from tests.fakes.webhook import running_webhook
from tests.operator import HANGS_S, Operator, operating, wait_until
from tests.scenario.alert_inbox import FIRED, RESOLVED, AlertInbox
from tests.servers.redis import RedisServer, running_redis

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

NAMES = ("node-a", "node-b", "node-c")
CONFIG = """
[cluster]
redis_url = "{redis}"
name = "alerts"
lease_seconds = 3.0
beat_seconds = 0.5
[breaker]
failures_in_a_row = 1
open_seconds = 300.0
[alerts]
pending_seconds = 0.2
resolve_seconds = 0.5
cooldown_seconds = 600.0
breaker_cooldown_seconds = 600.0
error_rate_max = 1.0
[[alerts.channels]]
name = "hook"
type = "webhook"
min_severity = "warning"
url = "env:ALERT_WEBHOOK"
[[workers]]
name = "talker"
type = "scripted"
models = ["fine"]
"""
FAILING = """
[[workers]]
name = "{name}"
type = "scripted"
models = ["of-{name}"]
script = [{{ fail = "server_error" }}]
"""
WORKERS = ("sick", "ill", "poor")
"""One for each test, as people are not told again of one that has just been well."""

ONCE, ONCE_AND_OVER = [FIRED], [FIRED, RESOLVED]


@attrs.frozen(eq=False)
class Node(Operator):
    """A node for its operator, and for clients of a worker that fails."""

    name: str

    def view(self) -> Any:
        """The cluster as it sees it."""
        return self.get("/admin/cluster")

    def fail(self, worker: str) -> None:
        """Have a chat fail, which opens the breaker of a worker."""
        body = {"model": f"of-{worker}", "messages": [{"role": "user", "content": "hello"}]}
        url = f"{self.daemon.url}/v1/chat/completions"
        assert httpx.post(url, json=body, timeout=HANGS_S).status_code >= 500

    def mend(self, worker: str) -> None:
        """Close the breaker of a worker."""
        assert self.ask("POST", f"/admin/breakers/{worker}/reset").status_code == 200

    def shows(self, alert_id: str, state: str) -> bool:
        """Whether it has an alert, in this state."""
        items = self.get("/admin/alerts")["items"]
        return any((each["id"], each["state"]) == (alert_id, state) for each in items)


@attrs.define(eq=False)
class Three:
    """Three nodes with one webhook, in a cluster over a Redis of their own."""

    redis: RedisServer
    inbox: AlertInbox
    start: Callable[[str], Node]
    nodes: dict[str, Node] = attrs.Factory(dict)

    def fail(self, worker: str) -> None:
        """Have the breaker of a worker open on all nodes."""
        for node in self.nodes.values():
            node.fail(worker)

    def mend(self, worker: str) -> None:
        """Close it everywhere."""
        for node in self.nodes.values():
            node.mend(worker)

    def wait_members(self) -> None:
        """Until all are members, and know who leads."""
        wait_until(
            lambda: all(
                len(view["nodes"]) == len(self.nodes) and view["leader"] is not None
                for view in (node.view() for node in self.nodes.values())
            )
        )

    @property
    def leader(self) -> str:
        """Who tells people."""
        name: str = next(iter(self.nodes.values())).view()["leader"]
        return name

    def wait_taken_out(self) -> None:
        """Until Redis has it that people were told of all."""
        wait_until(lambda: not self.ledger()["untold"])

    def ledger(self) -> Any:
        """What the leader has written."""
        name = key("alerts", "alerts", "ledger")
        return json.loads(self.redis.command("hget", name, "data"))

    def told(self, about: str) -> list[str]:
        """What people were told of one alert."""
        return list(self.inbox.told.get(about, []))

    def wait_told(self, about: str, expected: list[str]) -> None:
        """Until they were told all of this; other than that they may not be told anything."""
        wait_until(lambda: len(self.told(about)) >= len(expected))
        assert self.told(about) == expected


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """All is well."""
    folder = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(tmp_path_factory.mktemp("redis")))
        webhook = stack.enter_context(running_webhook())

        def start(name: str) -> Node:
            (folder / name).mkdir(exist_ok=True)
            environ = {"CORTEXD__NODE__NAME": name, "ALERT_WEBHOOK": webhook.url}
            config = CONFIG.format(redis=redis.url)
            config += "".join(FAILING.format(name=worker) for worker in WORKERS)
            daemon = stack.enter_context(running_daemon(folder / name, config, environ=environ))
            operator = stack.enter_context(operating(daemon))
            return Node(operator.daemon, operator.client, name)

        three = Three(redis, AlertInbox(webhook), start)
        with ThreadPoolExecutor(len(NAMES)) as pool:
            three.nodes.update(zip(NAMES, pool.map(start, NAMES), strict=True))
        three.wait_members()
        yield three


def test_whoever_is_asked_acknowledges_for_all(three: Three) -> None:
    """A node that follows; all of them show it; the end is told nevertheless."""
    about, alert_id = "breaker_open (ill)", "breaker_open:ill"
    three.fail("ill")
    three.wait_told(about, ONCE)
    asked = next(node for name, node in three.nodes.items() if name != three.leader)
    wait_until(partial(asked.shows, alert_id, "firing"))
    answer = asked.ask("POST", f"/admin/alerts/{alert_id}/acknowledge")
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
    for node in three.nodes.values():
        wait_until(partial(node.shows, alert_id, "acknowledged"))
    three.mend("ill")
    three.wait_told(about, ONCE_AND_OVER)


def test_a_leader_that_is_killed_is_told_of_and_nothing_else_again(three: Three) -> None:
    """By another leader; and so is its return."""
    three.fail("sick")
    three.wait_told("breaker_open (sick)", ONCE)
    before = dict(three.inbox.told)
    dead = three.leader
    # Were it killed before that, its successor would tell it once more rather than never.
    three.wait_taken_out()
    three.nodes.pop(dead).daemon.process.kill()
    about = f"node_lost ({dead})"
    three.wait_told(about, ONCE)
    assert three.leader != dead
    three.nodes[dead] = three.start(dead)
    three.wait_members()
    three.wait_told(about, ONCE_AND_OVER)
    assert dict(three.inbox.told) == {**before, about: ONCE_AND_OVER}
    three.mend("sick")
    three.wait_told("breaker_open (sick)", ONCE_AND_OVER)


def test_r1_without_redis_each_node_tells_of_itself_and_of_nothing_shared(three: Three) -> None:
    """Once; and when Redis is back, as empty as it may be, nothing is told but that."""
    three.fail("poor")
    three.wait_told("breaker_open (poor)", ONCE)
    node = three.nodes[NAMES[0]]
    wait_until(partial(node.shows, "breaker_open:poor", "firing"))
    before = dict(three.inbox.told)
    lost = [f"cluster_lost ({name})" for name in NAMES]
    three.redis.kill()
    for about in lost:
        three.wait_told(about, ONCE)
    assert node.view()["state"] == "alone"
    refused = node.ask("POST", "/admin/alerts/breaker_open:poor/acknowledge")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cluster_unreachable")
    three.redis.start()
    three.wait_members()
    for about in lost:
        three.wait_told(about, ONCE_AND_OVER)
    assert dict(three.inbox.told) == {**before, **dict.fromkeys(lost, ONCE_AND_OVER)}
    three.mend("poor")
    three.wait_told("breaker_open (poor)", ONCE_AND_OVER)


def test_a_node_that_is_stopped_is_no_alert(three: Three) -> None:
    """Were it the leader: the next one knows that it has left."""
    before = dict(three.inbox.told)
    leaving = three.leader
    assert three.nodes.pop(leaving).daemon.stop() == 0
    wait_until(lambda: leaving not in three.ledger()["members"])
    assert three.ledger()["lost"] == {}
    assert dict(three.inbox.told) == before
    three.nodes[leaving] = three.start(leaving)
    three.wait_members()
