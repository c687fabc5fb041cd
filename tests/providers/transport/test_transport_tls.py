"""TLS towards workers: whom we believe, and what the end of a connection means."""

import datetime as dt
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
import trio
import trustme

from cortexd.domain.failure import FailureKind

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Rig, Wire

pytestmark = pytest.mark.real_time

HELLO = b"data: hello\n\n"

Secure: TypeAlias = "Callable[..., Rig]"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority of our own."""
    return trustme.CA()


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with this certificate needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def secure(peer: "Peer", authority: trustme.CA, make_rig: Callable[..., "Rig"]) -> Secure:
    """Have `peer` speak TLS; the client trusts our authority."""

    def make(*names: str, not_after: dt.datetime | None = None, **fields: object) -> "Rig":
        certificate = authority.issue_cert(*(names or ("localhost",)), not_after=not_after)
        peer.server_tls = server_context(certificate)
        peer.base_url = peer.base_url.replace("http://127.0.0.1", "https://localhost")
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        return make_rig(peer, **({"tls_context": trusting} | fields))

    return make


async def test_a_good_certificate(secure: Secure) -> None:
    """Answers come through, the connection is used again, and 1.1 is agreed upon."""
    rig = secure()
    assert rig.peer.server_tls is not None
    rig.peer.server_tls.set_alpn_protocols(["h2", "http/1.1"])
    agreed: list[str | None] = []

    async def conduct(wire: "Wire") -> None:
        while await rig.peer.read(wire):
            agreed.append(wire.stream.selected_alpn_protocol())  # type: ignore[union-attr]
            await wire.send(rig.peer.chunked(HELLO, HELLO))

    rig.peer.conduct = conduct
    assert [await rig.ask() for _ in range(3)] == [HELLO * 2] * 3
    assert (rig.peer.accepted, agreed) == (1, ["http/1.1"] * 3)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("unknown", "the certificate is refused"),
        ("name", "another host name"),
        ("expired", "the certificate is refused: certificate has expired"),
    ],
)
async def test_bad_certificates(secure: Secure, what: str, said: str) -> None:
    """An authority nobody knows, another's name, or yesterday's: no request is sent."""
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    match what:
        case "unknown":
            rig = secure(tls_context=None)
        case "name":
            rig = secure("elsewhere.example")
        case _:
            rig = secure(not_after=long_ago)
    rig.peer.answer_all(rig.peer.sized(HELLO))

    kind, detail = await rig.fail()

    assert kind is FailureKind.UNTRUSTED
    assert said in detail
    assert "localhost" not in detail
    assert rig.peer.requests == []
    assert rig.client.statistics().open == 0


async def test_old_tls(secure: Secure) -> None:
    """Nothing older than 1.2 is spoken."""
    rig = secure()
    assert rig.peer.server_tls is not None
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        rig.peer.server_tls.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        rig.peer.server_tls.maximum_version = ssl.TLSVersion.TLSv1_1

    kind, detail = await rig.fail()

    assert kind is FailureKind.UNREACHABLE
    assert detail.startswith("no connection: TLS failed")


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x01\x00\x02\x02\x16"]
)
async def test_no_tls_at_all(secure: Secure, said: bytes) -> None:
    """Clear text, silence and an end, or an alert instead of a handshake."""
    rig = secure()
    rig.peer.server_tls = None

    async def conduct(wire: "Wire") -> None:
        await wire.stream.receive_some(10_000)
        await wire.send(said)

    rig.peer.conduct = conduct
    kind, detail = await rig.fail()

    # Who hangs up may only be in trouble.
    assert kind is (FailureKind.UNTRUSTED if said else FailureKind.UNREACHABLE)
    assert detail.startswith("no connection: ")
    assert rig.client.statistics().open == 0


async def test_a_handshake_that_hangs(secure: Secure) -> None:
    """It is within the time limit of connecting."""
    rig = secure(connect_s=0.1)
    rig.peer.server_tls = None

    async def conduct(wire: "Wire") -> None:
        await wire.wait_closed()

    rig.peer.conduct = conduct
    kind, detail = await rig.fail()

    assert (kind, detail) == (FailureKind.UNREACHABLE, "no connection: timed out")
    await rig.peer.wait_open(0)


@pytest.mark.parametrize("goodbye", [True, False], ids=["good-bye", "cut"])
@pytest.mark.parametrize("framing", ["length", "chunked", "none"])
async def test_the_end_of_a_connection(secure: Secure, framing: str, goodbye: bool) -> None:  # noqa: FBT001
    """Only a body whose end is the end of input needs the good-bye of TLS."""
    rig = secure()
    raw = {
        "length": rig.peer.sized(HELLO),
        "chunked": rig.peer.chunked(HELLO),
        "none": rig.peer.head() + HELLO,
    }[framing]

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(raw)
        if goodbye:
            with trio.move_on_after(5.0):
                await wire.stream.aclose()

    rig.peer.conduct = conduct
    if framing == "none" and not goodbye:
        kind, detail = await rig.fail()
        assert kind is FailureKind.SERVER_ERROR
        assert detail.startswith("connection lost")
    else:
        assert await rig.ask() == HELLO


@pytest.mark.parametrize("goodbye", [True, False], ids=["good-bye", "cut"])
async def test_a_body_that_is_cut_off(secure: Secure, goodbye: bool) -> None:  # noqa: FBT001
    """Good-bye or not, a body that lacks some of its length is no answer."""
    rig = secure()

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.head("content-length: 100") + HELLO)
        if goodbye:
            with trio.move_on_after(5.0):
                await wire.stream.aclose()

    rig.peer.conduct = conduct
    assert (await rig.fail())[0] is FailureKind.SERVER_ERROR


async def test_a_stale_connection(secure: Secure) -> None:
    """The same as without TLS: the request goes out again, on a new connection."""
    rig = secure()

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.sized(HELLO))
        await rig.peer.read(wire)
        if wire.turn:
            await wire.send(rig.peer.sized(HELLO))

    rig.peer.conduct = conduct
    assert [await rig.ask() for _ in range(3)] == [HELLO] * 3
    assert rig.client.statistics().stale_retries == 1


async def test_a_large_request(secure: Secure) -> None:
    """It is sent while the answer is already waited for."""
    rig = secure()
    rig.peer.answer_all(rig.peer.sized(HELLO))
    body = b"x" * 3_000_000

    assert [await rig.ask(body), await rig.ask()] == [HELLO, HELLO]
    assert rig.peer.requests[0].endswith(body)
    assert rig.peer.accepted == 1


async def test_leaving_does_not_wait_for_a_peer_that_does_not_read(secure: Secure) -> None:
    """The socket is closed without a good-bye."""
    rig = secure()
    stop = trio.Event()

    async def conduct(wire: "Wire") -> None:
        await rig.peer.read(wire)
        await wire.send(rig.peer.chunked(HELLO, end=b""))
        await stop.wait()

    rig.peer.conduct = conduct
    with trio.fail_after(20.0):
        async with rig.client.stream("/", {}, b"", media_type="text/event-stream") as pieces:
            await anext(pieces)
    assert rig.client.statistics().open == 0
    stop.set()
