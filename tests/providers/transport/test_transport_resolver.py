"""Who waits for a look-up, and for how long."""

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cortexd.providers.transport.address_book import FRESH_S_MAX, LAST_GOOD_S_MAX, RETRY_S
from cortexd.providers.transport.resolver import (
    LOOK_UPS_MAX,
    PATIENCE_S,
    Resolver,
    install,
    resolver_of_run,
)
from tests.fakes.name_server import BROKEN, UNKNOWN, NameServer

HERE = ("127.0.0.2",)
THERE = ("127.0.0.3", "::1")


@pytest.fixture
def server() -> NameServer:
    """Knows `host`; all other names hang."""
    return NameServer({"host": HERE})


@pytest.fixture
def resolver(server: NameServer) -> Resolver:
    """It asks `server`."""
    return Resolver(server.start)


async def test_a_fresh_answer_is_not_asked_for_again(
    resolver: Resolver, server: NameServer
) -> None:
    """Until it is due; then the new one is waited for, and is what counts."""
    assert await resolver.addresses("host") == HERE
    await trio.sleep(FRESH_S_MAX - 0.1)
    assert await resolver.addresses("host") == HERE
    assert server.asked == ["host"]

    server.answers["host"] = THERE
    await trio.sleep(0.1)
    assert await resolver.addresses("host") == THERE
    assert server.asked == ["host"] * 2


async def test_all_who_want_to_know_share_one_look_up(
    resolver: Resolver, server: NameServer
) -> None:
    """Whoever leaves, the others get its answer, or its failure."""
    got: list[object] = []

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            try:
                got.append(await resolver.addresses("slow"))
            except OSError as error:
                got.append(error.args)

    for answer, expected in ((UNKNOWN, UNKNOWN.args), (THERE, THERE)):
        got.clear()
        scopes = [trio.CancelScope() for _ in range(4)]
        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(ask, scope)
                await wait_all_tasks_blocked()
            scopes[0].cancel()
            await wait_all_tasks_blocked()
            server.answer("slow", answer)
        assert got == [expected] * 3
    assert server.asked == ["slow"] * 2


async def test_a_hanging_look_up_is_waited_for_without_limit_where_nothing_is_known(
    resolver: Resolver,
) -> None:
    """The limit is the caller's."""
    with trio.move_on_after(1000.0) as scope:
        await resolver.addresses("slow")
    assert scope.cancelled_caught


async def test_a_hanging_look_up_is_not_waited_for_where_addresses_are_known(
    resolver: Resolver, server: NameServer
) -> None:
    """The first ones are patient for a moment, all later ones go by what was good last."""
    await resolver.addresses("host")
    del server.answers["host"]
    await trio.sleep(FRESH_S_MAX)
    began_at = trio.current_time()
    assert await resolver.addresses("host") == HERE
    assert trio.current_time() - began_at == pytest.approx(PATIENCE_S)
    for _ in range(3):
        assert await resolver.addresses("host") == HERE
    assert trio.current_time() - began_at == pytest.approx(PATIENCE_S)
    assert server.asked == ["host"] * 2

    server.answer("host", THERE)
    assert await resolver.addresses("host") == THERE


async def test_last_good_addresses_come_to_an_end(resolver: Resolver, server: NameServer) -> None:
    """Until then, failing look-ups are repeated now and then, and nobody sees them."""
    await resolver.addresses("host")
    server.answers["host"] = BROKEN
    await trio.sleep(LAST_GOOD_S_MAX - 2.0)
    assert await resolver.addresses("host") == HERE
    assert await resolver.addresses("host") == HERE
    assert server.asked == ["host"] * 2

    await trio.sleep(2.0)
    with pytest.raises(socket.gaierror, match="Temporary failure"):
        await resolver.addresses("host")
    assert server.asked == ["host"] * 3
    server.answers["host"] = THERE
    assert await resolver.addresses("host") == THERE


async def test_an_answer_that_comes_late_counts(resolver: Resolver, server: NameServer) -> None:
    """Though nobody has waited for it."""
    with trio.move_on_after(5.0):
        await resolver.addresses("slow")
    server.answer("slow", HERE)

    assert await resolver.addresses("slow") == HERE
    assert server.asked == ["slow"]


async def test_asking_whether_an_address_is_current_looks_up_without_waiting(
    resolver: Resolver, server: NameServer
) -> None:
    """The answer is for those who ask later. What was never looked up is no name."""
    assert resolver.is_current("host", HERE[0])
    assert server.asked == []

    await resolver.addresses("host")
    assert resolver.is_current("host", HERE[0])
    assert not resolver.is_current("host", THERE[0])
    assert server.asked == ["host"]

    server.answers["host"] = THERE
    await trio.sleep(FRESH_S_MAX)
    assert resolver.is_current("host", HERE[0])
    assert resolver.is_current("host", HERE[0])
    await wait_all_tasks_blocked()
    assert not resolver.is_current("host", HERE[0])
    assert resolver.is_current("host", THERE[0])
    assert server.asked == ["host"] * 2


async def test_connections_are_kept_while_a_name_is_unknown(
    resolver: Resolver, server: NameServer
) -> None:
    """They work, and no better address is known. It is asked now and then, not each time."""
    await resolver.addresses("host")
    server.answers["host"] = UNKNOWN
    await trio.sleep(LAST_GOOD_S_MAX + 1.0)
    for _ in range(3):
        assert resolver.is_current("host", HERE[0])
        await wait_all_tasks_blocked()
    assert server.asked == ["host"] * 2
    await trio.sleep(RETRY_S)
    assert resolver.is_current("host", HERE[0])
    assert server.asked == ["host"] * 3


async def test_only_so_many_names_are_looked_up_at_a_time(
    resolver: Resolver, server: NameServer
) -> None:
    """Further ones wait for their turn, in order; those who know addresses do not wait for it."""
    names = [f"slow-{number}" for number in range(LOOK_UPS_MAX + 2)]
    await resolver.addresses("host")
    await trio.sleep(FRESH_S_MAX)
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(resolver.addresses, name)
            await wait_all_tasks_blocked()
        assert await resolver.addresses("host") == HERE
        assert list(server.hanging) == names[:LOOK_UPS_MAX]
        server.answer(names[0], HERE)
        assert list(server.hanging) == names[1 : LOOK_UPS_MAX + 1]
        for name in names[1:]:
            server.answer(name, HERE)
    assert server.asked == ["host", *names, "host"]


async def test_trio_asks_the_resolver_of_the_run(server: NameServer) -> None:
    """It gets the addresses in their order, in the form that a socket wants."""
    server.answers["host"] = THERE
    mine = install(Resolver(server.start))
    assert resolver_of_run() is mine

    found = await trio.socket.getaddrinfo("host", 80, type=trio.socket.SOCK_STREAM)
    assert [entry[4][:2] for entry in found] == [(address, 80) for address in THERE]
    assert [entry[0] for entry in found] == [socket.AF_INET, socket.AF_INET6]
    assert (await trio.socket.getaddrinfo("127.0.0.9", 80))[0][4] == ("127.0.0.9", 80)
    assert server.asked == ["host"]


@pytest.mark.real_time
async def test_other_questions_go_to_the_system(server: NameServer) -> None:
    """Where to listen, and what an address is called."""
    install(Resolver(server.start))
    flags = socket.AI_PASSIVE
    with trio.fail_after(20.0):
        assert await trio.socket.getaddrinfo("localhost", 80, flags=flags)
        assert await trio.socket.getaddrinfo("localhost", 80, socket.AF_INET)
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        named = await trio.socket.getnameinfo(("127.0.0.1", 80), numeric)
    assert (named, server.asked) == (("127.0.0.1", "80"), [])


@pytest.mark.real_time
async def test_each_run_has_a_resolver() -> None:
    """It is made when it is first wanted, and asks the system."""
    first = resolver_of_run()
    assert resolver_of_run() is first
    with trio.fail_after(20.0):
        assert set(await first.addresses("localhost")) & {"127.0.0.1", "::1"}
