"""C3 and C4: a client that goes takes its whole request with it, in every phase of it.

That it takes a second at most is shown in `test_faults_clients_virtual.py`, where time is virtual.

C10 (TLS handshakes) does not concern this node yet: it has no TLS listener.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from tests.daemon import running_daemon
from tests.faults.client import (
    CHAT_PATH,
    HANGS_S,
    Farewell,
    FaultyClient,
    chat,
    connected,
    head,
    until,
)
from tests.load.conftest import PROBED_ONCE, Node
from tests.load.errands import until_sent
from tests.load.plan import Plan
from tests.load.upstream import Upstream

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CLIENTS: Final = 100
"""So many leave in each phase, in all ways."""

WORKER: Final = """
[[workers]]
name = "{name}"
type = "openai"
base_url = "{url}/v1"
models = ["m"]
max_concurrency = {slots}
queue_max = 200
connect_seconds = 600
"""

CONFIG: Final = """
[breaker]
enabled = false
[retry]
max_attempts = 8
budget_ratio = 1
budget_floor_per_second = 100
[[workers]]
name = "failing"
type = "scripted"
models = ["m"]
max_concurrency = 200
script = [{ fail = "server_error" }]
"""
"""`failing` is asked again and again, after ever longer pauses."""


@attrs.frozen
class Scene:
    """A node. `steady` and `busy`, which has one slot, are one server, `deaf` is another."""

    node: Node
    upstream: Upstream
    deaf: Upstream

    @property
    def port(self) -> int:
        """Where clients chat."""
        return self.node.port


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All workers are well when the node begins."""
    with ExitStack() as stack:
        upstream, deaf = Upstream(), Upstream(backlog=0)
        stack.callback(upstream.close)
        stack.callback(deaf.close)
        stack.enter_context(upstream.serving())
        workers = "".join(
            WORKER.format(name=name, url=server.url, slots=slots)
            for name, server, slots in (
                ("steady", upstream, 200),
                ("busy", upstream, 1),
                ("deaf", deaf, 200),
            )
        )
        with deaf.serving():
            folder = tmp_path_factory.mktemp("leaving")
            daemon = stack.enter_context(running_daemon(folder, PROBED_ONCE + CONFIG + workers))
            for worker in ("steady", "busy", "deaf", "failing"):
                daemon.wait_available(worker)
        yield Scene(Node(daemon), upstream, deaf)


async def test_c3_client_gone_while_queued(scene: Scene) -> None:
    """The places in the queue are given up, and the worker never hears of them."""
    holder, plans = Plan(name="queued-holder", held_after=1), _plans("queued")
    async with connected(scene.port) as held:
        await held.send(chat(holder.text, model="busy/m", request_id=holder.name))
        await until_sent(scene.upstream, holder, 1)
        async with _crowd(scene, "busy", plans, when=(1, CLIENTS), others=1) as crowd:
            crowd.leave()
            await _check_left(scene, plans)
            assert scene.node.loads()["busy"] == (1, 0)
    assert not scene.upstream.asked.keys() & {plan.name for plan in plans}


async def test_c3_client_gone_while_backing_off(scene: Scene) -> None:
    """The pause before the next attempt is cut short, and there is no next attempt."""
    plans = _plans("backing-off")
    async with _crowd(scene, "failing", plans, when=(0, 0)) as crowd:
        crowd.leave()
        await _check_left(scene, plans)


async def test_c3_client_gone_while_connecting(scene: Scene) -> None:
    """The node does not go on knocking where nobody opens."""
    plans = _plans("connecting")
    with scene.deaf.deaf():
        async with _crowd(scene, "deaf", plans, when=(CLIENTS, 0)) as crowd:
            crowd.leave()
            await _check_left(scene, plans)


async def test_c3_client_gone_before_the_first_token(scene: Scene) -> None:
    """The worker thinks for nobody, and is told so by the close of its connection."""
    plans = _plans("thinking", held_after=0)
    async with _crowd(scene, "steady", plans, when=(CLIENTS, 0)) as crowd:
        await until(scene.node, lambda: all(plan.name in scene.upstream.asked for plan in plans))
        crowd.leave()
        await _check_left(scene, plans)
    await _check_cut(scene, plans)


async def test_c3_client_gone_mid_stream(scene: Scene) -> None:
    """The same where the worker has fallen silent in the middle of its answer."""
    plans = _plans("streaming", held_after=1)
    async with _crowd(scene, "steady", plans, when=(CLIENTS, 0), hears=b"p0;") as crowd:
        crowd.leave()
        await _check_left(scene, plans)
    await _check_cut(scene, plans)


@pytest.mark.parametrize("farewell", [Farewell.FIN, Farewell.RST])
@pytest.mark.parametrize(
    "sent",
    [b"", f"POST {CHAT_PATH} HT".encode(), head(100), head(100) + b'{"messages"'],
    ids=["nothing", "half a head", "no body", "half a body"],
)
async def test_c3_client_gone_before_its_request_is_whole(
    scene: Scene, sent: bytes, farewell: Farewell
) -> None:
    """What never was a request leaves neither a line in the log nor an open file."""
    ended = scene.node.outcomes()
    async with connected(scene.port) as client:
        port = client.stream.socket.getsockname()[1]
        await client.send(sent)
        await until(scene.node, lambda: _sockets_with(port) & _open_files(scene.node))
        [its_socket] = _sockets_with(port) & _open_files(scene.node)
        client.leave(farewell)
    await until(scene.node, lambda: its_socket not in _open_files(scene.node))
    assert scene.node.outcomes() == ended


def _sockets_with(port: int) -> set[str]:
    """Who is connected with this port, as /proc/PID/fd calls them (proc(5), net/tcp)."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    return {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{port:04X}")}


def _open_files(node: Node) -> set[str]:
    """What they are; how many would not tell, as those of the test before may close meanwhile."""
    files = set()
    for file in Path(f"/proc/{node.daemon.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            files.add(str(file.readlink()))
    return files


@pytest.mark.parametrize("held_after", [0, 1], ids=["before the first token", "mid-stream"])
async def test_c4_a_half_close_is_a_farewell(scene: Scene, held_after: int) -> None:
    """Documented: whoever will say no more is gone, though it might still listen."""
    plan = Plan(name=f"half-closed-{held_after}", held_after=held_after)
    async with connected(scene.port) as client:
        await client.send(chat(plan.text, model="steady/m", request_id=plan.name))
        await until_sent(scene.upstream, plan, held_after)
        client.leave(Farewell.HALF_CLOSE)
        with trio.fail_after(HANGS_S):
            heard = await client.wait_cut()
        await _check_left(scene, [plan])
    await _check_cut(scene, [plan])
    assert b"[DONE]" not in heard


@attrs.frozen
class Crowd:
    """Clients that wait for what will not come."""

    clients: list[FaultyClient] = attrs.Factory(list)
    _is_over: trio.Event = attrs.Factory(trio.Event)

    async def stay(self, port: int, request: bytes, hears: bytes) -> None:
        """Be one of them."""
        async with connected(port) as client:
            self.clients.append(client)
            await client.send(request)
            if hears:
                await client.hear(lambda answer: hears in answer.body)
            await self._is_over.wait()

    def leave(self) -> None:
        """All leave, in all ways; who says no more still listens."""
        for client, farewell in zip(self.clients, cycle(Farewell), strict=False):
            client.leave(farewell)

    def end(self) -> None:
        """Let go of them."""
        self._is_over.set()


@asynccontextmanager
async def _crowd(
    scene: Scene,
    worker: str,
    plans: list[Plan],
    *,
    when: tuple[int, int],
    hears: bytes = b"",
    others: int = 0,
) -> AsyncIterator[Crowd]:
    """All have asked, `when` is what their worker has in flight and queued, and all have heard."""
    crowd, loads = Crowd(), {worker: when, "node": (len(plans) + others, 0)}
    async with trio.open_nursery() as nursery:
        for plan in plans:
            request = chat(plan.text, model=f"{worker}/m", request_id=plan.name)
            nursery.start_soon(crowd.stay, scene.port, request, hears)
        await until(scene.node, lambda: loads.items() <= scene.node.loads().items())
        await until(scene.node, lambda: all(hears in each.answer.body for each in crowd.clients))
        yield crowd
        crowd.end()


async def _check_left(scene: Scene, plans: list[Plan]) -> None:
    """Every one is out, with that one outcome, and no worker is blamed for it."""
    names = {plan.name for plan in plans}
    await until(scene.node, lambda: scene.node.outcomes().keys() >= names)
    ended = scene.node.outcomes()
    assert {name: ended[name] for name in names} == {name: ["client_left"] for name in names}
    assert scene.node.failures() == []


async def _check_cut(scene: Scene, plans: list[Plan]) -> None:
    """The worker has seen every one go, and has its slots back."""
    await until(scene.node, lambda: all(scene.upstream.asked[plan.name].is_cut for plan in plans))
    await until(scene.node, scene.node.is_idle)


def _plans(phase: str, *, held_after: int | None = None) -> list[Plan]:
    names = (f"{phase}-{index}" for index in range(CLIENTS))
    return [Plan(name=name, held_after=held_after) for name in names]
