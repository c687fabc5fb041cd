"""A real node, and a real browser to look at it."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.daemon import Daemon, running_daemon
from tests.dashboard.visitor import WAIT_MS_MAX, WIDE, Chat, Order, Visit, Visitor, token_of

# They take pictures for the documentation, and find out nothing.
collect_ignore = [] if "CORTEXD_SCREENSHOTS" in os.environ else ["test_dashboard_screenshots.py"]

CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

NODE: Final = """
[cache]
enabled = true
[breaker]
failures_in_a_row = 2
open_seconds = 300
[degradation]
enabled = true
[alerts]
pending_seconds = 0
resolve_seconds = 1
[[workers]]
name = "steady"
type = "scripted"
models = ["small"]
script = [{say = "You said: {message}", split = "words", every = 0.01}]
[[workers]]
name = "late"
type = "scripted"
models = ["large"]
script = [{fail = "server_error", detail = "no room", times = 1}, {say = "Better late than never."}]
[[workers]]
name = "broken"
type = "scripted"
models = ["huge"]
script = [{fail = "server_error", detail = "no room"}]
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: an asyncio loop comes with it that others must not meet."""
    expect.set_options(timeout=WAIT_MS_MAX)
    # Where other tests have imported trio-asyncio, it would be a loop of Trio otherwise.
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        with sync_playwright() as playwright:
            launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            yield launched
            launched.close()
    finally:
        asyncio.set_event_loop_policy(None)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node with a steady worker, one that fails once, and one that always does."""
    with running_daemon(tmp_path_factory.mktemp("node"), NODE) as daemon:
        for worker in ("steady", "late", "broken"):
            daemon.wait_available(worker)
        yield daemon


@pytest.fixture
def visit(browser: Browser, node: Daemon) -> Iterator[Visit]:
    """Visits the node, and looks afterwards whether all was well."""
    visitors: list[Visitor] = []

    def visit(
        page: str | None = None,
        *,
        size: tuple[int, int] = WIDE,
        scheme: Any = "light",
        daemon: Daemon = node,
    ) -> Visitor:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        visitor = Visitor(context.new_page(), daemon)
        visitors.append(visitor)
        if page is not None:
            visitor.have_session()
            visitor.open(page)
        return visitor

    yield visit
    for visitor in visitors:
        visitor.check()
        visitor.page.context.close()


@pytest.fixture
def chat(node: Daemon) -> Chat:
    """A client of the node, who asks a model."""

    def chat(model: str, text: str = "hello") -> httpx.Response:
        asked = {"model": model, "messages": [{"role": "user", "content": text}]}
        return httpx.post(f"{node.url}/v1/chat/completions", json=asked, timeout=20)

    return chat


@pytest.fixture
def order(node: Daemon) -> Order:
    """Another operator, who does not use the dashboard."""

    def order(method: str, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {token_of(node)}"}
        answer = httpx.request(
            method, node.admin_url + path, json=body, headers=headers, timeout=20
        )
        assert answer.is_success, answer.text
        return answer.json()

    return order
