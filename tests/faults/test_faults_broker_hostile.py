"""FAULTS rows M4, M7 and A4: what is wrong with the broker's things, and with what it brings."""

import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import msgspec
import pytest
import trio
import trio_asyncio  # type: ignore[import-untyped]  # it has no types

from cortexd.config.server_url import parse_server_url
from cortexd.domain.fleet import MessageId
from cortexd.domain.secret import Secret
from cortexd.fleet.envelope import BODY_BYTES_MAX, EVERYBODY, Sealed, Terms, seal
from cortexd.fleet.session import Session
from cortexd.fleet.topology import COMMANDS, STATUS, Topology, agent_topology, node_topology
from tests.fleet.fleet import SIGNING_KEY
from tests.fleet.line import End, Untaken, an_end, new_id, open_ends, status
from tests.servers.rabbitmq import RabbitServer, the_rabbitmq

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

MINUTE_MS: Final = 60_000


@pytest.fixture
def broker() -> RabbitServer:
    """A broker."""
    return the_rabbitmq()


@asynccontextmanager
async def _kept_up(end: End) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end.line.run)
        yield
        nursery.cancel_scope.cancel()


async def test_m4_a_queue_that_is_deleted_is_made_again(broker: RabbitServer) -> None:
    """By whoever reads it, at once; what is said afterwards arrives."""
    async with open_ends(broker.url, "m4") as (node, agent):
        await trio.to_thread.run_sync(broker.control, "delete_queue", f"{STATUS}.m4-node")
        await node.wait(lambda: any(not each.is_up for each in node.standings))
        await node.wait_up()
        id_ = await agent.say()
        await node.wait(lambda: id_ in node.ids)
        reasons = [each.failure for each in node.standings if not each.is_up]
        assert reasons == ["a queue or exchange has been deleted"]


def _with_other_settings(topology: Topology) -> Topology:
    first, *rest = topology.queues
    changed = [attrs.evolve(queue, arguments={"x-max-length": 7}) for queue in rest]
    return attrs.evolve(topology, queues=(first, *changed))


HOPELESS: Final[dict[str, tuple[Callable[[RabbitServer], str], str]]] = {
    "password": (
        lambda broker: broker.url.replace("//", "//guest:wrong@"),
        "the broker refuses the user or its password",
    ),
    "vhost": (
        lambda broker: f"{broker.url}/gone",
        "the virtual host is not there, or closed to this user",
    ),
    "permissions": (
        lambda broker: broker.url.replace("//", "//poor:poor@"),
        "the user has not the permissions that it needs",
    ),
    "settings": (
        lambda broker: broker.url,
        "a queue or exchange of this name is there with other settings: delete it",
    ),
}


@pytest.fixture(scope="module")
def poor() -> None:
    """A user of the broker that may do nothing."""
    the_rabbitmq().add_powerless_user("poor")


async def test_m4_what_is_hopeless_is_told_and_tried_seldom(
    broker: RabbitServer, poor: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words that say what to do; less than once a second."""
    tried: dict[str, list[float]] = {cause: [] for cause in HOPELESS}
    topologies = {cause: agent_topology(f"m4-{cause}") for cause in HOPELESS}
    other = _with_other_settings(topologies["settings"])
    async with _kept_up(first := an_end(broker.url, "m4", other)):
        await first.wait_up()
    open_really = Session.open

    async def open_counted(self: Session) -> None:
        cause = self._topology.queues[-1].name.rpartition("-")[2]
        tried[cause].append(trio.current_time())
        await open_really(self)

    monkeypatch.setattr(Session, "open", open_counted)
    async with trio.open_nursery() as nursery:
        for cause, (url_of, told) in HOPELESS.items():
            end = an_end(url_of(broker), f"m4-{cause}", topologies[cause])
            nursery.start_soon(_see_it_told, end, told, tried[cause])
    # It waits on the same clock that is looked at here: this is no measurement.
    for times in tried.values():
        assert all(after - before >= 1.0 for before, after in itertools.pairwise(times))


async def _see_it_told(end: End, told: str, tried: list[float]) -> None:
    async with _kept_up(end):
        await end.wait(lambda: len(tried) == 3)
        assert end.line.standing.failure == told
        assert end.line.standing.is_hopeless


async def test_m4_two_of_one_name_do_not_share_a_queue(broker: RabbitServer) -> None:
    """The second one is told so, and takes the place of the first when that has gone."""
    topology = node_topology("m4-twin")
    first, second = (an_end(broker.url, "m4-twin", topology) for _ in range(2))
    async with _kept_up(second):
        async with _kept_up(first):
            await first.wait(lambda: first.line.standing.is_up or second.line.standing.is_up)
            up, down = (first, second) if first.line.standing.is_up else (second, first)
            taken = "another component of the same name reads its queue"
            await down.wait(lambda: taken in [each.failure for each in down.standings])
            assert up.line.standing.carries
        await second.wait_up()


def _good(id_: str | None = None) -> Sealed:
    when = Terms(EVERYBODY, _now_ms(), _now_ms() + MINUTE_MS)
    return seal(status(), MessageId(id_ or new_id()), when, Secret(SIGNING_KEY))


def _now_ms() -> int:

    return int(time.time() * 1000)


def _headers(**changes: Any) -> Callable[[Sealed], Sealed]:
    return lambda sealed: attrs.evolve(sealed, headers={**sealed.headers, **changes})


def _with_body(body: bytes) -> Callable[[Sealed], Sealed]:
    """Signed as it should be: whoever has the key may have another version of us."""

    def made(sealed: Sealed) -> Sealed:
        when = Terms(EVERYBODY, _now_ms(), _now_ms() + MINUTE_MS)
        return seal(msgspec.Raw(body), sealed.id, when, Secret(SIGNING_KEY))  # type: ignore[arg-type]  # no message of ours

    return made


BAD: Final[dict[str, tuple[Callable[[Sealed], Sealed], str]]] = {
    "huge": (
        lambda sealed: attrs.evolve(sealed, body=b"x" * (BODY_BYTES_MAX + 1)),
        f"it is longer than {BODY_BYTES_MAX} bytes",
    ),
    "content type": (
        lambda sealed: attrs.evolve(sealed, content_type="text/plain"),
        "its content type is not application/json",
    ),
    "no content type": (
        lambda sealed: attrs.evolve(sealed, content_type=None),
        "its content type is not application/json",
    ),
    "schema version": (_headers(schema=2), "its schema version is not 1"),
    "no schema": (lambda sealed: attrs.evolve(sealed, headers={}), "its schema version is not 1"),
    "no terms": (_headers(sent="now"), "its headers do not say for whom it is, or until when"),
    "signature": (_headers(signature="0" * 64), "its signature is wrong"),
    "no signature": (_headers(signature=None), "its signature is wrong"),
    "signature of another kind": (_headers(signature=7), "its signature is wrong"),
    "later deadline": (_headers(deadline=_now_ms() + 2 * MINUTE_MS), "its signature is wrong"),
    "other audience": (_headers(audience="somebody"), "its signature is wrong"),
    "garbage": (_with_body(b"\xff\xfe{{"), "its body does not fit the schema"),
    "unknown kind": (_with_body(b'{"type":"gossip"}'), "its body does not fit the schema"),
    "deep": (_with_body(b"[" * 100_000), "its body does not fit the schema"),
    "wrong name": (
        _with_body(b'{"type":"farewell","agent":"../../etc","incarnation":1}'),
        "its body does not fit the schema",
    ),
}


async def _publish(broker: RabbitServer, *messages: Sealed, exchange: str, key: str = "") -> None:
    """As somebody would who has the broker's password, and no more."""
    topology = (node_topology if exchange == COMMANDS else agent_topology)("m7-stranger")
    async with trio_asyncio.open_loop():
        asyncio = trio_asyncio.aio_as_trio
        session = Session(parse_server_url(broker.url), topology, _ignore, pulse_s=1.0)
        await asyncio(session.open)()
        for message in messages:
            await asyncio(session.publish)(message, exchange=exchange, key=key)
        await asyncio(session.close)()


def _ignore(_queue: str, _message: object) -> None:
    pass


async def test_m7_what_cannot_be_used_is_put_aside(broker: RabbitServer) -> None:
    """Each with its reason, in the order it came; what is good comes through behind it."""
    async with open_ends(broker.url, "m7") as (node, _):
        good = _good()
        bad = [spoil(_good()) for spoil, _ in BAD.values()]
        no_id = attrs.evolve(_good(), id=MessageId("x" * 65))
        await _publish(broker, *bad, no_id, good, exchange=STATUS)

        await node.wait(lambda: good.id in node.ids)
        expected = [reason for _, reason in BAD.values()]
        assert [reason for _, reason in node.rejected] == [
            *expected,
            "it has no id, or one that is too long",
        ]
        assert node.ids == [good.id]
        assert node.line.standing.carries


async def test_m7_a_command_cannot_be_given_to_another_agent(broker: RabbitServer) -> None:
    """Whoever sees one on the broker can hand it on, and gets nowhere with it."""
    async with open_ends(broker.url, "m7b") as (node, agent):
        seen = seal(
            status(),
            new_id(),
            Terms("m7b-other", _now_ms(), _now_ms() + MINUTE_MS),
            Secret(SIGNING_KEY),
        )
        topology = node_topology("m7b-thief")
        thief = an_end(broker.url, "m7b-thief", topology, key="another-key-that-is-long-enough-too")
        async with _kept_up(thief):
            await thief.wait_up()
            await thief.tell("m7b-agent")
            await _publish(broker, seen, exchange=COMMANDS, key="m7b-agent")
            id_ = await node.tell("m7b-agent")
            await agent.wait(lambda: id_ in agent.ids)
        assert agent.ids == [id_]
        assert sorted(reason for _, reason in agent.rejected) == [
            "it is for somebody else",
            "its signature is wrong",
        ]


async def test_a4_a_message_that_kills_its_taker_is_put_aside(broker: RabbitServer) -> None:
    """After five attempts; the queue goes on."""
    async with open_ends(broker.url, "a4") as (node, agent):
        poison: list[str] = []

        async def take(received: Any) -> None:
            if received.message.report.sequence == 13:
                poison.append(received.id)
                raise Untaken

        node.take = take
        await agent.say(12)
        await agent.say(13)
        last = await agent.say(14)
        await node.wait(lambda: last in node.ids)
        assert len(poison) == 5
        assert len(set(poison)) == 1
        assert [reason for _, reason in node.rejected] == ["who had to take it failed 5 times"]
