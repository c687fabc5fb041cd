"""Names that come to mean nothing, or another machine: U21 and U22 of the catalogue.

In the place of the system's resolver stands a `NameServer` that answers what a test says; all that
comes after it is real: connections go to servers on 127.0.0.2 and 127.0.0.3, which share a port as
two machines of one name would. Time stands all but still, and is moved on by hand: for so long
that hanging is still noticed, no connection grows old by itself.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock, wait_all_tasks_blocked

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.control_client import ControlClient
from cortexd.providers.transport.address_book import FRESH_S_MAX, LAST_GOOD_S_MAX, REBOUND
from cortexd.providers.transport.client import HttpClient
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.look_up import Answer
from cortexd.providers.transport.resolver import PATIENCE_S, Resolver, install
from tests.fakes.name_server import BROKEN, UNKNOWN, NameServer
from tests.providers.transport.conftest import STREAM_TYPE, Peer, Wire, explain

pytestmark = pytest.mark.real_time

NAME: Final = "worker.example"
OLD: Final = "127.0.0.2"
NEW: Final = "127.0.0.3"
HELLO: Final = b"data: hello\n\n"

RATE: Final = 0.01
HANGS_S: Final = 20.0 * RATE

CONNECT_S: Final = 5.0
STEP_S: Final = 3.0
"""Requests come so often that a connection is not idle for too long."""


@attrs.frozen(kw_only=True)
class Site:
    """A worker by the name of `NAME`, which is at `OLD` until somebody says otherwise."""

    clock: MockClock
    names: NameServer
    old: Peer
    new: Peer
    endpoint: Endpoint
    client: HttpClient
    resolver: Resolver

    async def ask(self) -> bytes:
        """The body of an answer."""
        with trio.fail_after(HANGS_S):
            return await self.ask_for_long()

    async def ask_for_long(self) -> bytes:
        """The same, with time moving on meanwhile."""
        async with self.client.stream("/", {}, b"", media_type=STREAM_TYPE) as pieces:
            return b"".join([piece async for piece in pieces])

    async def ask_and_wait(self, seconds: float) -> bytes:
        """Ask, and let so much time go by while nothing happens."""
        answers: list[bytes | WorkerFailed] = []

        async def ask() -> None:
            try:
                answers.append(await self.ask_for_long())
            except WorkerFailed as failure:
                answers.append(failure)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            self.clock.jump(seconds)
        [answer] = answers
        if isinstance(answer, WorkerFailed):
            raise answer
        return answer

    async def fail(self, kind: FailureKind = FailureKind.UNREACHABLE) -> str:
        """Why a request reaches nobody; the name is not in it."""
        with pytest.raises(WorkerFailed) as caught:
            await self.ask()
        assert caught.value.kind is kind
        assert NAME not in caught.value.detail
        return caught.value.detail

    async def probe(self) -> bytes:
        """What a probe brings."""
        control = ControlClient(self.endpoint, explain)
        with trio.fail_after(HANGS_S):
            return await control.get("/models", {})

    @property
    def accepted(self) -> tuple[int, int]:
        """How many connections the servers have taken, the old one and the new one."""
        return self.old.accepted, self.new.accepted


@pytest.fixture(autouse=True)
def _by_hand(request: pytest.FixtureRequest) -> None:
    # In front of the mark that every test has.
    request.node.add_marker(pytest.mark.trio(run=_run_by_hand), append=False)


def _run_by_hand(run: Callable[[], Awaitable[Any]], **options: Any) -> Any:
    """Run a test whose time is moved on by hand."""
    return trio.run(run, **options | {"clock": MockClock(rate=RATE)})


@pytest.fixture
def authority() -> trustme.CA:
    """An authority of our own, whom the client trusts."""
    return trustme.CA()


@pytest.fixture
def scheme() -> str:
    """What the worker speaks."""
    return "http"


@pytest.fixture
async def site(nursery: trio.Nursery, authority: trustme.CA, scheme: str) -> AsyncIterator[Site]:
    """Two servers, and a client that knows them by their name only."""
    names = NameServer({NAME: (OLD,)})
    peers: list[Peer] = []
    port = 0
    for address in (OLD, NEW):
        listeners = await trio.open_tcp_listeners(port, host=address)
        port = listeners[0].socket.getsockname()[1]
        peer = Peer(f"{scheme}://{NAME}:{port}")
        peer.answer_all(peer.sized(HELLO))
        nursery.start_soon(trio.serve_listeners, peer.serve, listeners)
        peers.append(peer)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    endpoint = Endpoint(
        worker=WorkerName("w"),
        base_url=peers[0].base_url,
        connect_s=CONNECT_S,
        slots=8,
        idle_connections_max=8,
        tls_context=trusting,
    )
    client = HttpClient(endpoint, explain)
    resolver = install(Resolver(names.start))
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    yield Site(
        clock=clock,
        names=names,
        old=peers[0],
        new=peers[1],
        endpoint=endpoint,
        client=client,
        resolver=resolver,
    )
    await client.aclose()
    assert (client.statistics().open, client.statistics().connecting) == (0, 0)


@pytest.mark.parametrize("answer", [UNKNOWN, BROKEN], ids=["nxdomain", "servfail"])
async def test_u21_name_cannot_be_looked_up(site: Site, answer: Answer) -> None:
    """The addresses that were good last serve for five minutes; probes go by them as well."""
    assert await site.ask() == HELLO
    site.names.answers[NAME] = answer
    for turn in range(2, 5):
        site.clock.jump(LAST_GOOD_S_MAX / 3 - 1.0)
        assert await site.ask() == HELLO
        assert await site.probe() == HELLO
        assert site.old.accepted == 2 * turn - 1

    site.clock.jump(LAST_GOOD_S_MAX / 3)
    assert isinstance(answer, OSError)
    assert await site.fail() == f"no connection: {str(answer.strerror).lower()}"
    with pytest.raises(WorkerFailed, match="unreachable"):
        await site.probe()

    site.names.answers[NAME] = (NEW,)
    assert await site.ask() == HELLO
    assert site.accepted == (7, 1)


async def test_u21_name_that_was_never_known(site: Site) -> None:
    """Each request asks anew, and the first that learns of an address is served."""
    site.names.answers[NAME] = UNKNOWN
    assert await site.fail() == "no connection: name or service not known"
    assert await site.fail() == "no connection: name or service not known"

    site.names.answers[NAME] = (OLD,)
    assert await site.ask() == HELLO
    assert site.names.asked == [NAME] * 3


async def test_u21_look_up_hangs(site: Site) -> None:
    """Addresses that were good last are used after a moment, and then at once."""
    await site.ask()
    del site.names.answers[NAME]
    site.clock.jump(FRESH_S_MAX + 5.0)
    assert await site.ask_and_wait(PATIENCE_S) == HELLO
    site.clock.jump(FRESH_S_MAX + 5.0)
    assert await site.ask() == HELLO
    assert site.names.asked == [NAME] * 2

    site.names.answer(NAME, (NEW,))
    assert await site.ask() == HELLO
    assert site.accepted == (3, 1)


async def test_u21_look_up_hangs_with_nothing_known(site: Site) -> None:
    """The limit of connecting ends the wait; Trio's threads stay free, one look-up goes on."""
    del site.names.answers[NAME]
    for _ in range(3):
        with pytest.raises(WorkerFailed) as caught:
            await site.ask_and_wait(CONNECT_S)
        assert caught.value.detail == "no connection: timed out"
    assert site.client.statistics().connecting == 0
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
    assert site.names.asked == [NAME]

    site.names.answer(NAME, (OLD,))
    assert await site.ask() == HELLO


async def test_u21_public_name_comes_to_mean_this_machine(site: Site) -> None:
    """It is refused as long as it does, though a server listens there; nothing is sent to it."""
    site.names.answers[NAME] = ("192.88.99.1",)
    public = await site.resolver.addresses(NAME)
    for rebound in ((OLD,), ("192.88.99.2", OLD)):
        site.names.answers[NAME] = rebound
        site.clock.jump(FRESH_S_MAX)
        assert await site.resolver.addresses(NAME) == public
    site.clock.jump(LAST_GOOD_S_MAX)

    for _ in range(2):
        assert await site.fail() == f"no connection: {REBOUND}"
    with pytest.raises(WorkerFailed) as caught:
        await site.probe()
    assert caught.value.detail == f"no connection: {REBOUND}"
    assert site.accepted == (0, 0)


async def test_u22_name_moves_under_load(site: Site) -> None:
    """Within 30 s its new address is used, and the idle connections to the old one are closed."""
    held = trio.Event()

    async def conduct(wire: Wire) -> None:
        while await site.old.read(wire):
            if wire.turn == 0:
                await held.wait()
            await wire.send(site.old.sized(HELLO))

    site.old.conduct = conduct
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.ask_for_long)
        await site.old.wait_open(1)
        for _ in range(3):
            await site.ask()
        assert site.accepted == (2, 0)

        site.names.answers[NAME] = (NEW,)
        moved_at = trio.current_time()
        while not site.new.accepted:
            assert trio.current_time() - moved_at < 30.0
            site.clock.jump(STEP_S)
            assert await site.ask() == HELLO
            await wait_all_tasks_blocked()
        # The idle one has gone. That in use has not, but is not used again.
        await site.old.wait_open(1)
        held.set()
    await site.old.wait_open(0)
    assert await site.ask() == HELLO
    assert site.accepted == (2, 1)
    assert site.names.asked == [NAME] * 2


async def test_u22_name_with_several_addresses_loses_one(site: Site) -> None:
    """Connections to those that it keeps are kept."""
    site.names.answers[NAME] = (OLD, NEW)
    await site.ask()
    for addresses in ((NEW, OLD), (OLD,)):
        site.names.answers[NAME] = addresses
        for _ in range(int(FRESH_S_MAX // STEP_S) + 1):
            site.clock.jump(STEP_S)
            assert await site.ask() == HELLO
    assert len(site.names.asked) == 3
    assert site.accepted == (1, 0)


async def test_u22_address_where_nobody_is(site: Site) -> None:
    """The others are tried."""
    site.names.answers[NAME] = ("127.0.0.4", NEW)

    assert await site.ask() == HELLO
    assert site.accepted == (0, 1)


@pytest.mark.parametrize("scheme", ["https"])
async def test_u22_certificate_is_for_the_name(site: Site, authority: trustme.CA) -> None:
    """Whatever its address, a server has to prove that it has the name; it is told the name."""
    for peer, name in ((site.old, NAME), (site.new, "another.example")):
        peer.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(peer.server_tls)
        peer.conduct = partial(_serve_or_be_refused, peer)
    assert await site.ask() == HELLO
    assert f"\r\nhost: {site.endpoint.origin.authority}\r\n".encode() in site.old.requests[0]

    site.names.answers[NAME] = (NEW,)
    site.clock.jump(FRESH_S_MAX)
    assert await site.fail(FailureKind.UNTRUSTED) == (
        "no connection: the certificate is for another host name"
    )
    assert site.new.requests == []


async def _serve_or_be_refused(peer: Peer, wire: Wire) -> None:
    while await peer.read(wire):
        await wire.send(peer.sized(HELLO))
