"""C1 and C2: clients that do not read, or hardly, cost next to nothing and hold up nobody."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from cortexd.config.load import load
from cortexd.domain.events import Event, ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.runtime.application import build_application
from cortexd.runtime.doors import doors_on
from cortexd.runtime.listening import listen
from cortexd.runtime.supervision import supervision_tree
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import open_tree
from tests.daemon import head, running_daemon
from tests.faults.client import HANGS_S, Farewell, ask, chat, connected, until
from tests.load.conftest import PROBED_ONCE, Node
from tests.load.plan import Plan, pieces_in
from tests.load.upstream import Upstream

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

WARMING_UP: Final = 16
STALLED: Final = 128
STALLED_BYTES_MAX: Final = 256 * 1024
"""What a client that does not read may cost the node; the rest waits in the worker."""

ENDLESS: Final = Plan(name="endless", pieces=100_000, padding_bytes=16 * 1024)
STREAM_BYTES: Final = ENDLESS.pieces * ENDLESS.padding_bytes
SIPPED_BYTES: Final = 1024
SIP_S: Final = 1.0
STANDS_STILL_S: Final = 1.0
STALL_S: Final = 0.3

WORKER: Final = """
[[workers]]
name = "steady"
type = "openai"
base_url = "{url}/v1"
models = ["m"]
max_concurrency = 200
"""


@attrs.frozen
class Scene:
    """A node and its worker."""

    node: Node
    upstream: Upstream

    @asynccontextmanager
    async def stalled(self, count: int, name: str) -> AsyncIterator[list[Plan]]:
        """So many clients that read nothing, whose worker cannot send any more."""
        plans = [attrs.evolve(ENDLESS, name=f"{name}-{number}") for number in range(count)]
        async with AsyncExitStack() as stack:
            for plan in plans:
                client = connected(self.node.port, reads_nothing=True)
                request = chat(plan.text, request_id=plan.name)
                await (await stack.enter_async_context(client)).send(request)
            await until(self.node, lambda: all(plan.name in self.upstream.asked for plan in plans))
            await self.wait_held_back(plans)
            yield plans

    async def wait_held_back(self, plans: list[Plan]) -> None:
        """Wait until the worker stands still, long before it is through."""
        before, sent = [0], self._sent(plans)
        with trio.fail_after(HANGS_S):
            while sent != before:
                await trio.sleep(STANDS_STILL_S)
                before, sent = sent, self._sent(plans)
        assert max(sent) < STREAM_BYTES / 10

    def _sent(self, plans: list[Plan]) -> list[int]:
        return [self.upstream.asked[plan.name].sent_bytes for plan in plans]

    async def check_others_are_served(self) -> None:
        """Twenty clients, one after the other."""
        for number in range(20):
            plan = Plan(name=f"other-{number}-{id(self)}", pieces=50)
            answer = await ask(self.node.port, chat(plan.text))
            assert (answer.status, answer.is_whole) == (200, True)
            assert pieces_in(answer.body) == list(range(50))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A model server that can be endless."""
    server = Upstream()
    with server.serving():
        yield server
    server.close()


@pytest.fixture
def scene(upstream: Upstream, tmp_path: Path) -> Iterator[Scene]:
    """A node that has two seconds to stop in."""
    workers = PROBED_ONCE + WORKER.format(url=upstream.url)
    with running_daemon(tmp_path, workers, drain_s=2.0) as daemon:
        daemon.wait_available("steady")
        yield Scene(Node(daemon), upstream)


async def test_c1_clients_that_read_nothing(scene: Scene) -> None:
    """Each holds its own worker back, and nobody else: neither the others nor the node's end."""
    async with scene.stalled(STALLED, "stalled") as plans:
        await scene.check_others_are_served()
        assert await trio.to_thread.run_sync(scene.node.daemon.stop) == 0
    ended = scene.node.outcomes()
    # Both are true of them: the node has ended them, and the clients had long left it alone.
    outcomes = [ended[plan.name] for plan in plans]
    assert all(ends in (["node_stopped"], ["client_left"]) for ends in outcomes)


async def test_c1_memory_of_clients_that_read_nothing(scene: Scene) -> None:
    """Each costs little, however much its worker would have to say."""
    async with scene.stalled(WARMING_UP, "before"):
        pass
    await until(scene.node, scene.node.is_idle)
    before = scene.node.figures().memory
    async with scene.stalled(STALLED, "stalled"):
        assert scene.node.figures().memory - before <= STALLED * STALLED_BYTES_MAX


async def test_c1_a_client_that_makes_no_progress_is_cut(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slot is free then, and its worker asked for no more. The limit, 30 s, is short here."""
    monkeypatch.setattr("cortexd.runtime.http_connection.WRITE_STALL_S_MAX", STALL_S)
    path, events = tmp_path / "cortexd.toml", list[Event]()
    path.write_text(head(tmp_path) + WORKER.format(url=upstream.url), encoding="utf-8")
    config, plan = load(path, {}), attrs.evolve(ENDLESS, name="stalled")
    app = build_application(config, Surroundings(emit=events.append))
    with ExitStack() as sockets, trio.fail_after(HANGS_S):
        opened = listen(config)
        for sock in (*opened.data, *opened.admin):
            sockets.enter_context(sock)
        port = opened.data[0].getsockname()[1]
        async with (
            open_tree(supervision_tree(app, doors_on(opened, app))),
            connected(port, reads_nothing=True) as client,
        ):
            await client.send(chat(plan.text, request_id=plan.name))
            while not _outcomes(events):  # noqa: ASYNC110  the log has no bell
                await trio.sleep(0.05)
            while not upstream.asked[plan.name].is_cut:  # noqa: ASYNC110  another thread's
                await trio.sleep(0.05)
            (worker,) = app.pool.roster.value
            assert (worker.slots.in_flight, app.pipeline.cutoff.in_flight) == (0, 0)
    assert _outcomes(events) == [Outcome.CLIENT_LEFT]


async def test_c2_a_client_that_reads_a_kilobyte_a_second(scene: Scene) -> None:
    """Its worker is held back with it, and all others are served; it is not cut for being slow."""
    plan = attrs.evolve(ENDLESS, name="sipped")
    async with connected(scene.node.port, reads_nothing=True) as client:
        await client.send(chat(plan.text, request_id=plan.name))
        await client.hear(lambda answer: b"p0;" in answer.body)
        async with trio.open_nursery() as nursery:

            async def sip() -> None:
                await client.sip(bytes_each=SIPPED_BYTES, pause_s=SIP_S)
                raise AssertionError("cut off")

            nursery.start_soon(sip)
            await scene.wait_held_back([plan])
            await scene.check_others_are_served()
            assert scene.node.loads()["steady"] == (1, 0)
            nursery.cancel_scope.cancel()
        client.leave(Farewell.RST)
    await until(scene.node, scene.node.is_idle)


def _outcomes(events: list[Event]) -> list[Outcome]:
    return [event.outcome for event in events if isinstance(event, ExchangeEnded)]
