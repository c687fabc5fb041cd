"""An answer that comes in pieces of any size: U8 of the catalogue."""

import re

import pytest

from tests.fakes.dialect import Endpoint
from tests.fakes.scene import Scene
from tests.faults.upstream import Upstream
from tests.faults.upstream_faults import split
from tests.faults.upstream_node import Node, Stock
from tests.matrix.doors import Heard

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {name: Stock(1, name) for name in ("openai", "ollama", "anthropic")}

PAUSE_S = 0.002


def _streamed(upstream: Upstream) -> bytes:
    """The bytes that the upstream's fake sends for the last request."""
    request = upstream.fake.chats[-1]
    assert request.endpoint is Endpoint.CHAT
    return b"".join(upstream.fake.answer(request).pieces)


@pytest.mark.parametrize("type_", ["openai", "ollama", "anthropic"])
def test_u8_split_at_every_byte(node: Node, type_: str) -> None:
    """Where the pieces end changes not a byte of what the client gets, inside UTF-8 neither."""
    target = node.take(type_)
    target.upstream.fake.play(Scene.text("a € 🙂", pieces=["a € 🙂"]))
    expected = node.ask(target.alone)
    assert (expected.text, expected.is_ended) == ("a € 🙂", True)
    body = _streamed(target.upstream)
    emoji = body.find("🙂".encode())
    assert emoji > 0
    places = sorted({*range(emoji - 60, emoji + 60), *range(1, len(body), 7)})
    for place in places:
        target.upstream.fault = split((place,), pause_s=PAUSE_S)
        assert _lasting(node.ask(target.alone)) == _lasting(expected), place
    target.upstream.fault = split(tuple(range(1, len(body))))
    assert _lasting(node.ask(target.alone)) == _lasting(expected)


def _lasting(heard: Heard) -> bytes:
    """The body without what is another one for each answer."""
    return re.sub(rb'"(id|created)":("[^"]*"|[0-9]+)', b"", heard.body)
