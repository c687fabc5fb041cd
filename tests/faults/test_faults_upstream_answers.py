"""Answers that are none: U9 to U12, U17, U18 and U35 of the catalogue."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from tests.fakes.scene import Refusal, Scene, Trouble
from tests.fakes.server import Reply
from tests.faults.upstream import ServerLoop, until
from tests.faults.upstream_faults import bare, endless, instead, truncated
from tests.faults.upstream_node import Node, Stock
from tests.faults.upstream_wire import Fault, Wire, play
from tests.matrix.conftest import BASES
from tests.matrix.doors import ClientDoor

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {
    **{name: Stock(12, name) for name in BASES},
    "openai": Stock(48),
}

STREAM = "text/event-stream"
STREAM_HEADERS = {"content-type": STREAM}
LINE_BYTES_MAX = 1024 * 1024
KERNEL_BYTES_MAX = 32 * 1024 * 1024
"""More than what the kernel keeps of a connection on its way."""
BOMB_BYTES = 32 * 1024 * 1024
GROWTH_BYTES_MAX = 8 * 1024 * 1024

GARBAGE: Mapping[str, Reply] = {
    "bytes": Reply(200, STREAM_HEADERS, (bytes(range(256)) * 8,)),
    "json": Reply(200, STREAM_HEADERS, (b'{"no": "stream"}',)),
    "not json": Reply(200, STREAM_HEADERS, (b"data: {broken\n\n",)),
    "other json": Reply(200, STREAM_HEADERS, (b'data: ["something", 1]\n\n',)),
    "empty": Reply(200, STREAM_HEADERS, ()),
    "done alone": Reply(200, STREAM_HEADERS, (b"data: [DONE]\n\n",)),
    "page": Reply(200, {"content-type": "text/html"}, (b"<html>Log in</html>",)),
    "no type": Reply(200, {}, (b"hello",)),
    "no content": Reply(204, {}, ()),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_u9_garbage(node: Node, garbage: str) -> None:
    """The next one answers; it is the worker's failure."""
    target = node.take()
    target.upstream.fault = instead(GARBAGE[garbage])
    heard = node.ask(target.backed)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: server error; ")
    assert node.opened(target) == 0
    node.ask(target.backed)
    assert node.opened(target) == 1


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_u9_garbage_and_nobody_else(node: Node, door: ClientDoor, *, stream: bool) -> None:
    """502, and not a word of it reaches the client."""
    target = node.take()
    target.upstream.fault = instead(GARBAGE["bytes"])
    heard = node.ask(target.alone, door, stream=stream)
    assert (heard.status, heard.error_code or "bad_upstream_response") == (
        502,
        "bad_upstream_response",
    )


def test_u9_no_http_at_all(node: Node) -> None:
    """Neither is an answer of another protocol one."""
    target = node.take()

    async def another_protocol(wire: Wire, reply: Reply) -> None:
        await wire.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        wire.hang_up()

    target.upstream.fault = another_protocol
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")


def test_u10_truncated_json(node: Node, door: ClientDoor) -> None:
    """A document cut in the midst is no document: with nobody else, 502."""
    target = node.take()
    heard = _embed(node, target.alone)
    assert heard.status_code == 200

    target.upstream.fault = truncated
    heard = _embed(node, target.alone)
    assert (heard.status_code, heard.json()["error"]["code"]) == (502, "bad_upstream_response")
    assert node.ask(target.alone, door, stream=False).status == 502
    assert node.opened(target) == 1


def _embed(node: Node, model: str) -> httpx.Response:
    document = {"model": model, "input": "hi"}
    return httpx.post(node.daemon.url + "/v1/embeddings", json=document, timeout=20)


TROUBLES = {
    Trouble.RATE_LIMIT: (429, "rate limited"),
    Trouble.SERVER_ERROR: (502, "server error"),
    Trouble.OVERLOADED: (503, "overloaded"),
}
NAMED = {"openai", "gemini", "anthropic"}
"""Those whose errors say what they are, also without a status; the others have words for people."""
GROQS_ONLY_CODE = ("groq", "document", Trouble.RATE_LIMIT)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name.lower())
@pytest.mark.parametrize("shape", ["document", "first frame"])
@pytest.mark.parametrize("type_", BASES)
def test_u11_an_error_inside_a_200(node: Node, type_: str, shape: str, trouble: Trouble) -> None:
    """It is what it says it is: the next one answers, and alone the client gets its status."""
    target = node.take(type_)
    if shape == "document":
        target.upstream.fake.play(Scene(refusal=Refusal(trouble, is_200=True)))
    else:
        target.upstream.fake.play(
            Scene.text("never").error_in_stream(after_pieces=0, trouble=trouble)
        )
    is_named = type_ in NAMED or (type_, shape, trouble) == GROQS_ONLY_CODE
    status, words = TROUBLES[trouble if is_named else Trouble.SERVER_ERROR]
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: {words}; ")
    assert node.ask(target.alone).status == status


def test_u12_line_without_end(node: Node) -> None:
    """It is cut off long before a gigabyte, and is not kept."""
    target = node.take()
    node.ask(target.alone)
    target.upstream.break_off(endless(b"x" * 65536, pause_s=0), after_words=0)
    before = _memory(node, "VmRSS")
    Path(f"/proc/{node.daemon.process.pid}/clear_refs").write_text("5", encoding="ascii")
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: server error; ")
    until(lambda: target.upstream.open == 1)
    assert LINE_BYTES_MAX < target.upstream.sent_bytes < KERNEL_BYTES_MAX
    assert _memory(node, "VmHWM") - before < GROWTH_BYTES_MAX
    assert node.ask(target.alone).status == 502


def _memory(node: Node, field: str) -> int:
    status = Path(f"/proc/{node.daemon.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_u17_redirect(node: Node, loop: ServerLoop, status: int) -> None:
    """Nobody goes where it points, be that this machine or the cloud's own metadata."""
    target = node.take()
    trap = loop.upstream(BASES["openai"][0]())
    for place in (f"http://127.0.0.1:{trap.port}/v1/", "http://169.254.169.254/latest/"):
        target.upstream.fault = bare(status, location=place)
        heard = node.ask(target.backed)
        assert (heard.status, heard.text) == (200, "all is well")
        account = node.account(heard)
        assert "failed: server error" in account["failures"][0]
    assert node.ask(target.alone).status in {502, 503}
    assert (trap.accepted, trap.fake.requests) == (0, [])


ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: b"\x8b\x02\x80" + body + b"\x03",
    "zstd": lambda body: b"\x28\xb5\x2f\xfd" + body,
    "made-up": bytes,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_u18_encodings(node: Node, encoding: str) -> None:
    """None is asked for, so none is decoded: a bomb stays as small as it came."""
    target = node.take()

    async def encoded(wire: Wire, reply: Reply) -> None:
        body = ENCODINGS[encoding](b"data: " + b"0" * BOMB_BYTES)
        headers = reply.headers | {"content-encoding": encoding}
        await play(wire, Reply(200, headers, (body[: 1024 * 1024],)))

    target.upstream.fault = encoded
    before = _memory(node, "VmRSS")
    Path(f"/proc/{node.daemon.process.pid}/clear_refs").write_text("5", encoding="ascii")
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    assert _memory(node, "VmHWM") - before < GROWTH_BYTES_MAX
    [failure] = node.account(heard)["failures"]
    assert "failed: server error" in failure
    assert encoding in failure
    asked = target.upstream.asked[0].request
    assert asked.header("accept-encoding") in {"", "identity"}


HOSTILE = "<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\u202e\x00<img src=x onerror=1>"
CONTENT = HOSTILE.replace("alert", "steal")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("type_", BASES)
def test_u35_markup_and_control_characters_in_content(
    node: Node, door: ClientDoor, type_: str, *, stream: bool
) -> None:
    """They are the answer, and come as they are; operators never see them."""
    target = node.take(type_)
    target.upstream.fake.play(Scene.text(CONTENT, pieces=[CONTENT[:30], CONTENT[30:]]))
    heard = node.ask(target.alone, door, stream=stream)
    assert (heard.status, heard.text, heard.is_ended) == (200, CONTENT, True)
    assert b"\x1b" not in heard.body
    node.account(heard)
    assert "steal" not in node.daemon.log
    assert "steal" not in json.dumps(node.daemon.admin("/admin/dashboard"))


def test_u35_markup_and_control_characters_in_an_error(node: Node, door: ClientDoor) -> None:
    """The client is told, without what a terminal would obey; so is the log."""
    target = node.take()
    error = {"error": {"message": HOSTILE, "type": "invalid_request_error", "code": None}}
    target.upstream.fault = _refusing(400, error)
    heard = node.ask(target.alone, door)
    assert heard.status == 400
    assert heard.error
    assert not {"\x1b", "\x00", "\x07", "\u202e"} & set(heard.error)
    node.account(heard)
    assert not {"\x1b", "\x00", "\x07"} & set(node.daemon.log)


def _refusing(status: int, document: object) -> Fault:
    return bare(status, json.dumps(document).encode(), content_type="application/json")
