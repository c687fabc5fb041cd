"""Answers without end: each is cut at its limit, and takes next to no memory until then."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.answer_stream import wire_failures
from cortexd.providers.transport.client import HttpClient
from cortexd.wire.ndjson import NdjsonDecoder
from cortexd.wire.sse import SseDecoder

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Rig, Wire

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

MIB: Final = 1024 * 1024
GROWTH_BYTES_MAX: Final = 16 * MIB
SAMPLE_S: Final = 0.002

# Sends its third argument over and over, a gigabyte of it, to whoever connects.
SERVER: Final = """
import socket, sys
start, piece = (bytes.fromhex(text) for text in sys.argv[1:3])
many = piece * max(1, 65536 // len(piece))
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    connection, _ = listening.accept()
    try:
        connection.recv(65536)
        connection.sendall(start)
        for _ in range(2**30 // len(many)):
            connection.sendall(many)
    except OSError:
        pass
    connection.close()
"""

OK: Final = b"HTTP/1.1 200 OK\r\n"
STREAM: Final = OK + b"content-type: text/event-stream\r\n"
CHUNKED: Final = STREAM + b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def flood() -> Iterator[Callable[[bytes, bytes], str]]:
    """Start servers, in processes of their own; returns the base URL."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(first: bytes, piece: bytes) -> str:
        command = [sys.executable, "-c", SERVER, first.hex(), piece.hex()]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        servers.append(server)
        assert server.stdout is not None
        return f"http://127.0.0.1:{int(server.stdout.readline())}"

    yield start
    for server in servers:
        server.kill()
        server.communicate()


def resident_bytes() -> int:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
async def growth_of(
    nursery: trio.Nursery,
) -> Callable[[], int]:
    """How much the memory has grown since the test began, at its worst."""
    before = peak = resident_bytes()

    async def watch() -> None:
        nonlocal peak
        while True:
            await trio.sleep(SAMPLE_S)
            peak = max(peak, resident_bytes())

    nursery.start_soon(watch)
    return lambda: max(peak, resident_bytes()) - before


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"x"),
        (OK + b"a: ", b"x"),
        (OK, b"x"),
        (b"HTTP/1.1 200 ", b"x"),
        (OK, b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (CHUNKED + b"5;", b"x"),
        (CHUNKED + b"0\r\na: ", b"x"),
        (CHUNKED, b"0"),
        (STREAM + b"content-encoding: gzip\r\n\r\n", b"x"),
        (b"HTTP/1.1 500 X\r\n\r\n", b"x"),
        (OK + b"content-type: text/html\r\n\r\n", b"x"),
    ],
    ids=[
        "no-http",
        "header-value",
        "header-name",
        "reason",
        "header-lines",
        "informational",
        "chunk-extension",
        "trailer",
        "chunk-size",
        "encoded",
        "error",
        "page",
    ],
)
async def test_floods(
    flood: Callable[[bytes, bytes], str],
    make_client: Callable[..., HttpClient],
    growth_of: Callable[[], int],
    start: bytes,
    piece: bytes,
) -> None:
    """A gigabyte, wherever it stands in an answer, is a failure of the server and no more."""
    client = make_client(flood(start, piece))
    with trio.fail_after(20.0), pytest.raises(WorkerFailed) as caught:
        async with client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
            async for _ in pieces:
                pass

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert len(caught.value.detail) < 1000
    assert growth_of() < GROWTH_BYTES_MAX
    assert client.statistics().open == 0


@pytest.mark.parametrize("decoder", [SseDecoder, NdjsonDecoder])
@pytest.mark.parametrize("framing", ["eof", "length", "chunk"])
async def test_a_line_without_end(
    flood: Callable[[bytes, bytes], str],
    make_client: Callable[..., HttpClient],
    growth_of: Callable[[], int],
    decoder: Callable[[], SseDecoder | NdjsonDecoder],
    framing: str,
) -> None:
    """The decoders cut it off; what comes before them holds no more than one read."""
    start = {
        "eof": STREAM + b"\r\n",
        "length": STREAM + b"content-length: 1073741824\r\n\r\n",
        "chunk": CHUNKED + b"40000000\r\n",
    }[framing]
    client = make_client(flood(start, b"x"))
    lines = decoder()
    received = 0
    with trio.fail_after(20.0), pytest.raises(WorkerFailed) as caught:
        async with client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
            async for piece in pieces:
                received += len(piece)
                with wire_failures(WorkerName("w")):
                    assert lines.feed(piece) == []

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert received < 2 * MIB
    assert growth_of() < GROWTH_BYTES_MAX
    assert client.statistics().open == 0


async def test_a_document_without_end(
    flood: Callable[[bytes, bytes], str],
    make_client: Callable[..., HttpClient],
    growth_of: Callable[[], int],
) -> None:
    """It is read up to its limit."""
    client = make_client(flood(OK + b"content-length: 1073741824\r\n\r\n", b"x"))
    with trio.fail_after(20.0), pytest.raises(WorkerFailed) as caught:
        await client.post("/", {}, b"", bytes_max=4 * MIB)

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert growth_of() < GROWTH_BYTES_MAX


async def test_a_million_small_chunks_are_no_flood(peer: "Peer", rig: "Rig") -> None:
    """What is framed in small pieces may be as long as it likes."""
    chunk = b"1\r\nx\r\n"

    async def conduct(wire: "Wire") -> None:
        await peer.read(wire)
        await wire.send(peer.head("transfer-encoding: chunked"))
        await wire.flood(chunk * 10_000, 1_000_000 * len(chunk))
        await wire.send(b"0\r\n\r\n")

    peer.conduct = conduct
    assert len(await rig.ask()) == 1_000_000
