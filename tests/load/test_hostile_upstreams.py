"""Workers that never stop, and clients that never read: neither fills the memory of a node."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Final

import attrs
import pytest
import trio

from tests.load.asking import DOORS, Answer, ClientDoor, ask, connected
from tests.load.plan import Plan, pieces_in
from tests.load.upstream import Upstream

if TYPE_CHECKING:
    from tests.load.conftest import Node

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S: Final = 120.0
GROWTH_BYTES_MAX: Final = 16 * 2**20
KERNEL_BYTES_MAX: Final = 128 * 2**20
"""More than what the kernel keeps of a connection that nobody reads (tcp_rmem and tcp_wmem)."""

ENDLESS: Final = Plan(name="endless", pieces=2**20, padding_bytes=1024)
TYPES: Final = {"openai": "/v1", "ollama": "", "anthropic": ""}

WORKER: Final = """
[[workers]]
name = "{type}"
type = "{type}"
base_url = "{url}{path}"
models = ["m"]
"""

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A server for all tests of this module."""
    server = Upstream()
    with server.serving():
        yield server
    server.close()


@pytest.fixture(scope="module")
def node(upstream: Upstream, start_node: Callable[[str], "Node"]) -> "Node":
    """A node for all tests of this module, which has answered some good requests."""
    node = start_node(
        "".join(
            WORKER.format(type=kind, url=upstream.url, path=path) for kind, path in TYPES.items()
        )
    )
    trio.run(_ask_all, node, "warming-up")
    return node


async def _ask_all(node: "Node", name: str) -> None:
    """A good request from each door to each worker, streamed and whole."""
    for worker in TYPES:
        for door in DOORS:
            for stream in (True, False):
                plan = Plan(name=f"{name}-{worker}-{door.name}-{stream}")
                answer = await ask(node.port, door, f"{worker}/m", plan, stream=stream)
                answer.check(door, plan, stream=stream)


async def _check_cut(
    node: "Node",
    upstream: Upstream,
    flood: str,
    check: Callable[[ClientDoor, str, Plan], Awaitable[None]],
) -> None:
    """Let each worker flood each door; see what they are told, and that the node holds nothing."""
    node.forget_memory_peak()
    before, sent_bytes = node.figures(), 0
    with trio.fail_after(HANGS_S):
        for worker, door in product(TYPES, DOORS):
            plan = Plan(
                name=f"{flood}-{worker}-{door.name}-{len(upstream.asked)}", pieces=1, flood=flood
            )
            await check(door, f"{worker}/m", plan)
            record = upstream.asked[plan.name]
            await trio.to_thread.run_sync(node.wait, lambda: record.is_cut)  # noqa: B023  done by then
            sent_bytes = max(sent_bytes, record.sent_bytes)
        await trio.to_thread.run_sync(node.wait, node.is_idle)
        growth = node.figures().memory_peak - before.memory
        await _ask_all(node, f"behind-{flood}-{len(upstream.asked)}")
    log.info("%s: %d bytes sent, %d bytes more", flood, sent_bytes, growth)
    assert sent_bytes < KERNEL_BYTES_MAX
    assert growth < GROWTH_BYTES_MAX


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("flood", ["line", "header", "informational", "extension", "trailer"])
async def test_a_flood_instead_of_an_answer_is_a_502(
    node: "Node", upstream: Upstream, flood: str, *, stream: bool
) -> None:
    """In the shape of the door, whichever worker it was."""

    async def check(door: ClientDoor, model: str, plan: Plan) -> None:
        answer = await ask(node.port, door, model, plan, stream=stream)
        assert answer.status == 502, answer.body
        assert door.error_in(bytes(answer.body))

    await _check_cut(node, upstream, flood, check)


@pytest.mark.parametrize("flood", ["begun-line", "begun-extension", "begun-trailer"])
async def test_a_flood_in_a_stream_breaks_it_off(
    node: "Node", upstream: Upstream, flood: str
) -> None:
    """It ends in good order with an error, and without the sign that it is whole."""

    async def check(door: ClientDoor, model: str, plan: Plan) -> None:
        answer = await _ask_and_see(node, upstream, door, model, plan)
        assert (answer.status, pieces_in(answer.body)) == (200, [0])
        assert b'"error"' in answer.body
        assert door.terminator not in answer.body

    await _check_cut(node, upstream, flood, check)


async def test_a_flood_behind_a_whole_answer_does_it_no_harm(
    node: "Node", upstream: Upstream
) -> None:
    """The client has all of it, and is told so."""

    async def check(door: ClientDoor, model: str, plan: Plan) -> None:
        answer = await _ask_and_see(node, upstream, door, model, plan)
        answer.check(door, plan, stream=True)

    await _check_cut(node, upstream, "ended-trailer", check)


async def _ask_and_see(
    node: "Node", upstream: Upstream, door: ClientDoor, model: str, plan: Plan
) -> Answer:
    """The whole stream; the flood comes when its first piece has been seen."""
    plan = attrs.evolve(plan, is_patient=True)
    async with connected(node.port) as client:
        await client.stream.send_all(door.request(model, plan, stream=True))
        await client.hear(lambda answer: pieces_in(answer.body) != [])
        upstream.asked[plan.name].is_seen = True
        await client.hear()
    return client.answer


async def test_a_client_that_stops_reading_holds_up_nobody_and_nothing(
    node: "Node", upstream: Upstream
) -> None:
    """The worker that floods it is held back; when the client leaves, its request is ended."""
    node.forget_memory_peak()
    before = node.figures()
    looks = [0]

    def is_held_back() -> bool:
        looks.append(upstream.asked[ENDLESS.name].sent_bytes)
        return looks[-2] == looks[-1]

    with trio.fail_after(HANGS_S):
        async with connected(node.port, receive_buffer=4096) as client:
            await client.stream.send_all(DOORS[0].request("openai/m", ENDLESS, stream=True))
            await client.hear(lambda answer: pieces_in(answer.body) != [])
            await trio.to_thread.run_sync(node.wait, is_held_back)
            await _ask_all(node, "meanwhile")
            growth = node.figures().memory_peak - before.memory
            assert node.loads()["openai"] == (1, 0)
        record = upstream.asked[ENDLESS.name]
        await trio.to_thread.run_sync(node.wait, lambda: record.is_cut and node.is_idle())

    log.info("%d bytes sent, %d bytes more", record.sent_bytes, growth)
    assert record.sent_bytes < KERNEL_BYTES_MAX
    assert growth < GROWTH_BYTES_MAX
