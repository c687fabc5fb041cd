"""GET requests beside the transport: the same failures, and nothing kept."""

import gc
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trustme

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.control_client import ControlClient, new_transport
from cortexd.providers.transport.client import DOCUMENT_BYTES_MAX
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.resolver import resolver_of_run
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.upstream_failure import unreadable_error

if TYPE_CHECKING:
    from tests.providers.transport.conftest import Peer, Wire

pytestmark = pytest.mark.real_time


def explain(answer: FailedAnswer) -> UpstreamError:
    """The decoder of no dialect."""
    return unreadable_error(answer.body, status=answer.status)


@pytest.fixture
def control(peer: "Peer", endpoint_of: Callable[..., Endpoint]) -> ControlClient:
    """A control client of `peer`."""
    return ControlClient(endpoint_of(peer.base_url), explain)


async def fail(control: ControlClient, **headers: str) -> WorkerFailed:
    """What a request fails with."""
    with trio.fail_after(20.0), pytest.raises(WorkerFailed) as caught:
        await control.get("/models", headers)
    return caught.value


async def test_a_document(peer: "Peer", control: ControlClient) -> None:
    """It comes whole, and each on a connection of its own."""
    peer.answer_all(peer.sized(b"[]"))

    assert [await control.get("/models", {"x": "y"}) for _ in range(2)] == [b"[]"] * 2
    assert peer.accepted == 2
    await peer.wait_open(0)


async def test_unix_socket(
    unix_peer: "tuple[Peer, Path]", endpoint_of: Callable[..., Endpoint]
) -> None:
    """Probes of the embedded engine go through its file."""
    peer, path = unix_peer
    peer.answer_all(peer.chunked(b"{}"))
    control = ControlClient(endpoint_of(peer.base_url, unix_socket=path), explain)

    assert await control.get("/health", {}) == b"{}"


async def test_tls(peer: "Peer", endpoint_of: Callable[..., Endpoint]) -> None:
    """Whom the endpoint trusts is trusted here; without that, nobody unknown is."""
    authority = trustme.CA()
    peer.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(peer.server_tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    base_url = peer.base_url.replace("http://", "https://")
    peer.answer_all(peer.sized(b"[]"))

    control = ControlClient(endpoint_of(base_url, tls_context=trusting), explain)
    assert await control.get("/models", {}) == b"[]"

    failure = await fail(ControlClient(endpoint_of(base_url), explain))
    assert failure.kind is FailureKind.UNTRUSTED
    assert "certificate" in failure.detail


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n", FailureKind.BAD_KEY),
        (
            b"HTTP/1.1 302 X\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n",
            FailureKind.SERVER_ERROR,
        ),
        (
            b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
            FailureKind.SERVER_ERROR,
        ),
        (b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\ncut", FailureKind.SERVER_ERROR),
        (b"220 mail.example\r\n", FailureKind.SERVER_ERROR),
        (b"", FailureKind.SERVER_ERROR),
    ],
    ids=["status", "redirect", "encoded", "truncated", "no-http", "hang-up"],
)
async def test_failures(
    peer: "Peer", control: ControlClient, raw: bytes, kind: FailureKind
) -> None:
    """Each is the worker's, and no exception of httpx."""
    peer.answer(raw)

    failure = await fail(control)

    assert failure.kind is kind
    assert peer.accepted == 1
    await peer.wait_open(0)
    gc.collect()


async def test_a_document_without_end(peer: "Peer", control: ControlClient) -> None:
    """It is read up to the limit."""

    async def conduct(wire: "Wire") -> None:
        await wire.stream.receive_some(10_000)
        await wire.send(peer.head())
        await wire.flood(b"x" * 65536, 100 * DOCUMENT_BYTES_MAX)

    peer.conduct = conduct
    failure = await fail(control)

    assert (failure.worker, failure.kind) == (WorkerName("w"), FailureKind.SERVER_ERROR)
    await peer.wait_open(0)
    gc.collect()


async def test_nobody_there(endpoint_of: Callable[..., Endpoint]) -> None:
    """The detail says why, without the address."""
    failure = await fail(ControlClient(endpoint_of("http://127.0.0.1:1"), explain))

    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.detail == "no connection: connection refused"


async def test_a_key_that_no_header_can_carry(peer: "Peer", control: ControlClient) -> None:
    """Nobody learns the key."""
    failure = await fail(control, authorization="Bearer sk-canary\r\nx: y")

    assert failure.kind is FailureKind.SERVER_ERROR
    assert "sk-canary" not in repr(failure)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 X\r\n", b"HTTP/1.1 200 X\r\n\r\nhalf"])
async def test_cancelling(peer: "Peer", control: ControlClient, said: bytes) -> None:
    """Whatever has come so far, the connection is closed, and no generator is left half-run."""
    asked = trio.Event()

    async def conduct(wire: "Wire") -> None:
        await wire.stream.receive_some(10_000)
        await wire.send(said)
        asked.set()
        await wire.wait_closed()

    peer.conduct = conduct
    async with trio.open_nursery() as nursery:
        nursery.start_soon(control.get, "/models", {})
        await asked.wait()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    await peer.wait_open(0)
    gc.collect()


async def test_names_are_looked_up_as_for_requests(
    peer: "Peer", endpoint_of: Callable[..., Endpoint]
) -> None:
    """Also where the first connection of all is one of a probe."""
    new_transport(endpoint_of(peer.base_url))
    assert trio.socket.set_custom_hostname_resolver(None) is resolver_of_run()
