"""A node with a stock of workers, each with a failing upstream of its own behind it.

A test takes a worker that no test had before: breakers and keys remember what they went through.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from tests.daemon import Daemon, running_daemon
from tests.fakes.scene import Scene
from tests.faults.upstream import ServerLoop, Upstream, until
from tests.faults.upstream_wire import Greeting, plain
from tests.matrix.conftest import BASES
from tests.matrix.doors import DOORS, TIMEOUT_S, ClientDoor, Heard, Question

KEYS: Final = ("good-key", "second-key", "third-key", "fourth-key", "fifth-key")

SETTINGS: Final = """
[health]
interval_seconds = 3600
[routing]
aliases = {{ {aliases} }}
"""

OPENING_SOON: Final = """
[breaker]
failures_in_a_row = 2
"""
"""Two failures open a circuit breaker: after one, whether it counts shows with the next."""

RETRYING: Final = """
[retry]
max_attempts = 2
"""
"""A worker is asked again; else only others are asked, and nothing waits."""


@attrs.frozen
class Stock:
    """So many workers of a type. `settings`: further lines of their section."""

    count: int
    type: str = "openai"
    settings: str = ""
    keys: int = 1
    tls: bool = False


@attrs.frozen(eq=False)
class Target:
    """A worker of the node, and its server, which a test has all to itself."""

    name: str
    upstream: Upstream

    @property
    def alone(self) -> str:
        """The model, of this worker only."""
        return f"{self.name}/m1"

    @property
    def backed(self) -> str:
        """The model, of this worker first, then of a healthy one that can resume nothing."""
        return f"{self.name}+"

    @property
    def resumed(self) -> str:
        """The model, of this worker first, then of one that can go on where it stopped."""
        return f"{self.name}++"


@attrs.frozen(eq=False)
class Node:
    """The daemon. `stock`: its workers by the name under which a module has ordered them."""

    daemon: Daemon
    healthy: Upstream
    resumer: Upstream
    _stock: Mapping[str, Iterator[Target]]
    _client: httpx.Client

    def take(self, name: str = "openai") -> Target:
        """A worker that nobody has asked yet."""
        target = next(self._stock[name], None)
        assert target is not None, f"the module's STOCK of {name!r} is too small"
        return target

    def ask(
        self,
        model: str,
        door: ClientDoor = DOORS[0],
        *,
        stream: bool = True,
        has_tools: bool = False,
        timeout_s: float | None = None,
        releases: Upstream | None = None,
    ) -> Heard:
        """The whole answer of the node.

        `timeout_s`: what the client allows. `releases`: who may go on once two words are there.
        """
        question = Question(stream=stream, has_tools=has_tools)
        heard = self.receive(model, door, question, timeout_s=timeout_s, releases=releases)
        if heard.status != 200:
            door.hear_error(heard, json.loads(heard.body))
        elif stream:
            door.hear_stream(heard)
        else:
            door.hear_document(heard, json.loads(heard.body))
        return heard

    def receive(
        self,
        model: str,
        door: ClientDoor,
        question: Question,
        *,
        timeout_s: float | None = None,
        releases: Upstream | None = None,
    ) -> Heard:
        """The same, but for its meaning."""
        document = door.document(model, question)
        headers = {} if timeout_s is None else {"x-request-timeout": f"{timeout_s:g}"}
        url, body = self.daemon.url + door.path, b""
        with self._client.stream(
            "POST", url, json=document, headers=door.headers | headers
        ) as response:
            for piece in response.iter_raw():
                body += piece
                if releases is not None and b"brave" in body:
                    releases.release()
        return Heard(status=response.status_code, headers=response.headers, body=body)

    def entries(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log's lines about this event that have these fields."""
        entries = [json.loads(line) for line in self.daemon.log.splitlines()]
        return [
            entry
            for entry in entries
            if entry["event"] == event and fields.items() <= entry.items()
        ]

    def log_of(self, target: Target) -> str:
        """The log's lines in which the worker is named."""
        named = re.compile(rf"\b{re.escape(target.name)}\b")
        return "\n".join(line for line in self.daemon.log.splitlines() if named.search(line))

    def account(self, heard: Heard) -> dict[str, Any]:
        """How the exchange has ended, as the log has it."""
        wanted = {"request_id": heard.headers["x-request-id"]}
        until(lambda: self.entries("exchange ended", **wanted))
        [entry] = self.entries("exchange ended", **wanted)
        return entry

    def worker(self, target: Target) -> dict[str, Any]:
        """What operators see of it."""
        workers = self.daemon.admin("/admin/dashboard")["workers"]
        [worker] = [worker for worker in workers if worker["name"] == target.name]
        return dict(worker)

    def check_nothing_held(self, target: Target) -> None:
        """No slot, no connection in use."""

        def is_free() -> bool:
            worker = self.worker(target)
            connections = worker["connections"]
            held = connections["in_use"], connections["connecting"]
            return (worker["in_flight"], worker["queued"], *held) == (0, 0, 0, 0)

        until(is_free)

    def opened(self, target: Target) -> int:
        """How often its circuit breaker has opened."""
        return len(self.entries("breaker changed", worker=target.name, after="open"))


@contextmanager
def running_node(
    folder: Path,
    loop: ServerLoop,
    stocks: Mapping[str, Stock],
    *,
    settings: str,
    environ: Mapping[str, str],
    greeting: Greeting,
) -> Iterator[Node]:
    """A node with these workers, until the block ends; all of them have been found well."""
    healthy, resumer = loop.upstream(BASES["openai"][0]()), loop.upstream(BASES["ollama"][0]())
    healthy.fake.play(Scene.text("all is well"))
    resumer.fake.play(Scene.text(" new world"))
    config = _entry("healthy", Stock(1), healthy) + _entry("resumer", Stock(1, "ollama"), resumer)
    aliases: list[str] = []
    targets: dict[str, list[Target]] = {}
    for stock_name, stock in stocks.items():
        targets[stock_name] = []
        for number in range(stock.count):
            upstream = loop.upstream(BASES[stock.type][0]())
            upstream.greeting = greeting if stock.tls else plain
            if upstream.fake.keys:
                upstream.fake.keys = set(KEYS)
            target = Target(f"{stock_name}-{number}", upstream)
            config += _entry(target.name, stock, target.upstream)
            aliases += (
                f'"{model}" = ["{target.alone}", "{other}/m1"]'
                for model, other in ((target.backed, "healthy"), (target.resumed, "resumer"))
            )
            targets[stock_name].append(target)
    config += SETTINGS.format(aliases=", ".join(aliases)) + settings
    secrets = {f"FAULTS_KEY_{number}": key for number, key in enumerate(KEYS)}
    environ = {**environ, **secrets}
    with (
        running_daemon(folder, config, environ=environ) as daemon,
        httpx.Client(timeout=TIMEOUT_S) as client,
    ):
        takeable = {name: iter(each) for name, each in targets.items()}
        node = Node(daemon, healthy, resumer, takeable, client)
        until(lambda: _all_checked(node))
        yield node


def _entry(name: str, stock: Stock, upstream: Upstream) -> str:
    scheme, host = ("https", "localhost") if stock.tls else ("http", "127.0.0.1")
    keys = ", ".join(f'"env:FAULTS_KEY_{number}"' for number in range(stock.keys))
    has_keys = upstream.fake.keys and stock.keys
    return "\n".join(
        (
            "[[workers]]",
            f'name = "{name}"',
            f'type = "{stock.type}"',
            f'base_url = "{scheme}://{host}:{upstream.port}{BASES[stock.type][1]}"',
            'models = ["m1"]',
            f"api_keys = [{keys}]" if has_keys else "",
            stock.settings,
            "",
        )
    )


def _all_checked(node: Node) -> bool:
    workers = node.daemon.admin("/admin/dashboard")["workers"]
    return all(worker["status"] != "unknown" for worker in workers)
