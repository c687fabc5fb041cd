"""Several nodes of cortexd on one port of this machine, and the load monitor of each."""

import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import trio

from bench.gateway.process import NotRunning
from bench.load.process import Started, started

CHECKOUT: Final = Path(__file__).parents[2]

READY_S_MAX: Final = 60.0
POLL_S: Final = 0.1
ADMIN_S_MAX: Final = 10.0

WARMING_CHATS: Final = 32
"""For each node: so many are done before anything is measured."""

CONNECTIONS_MAX: Final = 16_384

MODEL: Final = "scripted"
_TOKEN_VARIABLE: Final = "LOAD_TEST_ADMIN_TOKEN"  # noqa: S105  its name is no secret


@attrs.frozen(kw_only=True)
class Answer:
    """What a model does: think for `first_token_s`, then say so many words at a pace."""

    first_token_s: float = 0.2
    words: int = 40
    word_s: float = 0.02

    @property
    def script(self) -> str:
        """The same for a scripted worker, in TOML."""
        said = f'{{ say = "word ", every = {self.word_s} }}'
        steps = f"{{ repeat = {self.words}, steps = [{said}] }}"
        return f"[{{ wait = {self.first_token_s} }}, {steps}]"


@attrs.frozen(eq=False)
class Node:
    """A running node. `admin` is a client of its admin listener, which knows the token."""

    name: str
    started: Started
    admin: httpx.AsyncClient

    async def wait_ready(self) -> None:
        """Until it can serve. Raises `NotRunning`."""
        with trio.move_on_after(READY_S_MAX):
            while self.started.process.poll() is None:
                if await self._is_ready():
                    return
                await trio.sleep(POLL_S)
        raise NotRunning(
            f"{self.name} does not serve; the end of its log:\n{self.started.end_of_log}"
        )

    async def start_monitor(self, interval_s: float) -> None:
        """Have it sample itself. Raises `NotRunning`."""
        await self._ask("POST", "/start", {"interval_seconds": interval_s})

    async def latest_sample(self, interval_s: float) -> Any:
        """What it has sampled last, with such an interval; `None` before. Raises `NotRunning`."""
        # A node has the clock of this machine. All samples would be a load of their own.
        since = time.time() - 2 * interval_s
        samples = (await self._ask("GET", f"?since={since:.3f}"))["samples"]
        return samples[-1] if samples else None

    async def stop_monitor(self) -> Any:
        """End that; gives the summary of it. Raises `NotRunning`."""
        return (await self._ask("POST", "/stop", {}))["summary"]

    async def _is_ready(self) -> bool:
        try:
            return (await self.admin.get("/admin/health")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def _ask(self, method: str, action: str = "", wish: object = None) -> Any:
        try:
            answer = await self.admin.request(method, f"/admin/load-monitor{action}", json=wish)
        except httpx.TransportError as exc:
            raise NotRunning(f"{self.name} does not answer its operator any more ({exc})") from exc
        if answer.status_code != httpx.codes.OK:
            raise NotRunning(f"{self.name} refuses its load monitor: {answer.text}")
        return answer.json()


@attrs.frozen(kw_only=True)
class Target:
    """The system under test, at one address. `key`: what clients show, if they need one.

    `nodes`: those that were started for the test; none where the system was there already.
    """

    url: str
    model: str
    key: str = ""
    nodes: Sequence[Node] = ()


@asynccontextmanager
async def running_nodes(count: int, answer: Answer, folder: Path) -> AsyncIterator[Target]:
    """Start so many, wait until all can serve, and end them with the block. Raises `NotRunning`."""
    async with AsyncExitStack() as stack:
        # Kept, without listening: nobody else gets the port before the nodes have it.
        kept = stack.enter_context(socket.socket())
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        nodes = [
            await stack.enter_async_context(_running(f"node-{number}", port, answer, folder))
            for number in range(1, count + 1)
        ]
        for node in nodes:
            await node.wait_ready()
        yield Target(url=f"http://127.0.0.1:{port}", model=MODEL, nodes=nodes)


async def warm_up(target: Target) -> None:
    """Have some chats at once, each over a connection of its own. Raises `NotRunning`."""
    body = {"model": target.model, "messages": [{"role": "user", "content": "Are you there?"}]}
    headers = {"authorization": f"Bearer {target.key}"} if target.key else {}

    async def chat(number: int) -> None:
        async with httpx.AsyncClient(timeout=READY_S_MAX, trust_env=False) as client:
            asked = {**body, "stream": number % 2 == 0}
            url = f"{target.url}/v1/chat/completions"
            answer = await client.post(url, json=asked, headers=headers)
            answer.raise_for_status()

    try:
        async with trio.open_nursery() as nursery:
            # Of somebody else's system, it is enough to know that it chats.
            for number in range(WARMING_CHATS * len(target.nodes) or 1):
                nursery.start_soon(chat, number)
    except* (httpx.HTTPError, httpx.InvalidURL) as failures:
        raise NotRunning(f"{target.url} does not chat: {failures.exceptions[0]}") from failures


@asynccontextmanager
async def _running(name: str, port: int, answer: Answer, folder: Path) -> AsyncIterator[Node]:
    own = folder / name
    own.mkdir()
    config, token = own / "cortexd.toml", secrets.token_hex()
    config.write_text(
        f"""
        [node]
        name = "{name}"
        state_dir = "{own}/state"
        drain_seconds = 1
        [data]
        bind = ["127.0.0.1:{port}"]
        reuse_port = true
        max_connections = {CONNECTIONS_MAX}
        [admin]
        bind = ["unix:{own}/admin.sock"]
        token = "env:{_TOKEN_VARIABLE}"
        [[workers]]
        name = "model"
        type = "scripted"
        models = ["{MODEL}"]
        script = {answer.script}
        """,
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", "json"]
    environment = {"PYTHONPATH": str(CHECKOUT), _TOKEN_VARIABLE: token}
    async with (
        started(command, own, environment) as process,
        httpx.AsyncClient(
            base_url="http://localhost",
            transport=httpx.AsyncHTTPTransport(uds=str(own / "admin.sock")),
            timeout=ADMIN_S_MAX,
            headers={"authorization": f"Bearer {token}"},
        ) as admin,
    ):
        yield Node(name, process, admin)
