"""Upstreams that break off in the midst of an answer: U5, U6, U13 and U14 of the catalogue."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

from tests.fakes.scene import Scene, Trouble
from tests.fakes.server import Reply
from tests.faults.upstream import until
from tests.faults.upstream_faults import (
    broken_by,
    broken_with,
    endless,
    fall_silent,
    head_alone,
)
from tests.faults.upstream_node import Node, Stock
from tests.faults.upstream_wire import LAST_CHUNK, Fault, Wire, begin, chunk
from tests.matrix.doors import ClientDoor, Heard

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {
    "openai": Stock(40),
    "anthropic": Stock(4, "anthropic"),
    "ollama": Stock(14, "ollama"),
    "waiting": Stock(12, settings="first_token_seconds = 0.3"),
    "pausing": Stock(14, settings="idle_seconds = 0.3"),
    "pausing-ollama": Stock(4, "ollama", settings="idle_seconds = 0.3"),
}

STREAMS = 24
PING = b": ping\n\n"
ROLE = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'  # noqa: E501
HALF_AN_EVENT = b'data: {"id":"c","object":"chat.comple'
TEXT = "Hello brave new world"


def _check_broken(node: Node, heard: Heard) -> dict[str, Any]:
    """An answer that breaks off says so, ends in good order, and does not look complete."""
    assert (heard.status, heard.text) == (200, "Hello brave"), heard.body
    assert heard.error
    assert not heard.is_ended
    account = node.account(heard)
    assert account["outcome"] == "failed"
    # What was streamed has been paid for; the worker did not come to say how much it was.
    assert account["usage"]["output_tokens"] > 0
    assert account["usage_is_estimate"] is True
    return account


def _check_resumed(node: Node, heard: Heard) -> None:
    """Nobody can see that there were two."""
    assert (heard.status, heard.text, heard.is_ended) == (200, TEXT, True), heard.body
    assert heard.error is None
    account = node.account(heard)
    assert (account["outcome"], account["resumed"]) == ("served", 1)
    asked = node.resumer.fake.chats[-1].document["messages"]
    assert asked[-1] == {"role": "assistant", "content": "Hello brave"}


@pytest.mark.parametrize("fault", [head_alone, endless(PING), endless(ROLE)])
def test_u5_headers_then_silence(node: Node, fault: Fault) -> None:
    """Whatever comes, as long as it says nothing, is no first token: the next one answers."""
    target = node.take("waiting")
    target.upstream.break_off(fault, after_words=0)
    heard = node.ask(target.backed)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: timed out; ")
    until(lambda: target.upstream.open == 1)


def test_u5_headers_then_silence_and_nobody_else(node: Node, door: ClientDoor) -> None:
    """Nothing has been sent, so the status can still tell."""
    target = node.take("waiting")
    target.upstream.fault = head_alone
    heard = node.ask(target.alone, door)
    assert (heard.status, heard.is_ended) == (504, False)


def test_u5_lost_after_the_role(node: Node, door: ClientDoor) -> None:
    """A role is no content: another worker may still begin, and the client sees one answer."""
    target = node.take()
    target.upstream.fake.play(Scene.text(TEXT).cut(after_pieces=0))
    heard = node.ask(target.backed, door)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    assert heard.headers["x-cortexd-worker"] == "healthy"
    assert heard.error is None


@pytest.mark.parametrize(
    "noise", [b"", PING, ROLE, HALF_AN_EVENT], ids=["silence", "pings", "roles", "trickle"]
)
def test_u6_hang_mid_stream(node: Node, noise: bytes) -> None:
    """The limit is one for events that say something, and not for bytes."""
    target = node.take("pausing")
    target.upstream.break_off(endless(noise) if noise else fall_silent)
    account = _check_broken(node, node.ask(target.alone))
    [failure] = account["failures"]
    assert "timed out waiting for the next token" in failure
    until(lambda: target.upstream.open == 1)
    node.check_nothing_held(target)


def test_u6_hang_mid_stream_at_each_door(node: Node, door: ClientDoor) -> None:
    """The error is in the door's words; a second worker that cannot go on is not asked."""
    target = node.take("pausing")
    target.upstream.break_off(fall_silent)
    before = len(node.healthy.asked)
    _check_broken(node, node.ask(target.backed, door))
    assert len(node.healthy.asked) == before


def test_u6_hang_midway_where_a_whole_answer_is_wanted(node: Node, door: ClientDoor) -> None:
    """The client has seen nothing of it: the next worker begins anew."""
    target = node.take("pausing")
    target.upstream.break_off(fall_silent)
    heard = node.ask(target.backed, door, stream=False)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    assert heard.headers["x-cortexd-attempts"] == f"2 ({target.name}: timed out; healthy: taken)"


def test_u6_hang_mid_stream_resumed(node: Node, door: ClientDoor) -> None:
    """Another worker goes on where this one stopped."""
    target = node.take("pausing-ollama")
    target.upstream.break_off(fall_silent)
    _check_resumed(node, node.ask(target.resumed, door))
    until(lambda: target.upstream.open == 1)


LOSSES = {
    "rst": broken_by(reset=True),
    "no last chunk": broken_by(),
    "shorter than its length": broken_by(length=100_000),
    "end without a finish": broken_with(b""),
    "half an event": broken_with(HALF_AN_EVENT),
}
"""U13 and U14: the connection lost, or the body ended, before the answer is complete."""


@pytest.mark.parametrize("loss", LOSSES)
def test_u13_u14_lost_mid_stream(node: Node, loss: str) -> None:
    """Never a success; with no worker that can go on, it ends with an error."""
    target = node.take()
    target.upstream.break_off(LOSSES[loss])
    _check_broken(node, node.ask(target.backed, releases=target.upstream))
    node.check_nothing_held(target)
    assert node.opened(target) == 0
    target.upstream.break_off(LOSSES[loss])
    node.ask(target.backed, releases=target.upstream)
    assert node.opened(target) == 1


@pytest.mark.parametrize("loss", ["rst", "no last chunk"])
def test_u13_u14_lost_mid_stream_at_each_door(node: Node, door: ClientDoor, loss: str) -> None:
    """The error is in the door's words."""
    target = node.take()
    target.upstream.break_off(LOSSES[loss])
    _check_broken(node, node.ask(target.alone, door, releases=target.upstream))


@pytest.mark.parametrize("loss", LOSSES)
def test_u13_u14_lost_midway_where_a_whole_answer_is_wanted(node: Node, loss: str) -> None:
    """The client has seen nothing of it yet: the next worker's answer is all it gets."""
    target = node.take()
    target.upstream.break_off(LOSSES[loss])
    target.upstream.release()
    heard = node.ask(target.backed, stream=False)
    assert (heard.status, heard.text) == (200, "all is well")
    assert heard.headers["x-cortexd-worker"] == "healthy"
    assert node.account(heard)["resumed"] == 0
    assert node.ask(target.alone, stream=False).status == 502


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("type_", ["ollama", "openai"])
def test_u13_u14_lost_mid_stream_resumed(node: Node, loss: str, type_: str) -> None:
    """It is the next worker that must be able to go on; the one that is lost may be of any type."""
    target = node.take(type_)
    target.upstream.break_off(LOSSES[loss])
    _check_resumed(node, node.ask(target.resumed, releases=target.upstream))


def test_u13_reset_mid_stream_resumed_at_each_door(node: Node, door: ClientDoor) -> None:
    """The door goes on in the midst of its own framing."""
    target = node.take("ollama")
    target.upstream.break_off(broken_by(reset=True))
    _check_resumed(node, node.ask(target.resumed, door, releases=target.upstream))


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.OVERLOADED, Trouble.RATE_LIMIT])
def test_u11_an_error_frame_mid_stream_resumed(node: Node, trouble: Trouble) -> None:
    """Saying that it fails is no better than failing."""
    target = node.take("anthropic")
    answer = Scene.text(TEXT).error_in_stream(after_pieces=2, trouble=trouble)
    target.upstream.fake.play(answer)
    target.upstream.fault = error_behind_the_words
    _check_resumed(node, node.ask(target.resumed, releases=target.upstream))


async def error_behind_the_words(wire: Wire, reply: Reply) -> None:
    """Send the last piece, the error, once the client has the others."""
    await begin(wire, attrs.evolve(reply, pieces=reply.pieces[:-1]))
    await wire.wait_released()
    await wire.send(chunk(reply.pieces[-1]), LAST_CHUNK)


def test_u13_a_tool_call_is_not_resumed(node: Node, door: ClientDoor) -> None:
    """Nobody can go on in the midst of a call: an error, and no terminator."""
    target = node.take()
    answer = Scene.tool_call("weather", {"city": "brave"}).cut(after_pieces=1)
    target.upstream.fake.play(answer)
    before = len(node.resumer.asked)
    heard = node.ask(target.resumed, door, has_tools=True)
    assert (heard.status, heard.is_ended, heard.calls) == (200, False, [])
    assert heard.error
    assert len(node.resumer.asked) == before


def test_u13_many_streams_lost_at_once(node: Node) -> None:
    """Each goes on by itself, and nothing is held behind them."""
    target = node.take("ollama")
    target.upstream.break_off(broken_by(reset=True))
    with ThreadPoolExecutor(STREAMS) as pool:
        asked = [pool.submit(node.ask, target.resumed) for _ in range(STREAMS)]
        until(lambda: len(target.upstream.asked) == STREAMS)
        target.upstream.release()
        heards = [each.result() for each in asked]
    # Words that a reset has overtaken were never there: whoever lost them began anew.
    assert {heard.text for heard in heards} <= {TEXT, " new world"}
    assert all((heard.status, heard.is_ended, heard.error) == (200, True, None) for heard in heards)
    node.check_nothing_held(target)
