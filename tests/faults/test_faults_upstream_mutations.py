"""Answers with something wrong in them: whatever it is, the gateway keeps its composure (U9)."""

import json
import random
import re
from typing import Any, Final

import attrs
import pytest

from tests.fakes.scene import Call, Scene, say, think
from tests.fakes.server import Reply
from tests.faults.upstream_node import Node, Stock
from tests.faults.upstream_wire import Fault, Wire, play
from tests.load import asking as load_asking
from tests.matrix.conftest import BASES
from tests.matrix.doors import DOORS, Question

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SETTINGS = ""
STOCK = {name: Stock(1, name) for name in BASES}

MUTATIONS: Final = 60
DEEP: Final = b"[" * 100_000 + b"]" * 100_000
HOSTILE: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    2**31,
    10**30,
    1e308,
    "",
    "\ud800",
    "\x00",
    "x" * 70_000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    "a b",
)
TERMINATORS: Final = {door.name: door.terminator for door in load_asking.DOORS}
JSON: Final = re.compile(rb"\{.*\}")


def _places(node: Any) -> list[tuple[Any, Any]]:
    """All containers, with each of their keys."""
    if isinstance(node, dict):
        here = [(node, key) for key in node]
    else:
        here = [(node, index) for index in range(len(node))]
    below = [node[key] for _, key in here if isinstance(node[key], dict | list)]
    return here + [place for child in below for place in _places(child)]


def _spoil(data: bytes, chance: random.Random) -> bytes:
    """The JSON with one place in it wrong."""
    document = json.loads(data)
    container, key = chance.choice(_places(document))
    what = chance.randrange(len(HOSTILE) + 2)
    if what < len(HOSTILE):
        container[key] = HOSTILE[what]
    elif what == len(HOSTILE):
        del container[key]
    else:
        container[key] = "deep"
        return json.dumps(document).encode().replace(b'"deep"', DEEP)
    return json.dumps(document).encode()


def spoiled(chance: random.Random) -> Fault:
    """The good answer with one place in one piece of it wrong, or a piece lost, or twice there."""

    async def fault(wire: Wire, reply: Reply) -> None:
        pieces = list(reply.pieces)
        place = chance.randrange(len(pieces))
        match chance.randrange(8):
            case 0:
                del pieces[place]
            case 1:
                pieces.insert(place, pieces[place])
            case _:
                pieces[place] = JSON.sub(lambda found: _spoil(found[0], chance), pieces[place])
        await play(wire, attrs.evolve(reply, pieces=tuple(pieces)))

    return fault


@pytest.mark.parametrize("type_", BASES)
def test_u9_one_thing_wrong(node: Node, type_: str) -> None:
    """The client gets an answer or an error, never both or neither, and no bug of ours shows."""
    target = node.take(type_)
    parts = think("Hm."), say("Hello world"), Call("weather", {"city": "Paris"})
    target.upstream.fake.play(Scene.of(*parts))
    for seed in range(MUTATIONS):
        chance = random.Random(seed)  # noqa: S311  to be seen again
        target.upstream.fault = spoiled(chance)
        door, stream = DOORS[seed % 3], chance.random() < 0.5
        heard = node.receive(target.alone, door, Question(stream=stream))
        told = (seed, heard.status, heard.body)
        assert heard.status in {200, 502}, told
        if stream and heard.status == 200:
            assert (b'"error"' in heard.body) != (TERMINATORS[door.name] in heard.body), told
        else:
            assert ("error" in json.loads(heard.body)) == (heard.status != 200), told
    node.check_nothing_held(target)
    levels = {json.loads(line)["level"] for line in node.daemon.log.splitlines()}
    assert levels <= {"info", "debug"}, node.daemon.log
    target.upstream.fault = play
    target.upstream.fake.play(Scene.text("Hello world"))
    assert node.ask(target.alone).text == "Hello world"
