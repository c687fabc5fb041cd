"""K18 and K19 of the catalogue of bad input: fields that would reach into the gateway.

At every depth of every dialect: there are lists of what is taken, and none of what is not.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.bad_input.rich_requests import RICH, Place, is_data, places, spelt

pytestmark = pytest.mark.real_time

WORKER: Final = "recorder/notes"
"""It would remember what it is sent."""

FIELDS: Final[Mapping[str, object]] = {
    "K18 api_base": "http://evil.example/v1",
    "K18 base_url": "http://evil.example/v1",
    "K18 api_key": "sk-evil",
    "K18 headers": {"authorization": "Bearer evil"},
    "K18 extra_headers": {"host": "evil.example"},
    "K18 extra_body": {"n": 9},
    "K18 provider": "evil",
    "K18 callbacks": ["evil"],
    "K18 mock_response": "evil",
    "K19 colour": "blue",
}

OBJECTS: Final = {
    f"{path} {spelt(place) or 'body'}": (path, place)
    for path, document in RICH.items()
    for place, value in places(document)
    if isinstance(value, dict) and not is_data(place, value)
}


def _with(path: str, place: Place, members: Mapping[str, object]) -> bytes:
    document = copy.deepcopy(RICH[path]) | {"model": WORKER}
    inner: Any = document
    for step in place:
        inner = inner[step]
    inner.update(members)
    return json.dumps(document).encode()


@pytest.mark.parametrize("path", RICH)
def test_the_rich_requests_are_good(node: Any, path: str) -> None:
    """Otherwise what is refused about them would prove nothing."""
    [reply] = node.post(path, json.dumps(RICH[path]).encode())
    assert (reply.status, b"error" in reply.body) == (200, False), reply.body


@pytest.mark.parametrize("name", OBJECTS)
def test_no_object_takes_what_nobody_knows(
    node: Any, refusal: Any, recorder: Any, name: str
) -> None:
    """Each field is refused by its path, and no worker is asked."""
    path, place = OBJECTS[name]
    asked = len(recorder.asked)
    names = [row.partition(" ")[2] for row in FIELDS]
    bodies = [
        _with(path, place, {name: value})
        for name, value in zip(names, FIELDS.values(), strict=True)
    ]
    replies = node.post(path, *bodies)
    assert [reply.status for reply in replies] == [400] * len(FIELDS)
    for field, body, reply in zip(names, bodies, replies, strict=True):
        told = refusal(reply, path, body)
        assert told.names(spelt((*place, field))), told
        assert told.is_for("unsupported_parameter")
    assert len(recorder.asked) == asked


@pytest.mark.parametrize("name", FIELDS)
def test_metadata_is_refused_as_a_whole(refused: Any, name: str) -> None:
    """OpenAI's clients may write anything into it, and nothing here would read it."""
    metadata = {name.partition(" ")[2]: FIELDS[name]}
    told = refused(
        "/v1/chat/completions", _with("/v1/chat/completions", (), {"metadata": metadata})
    )
    assert told.names("metadata")


def test_k18_a_long_name_is_cut(refused: Any) -> None:
    """Also where it is the name itself that is at fault."""
    for path in RICH:
        told = refused(path, _with(path, (), {"k" * 1000: 1}))
        assert told.names("k" * 99 + "…")


def test_k18_a_name_that_does_not_show_is_escaped(refused: Any) -> None:
    """Whoever reads the message reads one line."""
    for path in RICH:
        assert refused(path, _with(path, (), {"a\r\nb\x1b[31m\u202e": 1})).message.isprintable()


def test_k18_in_a_clients_own_data_it_is_data(node: Any, recorder: Any, documents: Any) -> None:
    """A tool may have a parameter of any name; it stays one, and changes nothing of the call."""
    schema = {"type": "object", "properties": {"api_key": {}, "base_url": {}}, "headers": {"a": 1}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    document = documents["/v1/chat/completions"] | {"model": WORKER, "tools": [tool]}
    [reply] = node.post("/v1/chat/completions", json.dumps(document).encode())
    assert reply.status == 200
    sent = json.loads(recorder.asked[-1])
    assert sent["tools"] == [tool]
    assert set(sent) <= {"model", "messages", "tools", "stream", "stream_options"}
    assert recorder.seen[-1]["authorization"] == "Bearer the-worker-key"
    assert "a" not in recorder.seen[-1]
