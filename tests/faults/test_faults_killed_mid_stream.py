"""A worker that is killed a hundred times, each time somewhere else in a long answer."""

import json
import random
from typing import Any, Final

import attrs
import pytest

from tests.fakes.scene import Call, Scene, say
from tests.fakes.server import Reply
from tests.faults.upstream import Upstream
from tests.faults.upstream_node import Node, Stock
from tests.faults.upstream_wire import LAST_CHUNK, Fault, Wire, begin, chunk
from tests.matrix.doors import DOORS, ClientDoor, Heard, Question

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {"openai": Stock(4), "ollama": Stock(4, "ollama")}
SETTINGS = "[breaker]\nenabled = false\n"

TIMES: Final = 100
TEXT: Final = "Hello brave new world. " + " ".join(
    f"Line {number} of {number * 7 % 13} is as long as it is.{chr(10) if number % 5 == 0 else ''}"
    for number in range(60)
)
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
CHANCE: Final = random.Random(20)  # noqa: S311  the places of the cuts are no secret


def killed(at: float, *, reset: bool) -> Fault:
    """Die behind that share of the body, from 0 to 1, once the client has seen its beginning."""

    async def fault(wire: Wire, reply: Reply) -> None:
        body = b"".join(reply.pieces)
        seen = body.index(b"brave")
        seen = body.index(b"\n", seen) + 2
        end = seen + int(at * (len(body) - seen - 1))
        await begin(wire, attrs.evolve(reply, pieces=(body[:seen],), is_streamed=True))
        await wire.wait_released()
        await wire.send(chunk(body[seen:end]) if end > seen else b"")
        wire.hang_up(reset=reset)

    return fault


async def go_on(wire: Wire, reply: Reply) -> None:
    """Say the rest of the text, exactly, as Ollama does when a conversation ends with its words."""
    messages = wire.upstream.fake.chats[-1].document["messages"]
    said = messages[-1]["content"]
    assert messages[-1]["role"] == "assistant"
    assert TEXT.startswith(said)
    await begin(wire, attrs.evolve(reply, pieces=(), is_streamed=True))
    rest = TEXT[len(said) :]
    for start in range(0, len(rest), 40):
        await wire.send(chunk(_line({"content": rest[start : start + 40]}, done=False)))
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 900, "eval_count": 9}
    await wire.send(chunk(_line({"content": ""}, **end)), LAST_CHUNK)


def _line(message: dict[str, str], **members: Any) -> bytes:
    line = {"model": "m1", "created_at": "2026-01-01T00:00:00Z"}
    return (
        json.dumps(line | {"message": {"role": "assistant"} | message} | members).encode() + b"\n"
    )


def _hear(
    node: Node, model: str, door: ClientDoor, question: Question, upstream: Upstream
) -> Heard:
    upstream.fake.play(_scene(question))
    heard = node.receive(model, door, question, releases=upstream)
    assert heard.status == 200, heard.body
    door.hear_stream(heard)
    return heard


def _scene(question: Question) -> Scene:
    if question.has_tools:
        return Scene.of(say("Hello brave new world"), Call("weather", {"city": "Paris" * 40}))
    return Scene.text(json.dumps({"city": TEXT}) if question.schema else TEXT)


@pytest.mark.parametrize("kind", STOCK)
def test_the_client_receives_the_text_whole(node: Node, kind: str) -> None:
    """Nothing doubled and nothing missing, wherever the first worker died."""
    target = node.take(kind)
    node.resumer.fault = go_on
    resumed = 0
    for turn in range(TIMES):
        target.upstream.break_off(killed(CHANCE.random(), reset=turn % 2 == 0))
        door = DOORS[turn % len(DOORS)]
        heard = _hear(node, target.resumed, door, Question(stream=True), target.upstream)
        assert (heard.text, heard.is_ended, heard.error) == (TEXT, True, None)
        resumed += b'"resumed_from"' in heard.body
    assert resumed == TIMES


BROKEN: Final = {
    "tools": (Question(stream=True, has_tools=True), "resumed"),
    "json": (Question(stream=True, schema=SCHEMA), "resumed"),
    "nobody who can": (Question(stream=True), "backed"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_what_cannot_be_carried_on_never_looks_whole(node: Node, why: str) -> None:
    """The error frame and no terminator, wherever it broke off."""
    question, alias = BROKEN[why]
    target = node.take("openai")
    for turn in range(TIMES):
        # A call that has begun is what cannot be carried on, not the words before it.
        share = CHANCE.uniform(0.6, 1.0) if question.has_tools else CHANCE.random()
        target.upstream.break_off(killed(share, reset=turn % 2 == 0))
        door = DOORS[turn % len(DOORS)]
        heard = _hear(node, getattr(target, alias), door, question, target.upstream)
        assert heard.error, heard.body
        assert not heard.is_ended, heard.body
