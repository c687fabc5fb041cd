"""The pictures in docs/images. Taken on demand, since they need minutes of traffic.

CORTEXD_SCREENSHOTS=docs/images .venv/bin/pytest -o faulthandler_timeout=0 tests/dashboard -k pict
"""

import os
import random
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Final

import httpx
import pytest
from playwright.sync_api import expect

from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import WIDE, Visit

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


PICTURES: Final[Mapping[str, tuple[str, tuple[int, int], str]]] = {
    "overview": ("overview", WIDE, "light"),
    "workers": ("workers", WIDE, "light"),
    "tree": ("tree", WIDE, "light"),
    "dead-letters": ("dead-letters", WIDE, "light"),
    "overview-dark": ("overview", WIDE, "dark"),
    "overview-390": ("overview", (390, 844), "light"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(visit: Visit, busy: Daemon, name: str) -> None:
    """One for each page that the documentation shows."""
    page, size, scheme = PICTURES[name]
    visitor = visit(page, size=size, scheme=scheme, daemon=busy)
    expect(visitor.page.locator("#node-name")).to_have_text("edge-1")
    visitor.page.wait_for_timeout(SETTLED_MS)
    assert FOLDER
    visitor.page.screenshot(path=Path(FOLDER) / f"dashboard-{name}.png")
