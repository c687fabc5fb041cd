"""Requests that are cancelled, at every moment of their life, leave nothing behind."""

import gc
import heapq
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import trio
import trustme

from cortexd.domain.errors import WorkerFailed

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Rig, Wire

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

HELLO: Final = b"data: hello\n\n"
AT_ONCE: Final = 60
HANGS_S: Final = 20.0
REQUESTS: Final = {"tcp": 10_000, "tls": 500}

# About as often does a request wait: each phase of it gets its share.
WAITS: Final = {"tcp": 5, "tls": 12}


def open_files() -> int:
    """How many descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def count_tasks() -> int:
    """How many tasks live, once all that can run have run."""
    await trio.testing.wait_all_tasks_blocked()
    return trio.lowlevel.current_statistics().tasks_living


@pytest.fixture(params=["tcp", "tls"])
def over(request: pytest.FixtureRequest, peer: "Peer", make_rig: Callable[..., "Rig"]) -> "Rig":
    """A client of `peer`, in clear text and over TLS; all its connections may become idle."""
    if request.param == "tcp":
        return make_rig(peer, slots=AT_ONCE, idle_connections_max=AT_ONCE)
    authority = trustme.CA()
    peer.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(peer.server_tls)
    peer.base_url = peer.base_url.replace("http://", "https://")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return make_rig(peer, slots=AT_ONCE, idle_connections_max=AT_ONCE, tls_context=trusting)


class Reaper(trio.abc.Instrument):
    """Cancels tasks while they wait: counted in waits, so that a slow machine changes nothing."""

    def __init__(self) -> None:
        self._steps = 0
        self._doomed: dict[trio.lowlevel.Task, tuple[trio.CancelScope, int, int]] = {}
        self._due: list[tuple[int, int, trio.CancelScope]] = []

    def doom(self, scope: trio.CancelScope, *, wait: int, delay: int = 0) -> None:
        """Cancel the scope in this task's nth wait, some waits of all tasks later."""
        self._doomed[trio.lowlevel.current_task()] = scope, wait, delay

    def spare(self) -> None:
        """This task is done with what it was to be cancelled in."""
        self._doomed.pop(trio.lowlevel.current_task(), None)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._steps += 1
        if task in self._doomed:
            scope, wait, delay = self._doomed.pop(task)
            if wait:
                self._doomed[task] = scope, wait - 1, delay
            else:
                heapq.heappush(self._due, (self._steps + delay, id(scope), scope))
        while self._due and self._due[0][0] <= self._steps:
            heapq.heappop(self._due)[2].cancel()


@pytest.fixture
async def reaper() -> AsyncIterator[Reaper]:
    """One that watches all tasks of the test."""
    reaper = Reaper()
    trio.lowlevel.add_instrument(reaper)
    yield reaper
    trio.lowlevel.remove_instrument(reaper)


@pytest.mark.parametrize("body_bytes", [2, 100_000], ids=["small", "large"])
async def test_cancelled_in_each_wait(over: "Rig", reaper: Reaper, body_bytes: int) -> None:
    """From connecting to leaving, there is no wait in which a request may not be cancelled."""
    over.peer.answer_all(over.peer.chunked(HELLO, HELLO))
    files, tasks = open_files(), await count_tasks()
    body = b"x" * body_bytes

    waits = 0
    while await ask_until(reaper, over, body, waits):
        waits += 1
        assert over.client.statistics().open == 0
        await over.peer.wait_open(0)
        assert (open_files(), await count_tasks()) == (files, tasks)
    assert waits >= 3

    # The same on a connection that has been used before.
    waits = 0
    while await ask_until(reaper, over, body, waits):
        waits += 1
        statistics = over.client.statistics()
        assert (statistics.in_use, statistics.connecting) == (0, 0)
        assert await over.ask() == HELLO * 2
    assert waits >= 1
    assert over.client.statistics().idle == 1


async def ask_until(reaper: Reaper, rig: "Rig", body: bytes, wait: int) -> bool:
    """Ask, cancelled in the nth wait of this task; false where the answer came before that."""
    with trio.CancelScope() as scope:
        reaper.doom(scope, wait=wait)
        await rig.ask(body)
    reaper.spare()
    return scope.cancelled_caught


class Whimsical:
    """A server that does anything, some of it right, until it is told to be calm."""

    def __init__(self, peer: "Peer", chance: random.Random) -> None:
        self.is_calm = False
        self._chance = chance
        self._answers = [
            peer.sized(HELLO),
            peer.chunked(HELLO),
            peer.chunked(HELLO, HELLO),
            peer.sized(b"no", status="500 X"),
        ]
        self._endings = [
            (b"", "close"),
            (b"", "reset"),
            (b"", "hold"),
            (peer.head("content-length: 100") + HELLO, "hold"),
            (peer.chunked(HELLO, end=b"ff\r\nhalf"), "close"),
        ]

    async def conduct(self, wire: "Wire") -> None:
        """Serve one connection."""
        await self._dawdle()  # before a handshake, if there is one
        while await wire.read_request():
            await self._dawdle()
            if self.is_calm:
                await wire.send(self._answers[0])
            elif self._chance.random() < 0.6:
                await wire.send(self._chance.choice(self._answers))
            else:
                await self._end(wire, *self._chance.choice(self._endings))
                return

    async def _dawdle(self) -> None:
        await trio.sleep(self._chance.choice((0.0, 0.0, 0.002)))

    async def _end(self, wire: "Wire", last: bytes, ending: str) -> None:
        await wire.send(last)
        if ending == "hold":
            with trio.move_on_after(0.02):  # long enough to be cancelled in
                await wire.wait_closed()
        if ending == "reset":
            wire.reset()


async def test_ten_thousand_cancelled_requests(over: "Rig", reaper: Reaper) -> None:
    """Whatever the server does and whenever they are cancelled: no task, socket or file is left."""
    peer = over.peer
    chance = random.Random(7)  # noqa: S311  not a secret
    server = Whimsical(peer, chance)
    peer.conduct = server.conduct
    kind = "tcp" if peer.server_tls is None else "tls"
    ends: Counter[str] = Counter()

    async def ask() -> str:
        body = b"x" * (100_000 if chance.random() < 0.02 else 100)
        with trio.CancelScope() as scope:
            if chance.random() < 0.95:
                reaper.doom(scope, wait=chance.randrange(WAITS[kind]), delay=chance.randrange(200))
            try:
                await over.ask(body)
            except WorkerFailed as failure:
                return failure.kind.name
            finally:
                reaper.spare()
        return "cancelled" if scope.cancelled_caught else "answered"

    async def ask_on() -> None:
        while ends["cancelled"] < REQUESTS[kind]:
            ends[await ask()] += 1

    files, tasks = open_files(), await count_tasks()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(ask_on)

    # They were cancelled among requests that had every other end.
    assert ends.keys() == {"cancelled", "answered", "SERVER_ERROR", "UNREACHABLE"}
    statistics = over.client.statistics()
    assert (statistics.in_use, statistics.connecting) == (0, 0)
    assert statistics.open == statistics.idle <= AT_ONCE
    server.is_calm = True
    with trio.fail_after(20.0):
        assert await over.ask() == HELLO

    await over.client.aclose()
    await peer.wait_open(0)
    gc.collect()
    # The peer may still find a connection in its backlog whose client left long ago.
    with trio.fail_after(HANGS_S):
        while (open_files(), await count_tasks()) != (files, tasks):  # noqa: ASYNC110  polled
            await trio.sleep(0.01)
