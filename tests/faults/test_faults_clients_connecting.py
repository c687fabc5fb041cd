"""C5, C6, C7 and C9: connections that never become a request, and those that are not HTTP/1.1.

C10 (TLS handshakes) does not concern this node yet: it has no TLS listener.
"""

import os
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.daemon import running_daemon
from tests.faults.client import (
    HANGS_S,
    Farewell,
    FaultyClient,
    ask,
    chat,
    connect_and_close,
    connected,
    head,
    until,
)
from tests.load.conftest import PROBED_ONCE, Node, many_files  # noqa: F401  a fixture for all

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

IDLE: Final = 1000
IDLE_BYTES_MAX: Final = 40 * 1024
PASSERS_BY: Final = 2000
PASSING_AT_ONCE: Final = 50
CALM_S: Final = 1.0
CALM_SHARE_MAX: Final = 0.1
"""Of a core: a loop that turns for nothing takes all of it."""
SLOW: Final = 50
TRICKLE_S: Final = 0.05

LIMITS: Final = "header_seconds = 0.5\nbody_seconds = 1\nkeep_alive_seconds = 5"

WORKER: Final = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{ say = "all is well" }]
"""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 1, 3, 4, 6, 8, 9
FRAMES: Final = 10_000
GET_HPACK: Final = b"\x82\x86\x84\x41\x01a"
"""`GET http://a/` from the static table of RFC 7541."""


def _frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _each_stream(*frames: Callable[[int], bytes]) -> bytes:
    return b"".join(frame(2 * n + 1) for n in range(FRAMES // len(frames)) for frame in frames)


FLOODS: Final = {
    "rapid reset": _each_stream(
        lambda stream: _frame(HEADERS, stream, GET_HPACK, flags=5),
        lambda stream: _frame(RST_STREAM, stream, b"\0\0\0\x08"),
    ),
    "MadeYouReset": _each_stream(
        lambda stream: _frame(HEADERS, stream, GET_HPACK, flags=5),
        lambda stream: _frame(WINDOW_UPDATE, stream, b"\0\0\0\0"),
    ),
    "CONTINUATION": _frame(HEADERS, 1, GET_HPACK)
    + b"".join(repeat(_frame(CONTINUATION, 1, b"\0\x01a\x01b" * 100), FRAMES // 10)),
    "SETTINGS": b"".join(repeat(_frame(SETTINGS, 0), FRAMES)),
    "PING": b"".join(repeat(_frame(PING, 0, b"12345678"), FRAMES)),
    "window 0": _frame(SETTINGS, 0, b"\0\x04\0\0\0\0")
    + _each_stream(lambda stream: _frame(HEADERS, stream, GET_HPACK, flags=5)),
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that has little patience."""
    folder: Path = tmp_path_factory.mktemp("connecting")
    with running_daemon(folder, PROBED_ONCE + WORKER, data=LIMITS) as daemon:
        daemon.wait_available("talker")
        yield Node(daemon)


async def test_c5_idle_connections(node: Node) -> None:
    """A thousand cost little memory, keep nobody from being served, and do not stay for ever."""
    await _check_served(node)
    before = node.figures()
    async with _crowd(node.port, IDLE) as clients:
        for client in clients:
            await client.send(b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n")
        for client in clients:
            await client.hear()
        figures = node.figures()
        assert figures.files >= IDLE
        assert figures.memory - before.memory <= IDLE * IDLE_BYTES_MAX
        await _check_served(node)
        with trio.fail_after(HANGS_S):
            assert {await client.wait_cut() for client in clients} == {b""}
    await until(node, lambda: node.figures().files <= before.files)


async def test_c6_slow_heads(node: Node) -> None:
    """Bytes that keep trickling in buy no time: 408 and the end, and the others are served."""
    request = chat("never sent whole").partition(b"\r\n\r\n")[0]
    answers = await _trickle(node, b"", request + b"x" * 1000)
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 "}


async def test_c6_slow_bodies(node: Node) -> None:
    """The same for a body, whose client is told why in its own dialect."""
    answers = await _trickle(node, head(1000), b" " * 1000)
    assert {answer.partition(b" ")[2][:3] for answer in answers} == {b"408"}
    for answer in answers:
        assert b'{"error":{' in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("farewell", [Farewell.FIN, Farewell.RST])
async def test_c7_connect_and_close(node: Node, farewell: Farewell) -> None:
    """Thousands come and go: no file stays open, and the node is at rest again."""
    files, tasks = node.figures().files, node.tasks()
    left = iter(range(PASSERS_BY))

    async def pass_by() -> None:
        for _ in left:
            await connect_and_close(node.port, farewell)

    with trio.fail_after(HANGS_S):
        async with trio.open_nursery() as nursery:
            for _ in range(PASSING_AT_ONCE):
                nursery.start_soon(pass_by)
    await until(node, lambda: node.figures().files <= files)
    await until(node, lambda: node.tasks() <= tasks)
    with trio.fail_after(HANGS_S):
        while await _share_of_core(node) > CALM_SHARE_MAX:
            pass
    await _check_served(node)
    assert node.failures() == []


@pytest.mark.parametrize("flood", FLOODS)
async def test_c9_http2(node: Node, flood: str) -> None:
    """There is none: whatever comes behind its preface is neither read nor answered."""
    files = node.figures().files
    async with connected(node.port) as client:
        with trio.fail_after(HANGS_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.pour, PREFACE + FLOODS[flood])
                answer = await client.wait_cut()
                nursery.cancel_scope.cancel()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    await until(node, lambda: node.figures().files <= files)
    await _check_served(node)


async def _check_served(node: Node) -> None:
    with trio.fail_after(HANGS_S):
        answer = await ask(node.port, chat("hello"))
    assert (answer.status, answer.said, answer.is_whole) == (200, "all is well", True)


async def _trickle(node: Node, at_once: bytes, slowly: bytes) -> list[bytes]:
    """What many clients get that send the rest byte by byte."""
    answers: list[bytes] = []

    async def one() -> None:
        async with connected(node.port) as client, trio.open_nursery() as nursery:
            await client.send(at_once)
            nursery.start_soon(partial(client.trickle, slowly, pause_s=TRICKLE_S))
            answers.append(await client.wait_cut())
            nursery.cancel_scope.cancel()

    with trio.fail_after(HANGS_S):
        async with trio.open_nursery() as nursery:
            for _ in range(SLOW):
                nursery.start_soon(one)
            await _check_served(node)
    assert len(answers) == SLOW
    return answers


@asynccontextmanager
async def _crowd(port: int, count: int) -> AsyncIterator[list[FaultyClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(port)) for _ in range(count)]


async def _share_of_core(node: Node) -> float:
    """How much of a core the node takes while nobody asks it for anything."""
    before = _cpu_s(node)
    await trio.sleep(CALM_S)
    return (_cpu_s(node) - before) / CALM_S


def _cpu_s(node: Node) -> float:
    # The 14th and 15th field are the ticks in user and in system mode (proc(5)).
    stat = Path(f"/proc/{node.daemon.process.pid}/stat").read_text(encoding="ascii")
    ticks = stat.rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
