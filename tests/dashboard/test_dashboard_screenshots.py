"""The pictures in docs/images. Taken on demand, since they need minutes of traffic.

CORTEXD_SCREENSHOTS=docs/images .venv/bin/pytest -o faulthandler_timeout=0 tests/dashboard -k pict
"""

import os
import random
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Final

import attrs
import httpx
import pytest
from playwright.sync_api import expect

from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import NARROW, WIDE, Visit, token_of
from tests.fleet.fleet import KEY_VARIABLE, SIGNING_KEY, model_server, running_agent
from tests.operator import wait_until
from tests.servers.rabbitmq import running_rabbitmq
from tests.servers.redis import running_redis

FOLDER: Final = os.environ.get("CORTEXD_SCREENSHOTS")

pytestmark = pytest.mark.slow

TRAFFIC_S: Final = 300
CLIENTS: Final = 6
SETTLED_MS: Final = 3000

UPSTREAM: Final = """
[[workers]]
name = "llama"
type = "scripted"
models = ["llama-3.3-70b"]
script = [
  {wait = 0.05},
  {say = "An answer of a few words, quickly.", split = "words", every = 0.01},
]
"""

NODE: Final = """
[routing.aliases]
fast = ["gemini-eu", "groq-main"]
[breaker]
failures_in_a_row = 4
[retry]
budget_ratio = 0.5
[alerts]
pending_seconds = 1
[degradation]
enabled = true
[[workers]]
name = "ollama-local"
type = "scripted"
models = ["qwen3-8b"]
max_concurrency = 8
priority = 11
script = [
  {wait = 0.12},
  {say = "One address in front of every model server.", split = "words", every = 0.03},
]
[[workers]]
name = "ollama-spare"
type = "scripted"
models = ["qwen3-8b"]
max_concurrency = 1
script = [{say = "One address in front", split = "words", every = 0.05}, {fail = "unreachable"}]
[[workers]]
name = "groq-main"
type = "groq"
base_url = "%s/v1"
max_concurrency = 32
api_keys = ["env:PICTURE_KEY_1", "env:PICTURE_KEY_2"]
[[workers]]
name = "gemini-eu"
type = "scripted"
models = ["gemini-flash"]
max_concurrency = 16
script = [{fail = "overloaded", detail = "the quota of the project is used up"}]
[[workers]]
name = "embedded"
type = "embedded"
"""

ENVIRON: Final = {
    "CORTEXD__NODE__NAME": "edge-1",
    "PICTURE_KEY_1": "one",
    "PICTURE_KEY_2": "two",
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node on which things have been happening for a while, and still are."""
    enough = Event()
    with (
        running_daemon(tmp_path_factory.mktemp("upstream"), UPSTREAM) as upstream,
        running_daemon(
            tmp_path_factory.mktemp("busy"), NODE % upstream.url, environ=ENVIRON
        ) as daemon,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        daemon.wait_available("embedded")
        headers = {"authorization": f"Bearer {token_of(daemon)}"}
        start = f"{daemon.admin_url}/admin/load-monitor/start"
        assert httpx.post(start, headers=headers, json={}).is_success
        for number in range(CLIENTS):
            clients.submit(keep_asking, daemon.url, number, enough)
        enough.wait(TRAFFIC_S / 2)
        os.kill(daemon.descendants()[0], signal.SIGKILL)
        enough.wait(TRAFFIC_S / 2)
        yield daemon
        enough.set()


def keep_asking(url: str, number: int, enough: Event) -> None:
    """Be a client, with pauses, who sometimes asks the same again."""
    chance = random.Random(number)  # noqa: S311  it guards no secret
    models = ["qwen3-8b"] * 4 + ["llama-3.3-70b"] * 40 + ["fast"] * 8 + ["gemini-flash"]
    with httpx.Client(base_url=url, timeout=60) as client:
        while not enough.wait(chance.expovariate(2)):
            text = f"question {chance.randrange(4000)}"
            asked = {
                "model": chance.choice(models),
                "messages": [{"role": "user", "content": text}],
                "stream": True,
            }
            client.post("/v1/chat/completions", json=asked)


SCALED: Final = """
[cluster]
redis_url = "%s"
[fleet]
amqp_url = "%s"
signing_key = "env:%s"
[[workers]]
name = "ollama-local"
type = "scripted"
models = ["qwen3-8b"]
priority = 11
[[workers]]
name = "gemini-eu"
type = "scripted"
models = ["gemini-flash"]
[[workers]]
name = "embedded"
type = "embedded"
"""

AGENTS: Final = {
    "berlin": ("llama", "qwen"),
    "lyon": ("llama",),
    "oslo": ("llama", "mistral"),
    "porto": ("qwen",),
}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One of three nodes, with agents elsewhere: one is not heard any more."""
    folder = tmp_path_factory.mktemp
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(folder("redis")))
        broker = stack.enter_context(running_rabbitmq(folder("rabbitmq")))
        text = SCALED % (redis.url, broker.url, KEY_VARIABLE)
        nodes = [
            stack.enter_context(
                running_daemon(
                    folder(name),
                    text,
                    environ={"CORTEXD__NODE__NAME": name, KEY_VARIABLE: SIGNING_KEY},
                )
            )
            for name in ("edge-1", "edge-2", "edge-3")
        ]
        server = stack.enter_context(model_server())
        agents = [
            stack.enter_context(
                running_agent(folder(name), broker, name, dict.fromkeys(workers, server.url))
            )
            for name, workers in AGENTS.items()
        ]
        headers = {"authorization": f"Bearer {token_of(nodes[0])}"}
        operator = stack.enter_context(
            httpx.Client(base_url=nodes[0].admin_url, headers=headers, timeout=60)
        )

        def states() -> list[str]:
            listed = operator.get("/admin/fleet").json()["agents"]
            return [agent["state"] for agent in listed]

        def owners() -> list[str | None]:
            listed = operator.get("/admin/cluster").json()["workers"]
            return [worker["owner"] for worker in listed]

        wait_until(lambda: states() == ["available"] * len(AGENTS))
        for order, body in (
            ("berlin/ping", {}),
            ("berlin/deactivate", {"worker": "qwen"}),
            ("lyon/ping", {}),
            ("oslo/ping", {}),
        ):
            assert operator.post(f"/admin/fleet/agents/{order}", json=body).is_success
        agents[-1].process.kill()
        wait_until(lambda: "unavailable" in states() and None not in owners())
        yield nodes[0]


@attrs.frozen(kw_only=True)
class Picture:
    """What is to be seen, of which node, and how."""

    page: str
    node: str = "busy"
    size: tuple[int, int] = WIDE
    scheme: str = "light"


PICTURES: Final[Mapping[str, Picture]] = {
    "overview": Picture(page="overview"),
    "workers": Picture(page="workers"),
    "tree": Picture(page="tree"),
    "dead-letters": Picture(page="dead-letters"),
    "load": Picture(page="load"),
    "overview-dark": Picture(page="overview", scheme="dark"),
    "overview-390": Picture(page="overview", size=NARROW),
    "cluster": Picture(page="cluster", node="scaled"),
    "fleet": Picture(page="fleet", node="scaled"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(visit: Visit, request: pytest.FixtureRequest, name: str) -> None:
    """One for each page that the documentation shows."""
    picture = PICTURES[name]
    daemon = request.getfixturevalue(picture.node)
    visitor = visit(picture.page, size=picture.size, scheme=picture.scheme, daemon=daemon)
    expect(visitor.page.locator("#node-name")).to_have_text("edge-1")
    visitor.page.wait_for_timeout(SETTLED_MS)
    assert FOLDER
    visitor.page.screenshot(path=Path(FOLDER) / f"dashboard-{name}.png")
