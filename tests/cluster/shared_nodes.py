"""Three real nodes over one Redis, with one upstream behind them, and clients with keys."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from tests.daemon import Daemon, running_daemon
from tests.fakes.openai import OpenAi
from tests.fakes.server import Reply
from tests.faults.client import Answer, ask, head
from tests.faults.upstream import ServerLoop, Upstream
from tests.faults.upstream_wire import Wire, play
from tests.load.conftest import Node
from tests.servers.redis import RedisServer

NODES: Final = 3

CONFIG: Final = """
[cache]
enabled = true
[health]
interval_seconds = 3600
[cluster]
redis_url = "{redis}"
name = "{cluster}"
[[workers]]
name = "w"
type = "openai"
base_url = "http://127.0.0.1:{port}/v1"
models = ["m1"]
api_keys = ["env:UPSTREAM_KEY"]
max_concurrency = 2000
"""


@attrs.frozen(eq=False)
class SharedNode(Node):
    """One of the nodes, for operators and clients."""

    def operate(self, method: str, path: str, document: Any = None) -> Any:
        """What the admin API says."""
        daemon = self.daemon
        token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
        answer = httpx.request(
            method,
            daemon.admin_url + path,
            json=document,
            headers={"authorization": f"Bearer {token}"},
            timeout=20,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def make_key(self, **wishes: Any) -> Any:
        """A new key: its `id`, and `key` itself."""
        return self.operate("POST", "/admin/keys", wishes)

    def knows(self, key_id: str, *, state: str = "active") -> bool:
        """Whether it has this key, in this state."""
        items = self.daemon.admin("/admin/keys")["items"]
        return any((each["id"], each["state"]) == (key_id, state) for each in items)

    async def ask(self, text: str, key: str, **headers: str) -> Answer:
        """An answer, whatever it is."""
        return await ask(self.port, request(text, key, **headers))


@attrs.frozen(eq=False)
class SharedNodes:
    """All of them, a key that opens them without limits, and what they ask."""

    nodes: list[SharedNode]
    key: str
    upstream: Upstream
    _start: Callable[[int], SharedNode]

    def revive(self, place: int) -> None:
        """Have a node that was killed back, as a new process that has forgotten nothing."""
        self.nodes[place] = self._start(place)
        node = self.nodes[place]
        node.wait(lambda: len(node.daemon.admin("/admin/keys")["items"]) > 0)

    def wait_all(self, key_id: str, *, state: str = "active") -> None:
        """Until all of them know what has become of this key."""
        for node in self.nodes:
            node.wait(partial(node.knows, key_id, state=state))

    def in_flight(self) -> int:
        """How many requests are being answered, by all nodes together."""
        return sum(node.loads()["node"][0] for node in self.nodes)

    def late_calls(self) -> int:
        """How often a node has not had the word of Redis on an answer in time."""
        return sum(node.daemon.admin("/admin/cache")["l2_failed"] for node in self.nodes)

    def hold(self) -> None:
        """From now on, the upstream says nothing before it is released."""
        self.upstream.break_off(_wait_then_play)
        self.upstream.asked.clear()


def request(text: str, key: str, **headers: str) -> bytes:
    """The bytes of a chat request. Headers may have `_` for `-`."""
    message = {"role": "user", "content": text}
    body = json.dumps({"model": "m1", "messages": [message], "stream": True}).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return head(len(body), f"authorization: Bearer {key}", *lines) + body


async def _wait_then_play(wire: Wire, reply: Reply) -> None:
    await wire.wait_released()
    await play(wire, reply)


@contextmanager
def running_nodes(
    folder: Path, redis: RedisServer, loop: ServerLoop, *, count: int = NODES
) -> Iterator[SharedNodes]:
    """The nodes for the length of the block, each of them well, and all of them of one cluster."""
    upstream = loop.upstream(OpenAi())
    (upstream_key,) = upstream.fake.keys
    config = CONFIG.format(redis=redis.url, cluster=folder.name, port=upstream.port)

    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:

        def start(place: int) -> SharedNode:
            name = f"node-{place}"
            environ = {
                "UPSTREAM_KEY": upstream_key,
                "PEPPER": "one-pepper-for-all-of-them",
                "CORTEXD__NODE__NAME": name,
            }
            (folder / name).mkdir(exist_ok=True)
            data = 'key_pepper = "env:PEPPER"\n'
            daemon: Daemon = stack.enter_context(
                running_daemon(folder / name, config, data=data, environ=environ)
            )
            daemon.wait_available("w")
            return SharedNode(daemon)

        nodes = list(pool.map(start, range(count)))
        made = nodes[0].make_key()
        shared = SharedNodes(nodes, made["key"], upstream, start)
        shared.wait_all(made["id"])
        yield shared
