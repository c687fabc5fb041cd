"""K5 and its kind in the catalogue of bad input: too much of what is good.

On a node that takes bodies as large as it does by default, unless its limit is the fact under test.
"""

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

import pytest
import trio
import trio.testing

from cortexd.domain.errors import NodeStopping
from cortexd.http.doors.door import DoorRequest
from cortexd.http.doors.model_door import PARSED_ON_THE_LOOP_BYTES_MAX, Asked, ModelDoor
from cortexd.http.doors.openai import OpenAiDialect
from cortexd.pipeline.exchange import Exchange
from cortexd.pipeline.reading import ReadingLayer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

OPENAI: Final = "/v1/chat/completions"
HANGS_S: Final = 20.0
MB: Final = 1_000_000
LONG: Final = "x" * (10 * MB)
SAID: Final = [{"role": "user", "content": LONG}]

TEN_MB: Final[Mapping[str, tuple[Mapping[str, object], str]]] = {
    OPENAI: ({"messages": SAID}, "messages[0].content"),
    "/v1/embeddings": ({"input": LONG}, "input"),
    "/v1/messages": ({"messages": SAID}, "messages[0].content"),
    "/v1/messages/count_tokens": ({"messages": SAID}, "messages[0].content"),
    "/api/chat": ({"messages": SAID}, "messages[0].content"),
    "/api/generate": ({"prompt": LONG}, "prompt"),
    "/api/embed": ({"input": LONG}, "input"),
}
DEEP: Final = b'{"a":' * MB + b"1" + b"}" * MB
"""Almost 6 MB of a schema."""


@pytest.mark.parametrize("path", TEN_MB)
def test_k5_ten_megabytes_of_text(
    node: Any, roomy_node: Any, refusal: Any, documents: Any, path: str
) -> None:
    """The field is named where the body may be that large, and not even read where it may not."""
    different, place = TEN_MB[path]
    body = json.dumps(documents[path] | different).encode()
    [reply] = roomy_node.post(path, body)
    assert reply.status == 400
    assert refusal(reply, path, body[:1000]).names(place)
    [reply] = node.post(path, body)
    assert (reply.status, reply.ends_connection) == (413, True)
    assert refusal(reply, path, body[:1000])


@pytest.mark.parametrize("path", [OPENAI, "/v1/messages", "/v1/messages/count_tokens", "/api/chat"])
def test_k5_a_hundred_thousand_messages(
    roomy_node: Any, refusal: Any, documents: Any, path: str
) -> None:
    """They are counted before they are read."""
    messages = [{"role": "user", "content": "x"}] * 100_000
    body = json.dumps(documents[path] | {"messages": messages}).encode()
    [reply] = roomy_node.post(path, body)
    assert reply.status == 400
    assert refusal(reply, path, body[:1000]).names("messages")


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (
            b'"logit_bias": {%b}' % b",".join(b'"%d":1' % n for n in range(MB)),
            (413, "json_too_large", None),
        ),
        (b'"response_format": {"schema": %b}' % DEEP, (400, "json_too_deep", None)),
        (b'"user": "%b"' % LONG.encode(), (400, "invalid_value", "user")),
        (
            b'"metadata": {"a": "%b"}' % LONG.encode(),
            (400, "unsupported_parameter", "metadata"),
        ),
    ],
    ids=["K14 a million keys", "K15 5 MB deep", "K16 a user of 10 MB", "K16 metadata of 10 MB"],
)
def test_megabytes_of_a_field(
    roomy_node: Any,
    documents: Any,
    member: bytes,
    told: tuple[int, str, str | None],
) -> None:
    """Each is refused for what it is."""
    body = json.dumps(documents[OPENAI]).encode()[:-1] + b", " + member + b"}"
    [reply] = roomy_node.post(OPENAI, body)
    error = reply.document["error"]
    assert (reply.status, error["code"], error["param"]) == told
    assert roomy_node.serves()


def test_streams_go_on_while_a_large_body_is_read(roomy_node: Any) -> None:
    """Between the last byte of 15 MB and their answer, another client hears word after word."""
    body = b'{"model": "actor/scripted", "messages": [{"role": "user", "content": "%b"}%b]}' % (
        b"x" * MB,
        b', {"role": "system", "content": "a word or two, and then another"}' * 220_000,
    )
    assert len(body) > 15 * MB
    heard: list[str] = []
    done = threading.Event()

    def listen(sock: socket.socket) -> None:
        while not done.is_set() and sock.recv(4096):
            heard.append("a word")

    with roomy_node.connect() as sock:
        sock.sendall(_streaming())
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        listener = threading.Thread(target=listen, args=(sock,))
        listener.start()
        with roomy_node.connect() as other:
            head = b"POST %b HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            other.sendall(head % OPENAI.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            heard.append("sent")
            answer = other.recv(4096)
            heard.append("answered")
        done.set()
        listener.join()
    assert answer.startswith(b"HTTP/1.1 4")
    assert heard[heard.index("sent") : heard.index("answered")].count("a word") > 10


def _streaming() -> bytes:
    document = {
        "model": "pacer/scripted",
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    body = json.dumps(document).encode()
    head = b"POST %b HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" % OPENAI.encode()
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class _SlowDialect(OpenAiDialect):
    """Reads a request only when somebody else has got something done."""

    others_done = threading.Event()

    def parse(self, document: dict[str, object]) -> Asked:
        assert self.others_done.wait(HANGS_S), "reading a body has held up everybody else"
        return super().parse(document)


class _Silent:
    """A responder that nobody listens to; answers are not the fact under test."""

    async def start(self, status: int, headers: object) -> None:
        await trio.lowlevel.checkpoint()

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def finish(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_what_is_large_is_read_off_the_event_loop() -> None:
    """While it is read, other tasks run."""
    asked: list[Exchange] = []

    async def service(exchange: Exchange) -> None:
        asked.append(exchange)
        raise NodeStopping("the answer makes no difference")

    dialect = _SlowDialect(new_id=lambda: "1", wall_clock=lambda: 0.0)
    door = ModelDoor(dialect, ReadingLayer(service), lambda: "1")
    content = "x" * PARSED_ON_THE_LOOP_BYTES_MAX
    document = {"model": "auto", "messages": [{"role": "user", "content": content}]}
    request = DoorRequest(
        method="POST",
        path=OPENAI,
        headers={"content-type": "application/json"},
        body=json.dumps(document).encode(),
    )
    with trio.fail_after(HANGS_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.answer, request, _Silent())
            await trio.testing.wait_all_tasks_blocked()
            dialect.others_done.set()
    assert len(asked) == 1
