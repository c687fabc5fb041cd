"""Which connection a request takes, and what becomes of it afterwards."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.resolver import resolver_of_run

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Rig, Wire

pytestmark = pytest.mark.real_time

HELLO = b"data: hello\n\n"


async def test_a_connection_is_used_again(rig: "Rig") -> None:
    """Whole answers leave it to the next request, however they are framed."""
    peer = rig.peer
    peer.answer(peer.sized(HELLO), peer.chunked(HELLO, HELLO), peer.sized(b""), peer.sized(HELLO))

    assert [await rig.ask() for _ in range(4)] == [HELLO, HELLO * 2, b"", HELLO]
    statistics = rig.client.statistics()
    assert (peer.accepted, statistics.opened, statistics.reused) == (1, 1, 3)
    assert (statistics.open, statistics.idle, statistics.in_use) == (1, 1, 0)


async def test_the_last_one_used_is_the_next_one(rig: "Rig") -> None:
    """Of two idle connections, the warm one is taken."""
    turns: list[int] = []

    async def conduct(wire: "Wire") -> None:
        while await rig.peer.read(wire):
            turns.append(wire.turn)
            await wire.send(rig.peer.sized(HELLO))

    rig.peer.conduct = conduct
    async with rig.client.stream("/", {}, b"", media_type="text/event-stream"):
        await rig.ask()
    turns.clear()
    for _ in range(3):
        await rig.ask()

    # The first request was the last to be done with its connection.
    assert turns == [0, 0, 0]
    assert rig.client.statistics().idle == 2


@pytest.mark.parametrize("goodbye", ["close", "reset", "unsolicited"])
async def test_a_connection_that_ended_while_idle_is_not_taken(rig: "Rig", goodbye: str) -> None:
    """It shows before a request is sent on it."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.sized(HELLO))
        await done.wait()
        match goodbye:
            case "reset":
                wire.reset()
            case "unsolicited":
                await wire.send(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")

    rig.peer.conduct = conduct
    for turn in range(1, 4):
        done = trio.Event()
        assert await rig.ask() == HELLO
        done.set()
        await rig.peer.wait_open(0)
        assert rig.client.statistics().opened == turn

    assert rig.client.statistics().stale_retries == 0


@pytest.mark.parametrize("goodbye", ["close", "reset"])
@pytest.mark.parametrize("size", [2, 5_000_000], ids=["small", "large"])
async def test_a_connection_that_ends_as_it_is_used_again(
    rig: "Rig", goodbye: str, size: int
) -> None:
    """The request goes out once more, on a new connection, and nobody notices."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.sized(HELLO))
        if wire.turn == 0:
            await wire.stream.receive_some(1)
            if goodbye == "reset":
                wire.reset()
            return
        await wire.wait_closed()

    rig.peer.conduct = conduct
    await rig.ask()

    assert await rig.ask(b"x" * size) == HELLO
    statistics = rig.client.statistics()
    assert (statistics.stale_retries, statistics.opened, statistics.reused) == (1, 2, 1)
    assert rig.peer.requests[-1].endswith(b"x" * size)


async def test_a_retry_takes_a_new_connection(rig: "Rig") -> None:
    """Where one idle connection is stale, so are the others: none of them is tried."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.sized(HELLO))
        if wire.turn > 2:
            await wire.wait_closed()
        await wire.stream.receive_some(1)

    rig.peer.conduct = conduct
    async with (
        rig.client.stream("/", {}, b"", media_type="text/event-stream"),
        rig.client.stream("/", {}, b"", media_type="text/event-stream"),
    ):
        await rig.ask()
    assert rig.client.statistics().idle == 3

    assert await rig.ask() == HELLO
    statistics = rig.client.statistics()
    assert (statistics.stale_retries, statistics.opened, statistics.reused) == (1, 4, 1)


@pytest.mark.parametrize("goodbye", ["close", "reset"])
async def test_no_retry_on_a_new_connection(rig: "Rig", goodbye: str) -> None:
    """A server that hangs up on a new connection is unreachable."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        if goodbye == "reset":
            wire.reset()

    rig.peer.conduct = conduct
    kind, detail = await rig.fail()

    assert (kind, rig.peer.accepted) == (FailureKind.UNREACHABLE, 1)
    assert "127.0.0.1" not in detail
    assert rig.client.statistics().open == 0


async def test_no_second_retry(rig: "Rig") -> None:
    """The new connection is the last one: if it fails, too, the request has failed."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        if wire.turn == 0:
            await wire.send(rig.peer.sized(HELLO))
            await rig.peer.read(wire)

    rig.peer.conduct = conduct
    await rig.ask()

    assert (await rig.fail())[0] is FailureKind.UNREACHABLE
    assert rig.peer.accepted == 2


async def test_no_retry_after_the_first_byte(rig: "Rig") -> None:
    """One byte of an answer, and the request may have been served."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.sized(HELLO))
        await rig.peer.read(wire)
        await wire.send(b"H")

    rig.peer.conduct = conduct
    await rig.ask()
    kind, detail = await rig.fail()

    assert (kind, rig.peer.accepted) == (FailureKind.SERVER_ERROR, 1)
    assert detail.startswith("connection lost")


@pytest.mark.parametrize("how", ["close", "1.0", "excess", "eof"])
async def test_connections_that_are_used_up(rig: "Rig", how: str) -> None:
    """Some answers are good, but end their connection."""
    raw = {
        "close": rig.peer.sized(HELLO, "connection: close"),
        "1.0": rig.peer.sized(HELLO).replace(b"HTTP/1.1", b"HTTP/1.0"),
        "excess": rig.peer.sized(HELLO) + b"more",
        "eof": rig.peer.head() + HELLO,
    }[how]
    rig.peer.answer(raw)

    assert await rig.ask() == HELLO
    assert await rig.ask() == HELLO
    assert rig.peer.accepted == 2
    assert rig.client.statistics().open == 0


async def test_the_end_that_comes_right_behind_is_waited_for(rig: "Rig") -> None:
    """The reader leaves with the last event; the last chunk may come a moment later."""
    left = trio.Event()

    async def conduct(wire: "Wire") -> None:
        while await rig.peer.read(wire):
            await wire.send(rig.peer.chunked(HELLO, end=b""))
            await left.wait()
            await wire.send(b"0\r\n", b"\r\n")

    rig.peer.conduct = conduct
    async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
        await anext(pieces)
        left.set()

    assert rig.client.statistics().idle == 1
    assert await rig.ask() == HELLO
    assert rig.peer.accepted == 1


@pytest.mark.parametrize("more", [b"", b"5\r\nhello\r\n0\r\n\r\n"], ids=["silence", "body"])
async def test_leaving_before_the_end_closes(rig: "Rig", more: bytes) -> None:
    """A server that is silent, or goes on, is not listened to any longer."""
    left = trio.Event()

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.chunked(HELLO, end=b""))
        await left.wait()
        await wire.send(more)
        await wire.wait_closed()

    rig.peer.conduct = conduct
    async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
        await anext(pieces)
        left.set()

    # Whether the rest made it in time for this test or not, nothing unread is left in the pool.
    assert not (more == b"" and rig.client.statistics().open)
    await rig.client.aclose()
    await rig.peer.wait_open(0)
    gc.collect()


async def test_an_error_of_the_reader_closes_at_once(rig: "Rig") -> None:
    """It passes unchanged, and the server sees its connection closed."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.chunked(HELLO, end=b""))
        await wire.wait_closed()

    rig.peer.conduct = conduct

    async def read() -> None:
        async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
            await anext(pieces)
            raise LookupError("of the reader")

    with pytest.raises(LookupError, match="of the reader"):
        await read()
    await rig.peer.wait_open(0)


async def test_the_hard_bound(peer: "Peer", make_rig: Callable[..., "Rig"]) -> None:
    """More requests than slots and spares are refused, at once and not for long."""
    release = trio.Event()

    async def conduct(wire: "Wire") -> None:
        while await peer.read(wire):
            await release.wait()
            await wire.send(peer.sized(HELLO))

    peer.conduct = conduct
    rig = make_rig(peer, slots=4)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(rig.ask)
        await peer.wait_open(20)

        kind, _ = await rig.fail()
        assert kind is FailureKind.OVERLOADED
        release.set()

    assert await rig.ask() == HELLO
    assert rig.client.statistics().idle == 8


async def test_closing_the_client_in_the_middle_of_an_answer(rig: "Rig") -> None:
    """The answer goes on, and then its connection is closed."""
    rig.peer.answer_all(rig.peer.sized(HELLO))
    await rig.ask()
    async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
        await rig.client.aclose()
        assert await anext(pieces) == HELLO

    assert rig.client.statistics().open == 0
    await rig.peer.wait_open(0)


async def test_unix_socket(unix_peer: "tuple[Peer, Path]", make_rig: Callable[..., "Rig"]) -> None:
    """Whatever host the base URL names, the file is where the request goes."""
    peer, path = unix_peer
    peer.answer_all(peer.sized(HELLO))
    rig = make_rig(peer, unix_socket=path)

    assert [await rig.ask(), await rig.ask()] == [HELLO, HELLO]
    assert peer.accepted == 1
    assert b"\r\nhost: engine\r\n" in peer.requests[0]

    path.unlink()
    await rig.client.aclose()
    kind, detail = await rig.fail()
    assert (kind, detail) == (FailureKind.UNREACHABLE, "no connection: no such file or directory")


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://name.invalid:1", "name"),
    ],
)
async def test_where_nobody_is(
    make_client: Callable[..., object],
    make_rig: Callable[..., "Rig"],
    peer: "Peer",
    base_url: str,
    said: str,
) -> None:
    """The detail says why, and no address."""
    rig = make_rig(type(peer)(base_url))

    kind, detail = await rig.fail()

    assert kind is FailureKind.UNREACHABLE
    assert said in detail
    assert "127.0.0.1" not in detail
    assert "name.invalid" not in detail


async def test_reading_on_after_a_failure_fails_again(rig: "Rig") -> None:
    """A body that was cut off never comes to look like one that ended."""
    rig.peer.answer(rig.peer.chunked(HELLO, end=b""))

    async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
        assert await anext(pieces) == HELLO
        for _ in range(3):
            with pytest.raises(WorkerFailed):
                await anext(pieces)


async def test_names_are_looked_up_by_the_resolver_of_the_run(rig: "Rig") -> None:
    """Trio has been told of it before it is asked to connect."""
    rig.peer.answer(rig.peer.sized(HELLO))
    await rig.ask()
    assert trio.socket.set_custom_hostname_resolver(None) is resolver_of_run()
