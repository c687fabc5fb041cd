"""What a client makes of answers, good and bad, as they come over a socket."""

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.transport.client import HttpClient
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Rig, Wire

pytestmark = pytest.mark.real_time

HELLO = b"data: hello\n\n"


async def test_byte_by_byte(rig: "Rig") -> None:
    """The slowest of servers is understood."""
    raw = rig.peer.chunked(b"hel", b"lo")

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(*(bytes([byte]) for byte in raw))

    rig.peer.conduct = conduct
    assert await rig.ask() == b"hello"


async def test_one_read_one_piece(rig: "Rig") -> None:
    """All that one read brings comes as one piece, however many chunks it is."""
    rig.peer.answer(rig.peer.chunked(*[b"x"] * 50))

    async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
        assert [piece async for piece in pieces] == [b"x" * 50]


async def test_informational_responses(rig: "Rig") -> None:
    """They are read over, whether they come along with the answer or before it."""
    informational = b"HTTP/1.1 100 Continue\r\n\r\n"

    async def conduct(wire: "Wire") -> None:
        for pieces in (
            (informational, rig.peer.sized(HELLO)),
            (informational * 2 + rig.peer.sized(HELLO),),
        ):
            await rig.peer.read(wire)
            await wire.send(*pieces)

    rig.peer.conduct = conduct
    assert [await rig.ask(), await rig.ask()] == [HELLO, HELLO]
    assert rig.peer.accepted == 1


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize(
    ("cut", "begins"),
    [
        (b"HTTP/1.1 200 OK\r\ncont", False),
        (b"length", True),
        (b"chunk", True),
        (b"last-chunk", True),
    ],
    ids=["head", "length", "chunk", "last-chunk"],
)
async def test_truncation(rig: "Rig", cut: bytes, begins: bool, ending: str) -> None:  # noqa: FBT001
    """Wherever an answer is cut off, by an end or a reset, it has failed."""
    raw = {
        b"length": rig.peer.head("content-length: 100") + HELLO,
        b"chunk": rig.peer.chunked(HELLO, end=b"ff\r\nhalf a chu"),
        b"last-chunk": rig.peer.chunked(HELLO, end=b"0\r\n"),
    }.get(cut, cut)
    read = trio.Event()

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(raw)
        if ending == "reset":
            if begins:
                await read.wait()
            wire.reset()

    rig.peer.conduct = conduct
    received = b""
    with pytest.raises(WorkerFailed) as caught:
        async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
            async for piece in pieces:
                received += piece
                read.set()

    if begins:
        assert received.startswith(HELLO)
    assert caught.value.detail.startswith("connection lost")
    # A reset may overtake the first bytes of the answer.
    expected = {FailureKind.SERVER_ERROR}
    if ending == "reset" and not begins:
        expected.add(FailureKind.UNREACHABLE)
    assert caught.value.kind in expected


@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
async def test_redirects_are_not_followed(rig: "Rig", other_peer: "Peer", status: str) -> None:
    """The answer is a failure, and no key goes to the place it names."""
    location = f"location: {other_peer.base_url}/"
    rig.peer.answer_all(rig.peer.sized(b"", location, status=status))

    with pytest.raises(WorkerFailed) as caught:
        await rig.ask(authorization="Bearer sk-canary")

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert (len(rig.peer.requests), other_peer.accepted) == (1, 0)
    assert "sk-canary" not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "x-unheard-of", "gzip, identity"])
async def test_encoded_answers_are_refused(rig: "Rig", encoding: str) -> None:
    """We ask for none, so nothing is ever unpacked."""
    rig.peer.answer_all(rig.peer.sized(b"\x1f\x8b" * 10, f"content-encoding: {encoding}"))

    kind, detail = await rig.fail()

    assert kind is FailureKind.SERVER_ERROR
    assert encoding in detail
    assert b"\r\naccept-encoding: identity\r\n" in rig.peer.requests[0]


async def test_a_media_type_that_was_not_asked_for(rig: "Rig") -> None:
    """A success with anything else in it is a failure; its body says which."""
    raw = rig.peer.sized(b"<html>").replace(b"text/event-stream", b"Text/HTML; charset=x")
    rig.peer.answer_all(raw)

    kind, detail = await rig.fail()

    assert kind is FailureKind.SERVER_ERROR
    assert "<html>" in detail


async def test_an_error_that_is_slow_or_endless(rig: "Rig") -> None:
    """Its status is enough: what comes of the body in a moment, and of its first bytes."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.head(status="503 X"), b"busy")
        await wire.flood(b"x" * 65536, 100_000_000)

    rig.peer.conduct = conduct
    kind, detail = await rig.fail()

    assert kind is FailureKind.OVERLOADED
    assert "busy" in detail
    await rig.peer.wait_open(0)


async def test_after_a_short_error_the_connection_is_used_again(rig: "Rig") -> None:
    """A refusal is an answer like any other."""
    rig.peer.answer(rig.peer.sized(b"{}", status="429 X"), rig.peer.sized(HELLO))

    assert (await rig.fail())[0] is FailureKind.RATE_LIMITED
    assert await rig.ask() == HELLO
    assert rig.peer.accepted == 1


@pytest.mark.parametrize("then", ["hold", "close"])
async def test_a_refusal_that_comes_before_the_request_is_read(rig: "Rig", then: str) -> None:
    """Who is refused stops sending, even if the server reads no more of it."""

    async def conduct(wire: "Wire") -> None:
        await wire.stream.receive_some(10_000)
        await wire.send(rig.peer.sized(b"too much", status="413 X"))
        if then == "hold":
            await done.wait()

    rig.peer.conduct = conduct
    done = trio.Event()
    kind, detail = await rig.fail(b"x" * 30_000_000)
    done.set()

    assert kind is FailureKind.REFUSED
    assert "too much" in detail
    assert rig.client.statistics().open == 0


async def test_an_answer_that_begins_before_the_request_is_read(rig: "Rig") -> None:
    """A server that accepts early gets all of the request nevertheless."""
    body = b"x" * 30_000_000

    async def conduct(wire: "Wire") -> None:
        await wire.send(rig.peer.head("transfer-encoding: chunked"))
        await rig.peer.read(wire)
        await wire.send(b"5\r\nhello\r\n0\r\n\r\n")
        await wire.wait_closed()

    rig.peer.conduct = conduct
    with trio.fail_after(20.0):
        assert await rig.ask(body) == b"hello"
    assert rig.peer.requests[0].endswith(body)
    assert rig.client.statistics().idle == 1


async def test_what_the_decoder_is_told(peer: "Peer") -> None:
    """Status, headers in lower case, and the body; its wait counts where no header tells one."""
    seen: list[FailedAnswer] = []

    def explain(answer: FailedAnswer) -> UpstreamError:
        seen.append(answer)
        return UpstreamError(
            FailureKind.RATE_LIMITED, "x", retry_after_s=7.0 if answer.body == b"7" else None
        )

    peer.answer(
        peer.sized(b"7", "Retry-After: 3", status="429 X"),
        peer.sized(b"7", status="429 X"),
        peer.sized(b"", status="429 X"),
    )
    endpoint = Endpoint(
        worker=WorkerName("w"),
        base_url=peer.base_url,
        connect_s=5.0,
        slots=1,
        idle_connections_max=1,
    )
    client = HttpClient(endpoint, explain)
    waits: list[float | None] = []
    for _ in range(3):
        with pytest.raises(WorkerFailed) as caught:
            await client.post("/", {}, b"")
        waits.append(caught.value.retry_after_s)
    await client.aclose()

    assert waits == [3.0, 7.0, None]
    assert (seen[0].status, seen[0].body, seen[0].headers["retry-after"]) == (429, b"7", "3")


async def test_documents(rig: "Rig") -> None:
    """POST for a document: any media type, no more bytes than asked for."""
    rig.peer.answer_all(rig.peer.sized(b"[1, 2]"))

    assert await rig.client.post("/embed", {"x": "y"}, b"{}", bytes_max=6) == b"[1, 2]"
    assert rig.peer.requests[0].startswith(b"POST /embed HTTP/1.1\r\n")
    assert b"\r\naccept: application/json\r\n" in rig.peer.requests[0]
    with pytest.raises(WorkerFailed, match="server error") as caught:
        await rig.client.post("/embed", {}, b"{}", bytes_max=5)
    assert "more than 5 bytes" in caught.value.detail


async def test_a_key_that_no_header_can_carry(rig: "Rig") -> None:
    """Nothing is sent, and nobody learns the key."""
    with pytest.raises(WorkerFailed) as caught:
        await rig.ask(authorization="Bearer sk-canary\r\nx: y")

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert "sk-canary" not in repr(caught.value) + str(caught.value.__context__)
    assert rig.peer.accepted == 0


async def test_no_answer_for_long(rig: "Rig") -> None:
    """There is no time limit but the caller's, and that one leaves nothing behind."""

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        asked.set()
        await wire.wait_closed()

    rig.peer.conduct = conduct
    asked = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.ask)
        await asked.wait()
        assert rig.client.statistics().in_use == 1
        nursery.cancel_scope.cancel()

    assert rig.client.statistics().open == 0
    await rig.peer.wait_open(0)


async def test_statistics_are_a_snapshot(rig: "Rig") -> None:
    """What was taken does not change afterwards."""
    before = rig.client.statistics()
    rig.peer.answer_all(rig.peer.sized(HELLO))
    await rig.ask()

    assert (before.opened, rig.client.statistics().opened) == (0, 1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        before.opened = 1  # type: ignore[misc]
