"""F10 and its like: what h11 lets pass and a gateway must not."""

from typing import Any

import pytest

from cortexd.http.guard import (
    HEADER_BYTES_MAX,
    HEADER_LINES_MAX,
    TARGET_BYTES_MAX,
    find_objection,
)
from cortexd.http.head_lines import is_ambiguous

HOST = (b"host", b"example.org:4000")


def _scope(
    *headers: tuple[bytes, bytes],
    target: bytes = b"/echo",
    version: str = "1.1",
    method: str = "POST",
) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": version,
        "method": method,
        "path": target.decode().replace("%00", "\0").replace("%0a", "\n"),
        "raw_path": target,
        "query_string": b"",
        "headers": list(headers or [HOST]),
    }


REFUSED = {
    "both framings": (_scope(HOST, (b"content-length", b"1"), (b"transfer-encoding", b"x")), 400),
    "chunks in HTTP/1.0": (_scope(HOST, (b"transfer-encoding", b"chunked"), version="1.0"), 400),
    "absolute-form target": (_scope(target=b"http://evil/echo"), 400),
    "asterisk target": (_scope(target=b"*", method="OPTIONS"), 400),
    "two leading slashes": (_scope(target=b"//evil"), 404),
    "NUL in the path": (_scope(target=b"/echo%00"), 400),
    "line feed in the path": (_scope(target=b"/echo%0a"), 400),
    "long target": (_scope(target=b"/" + b"x" * TARGET_BYTES_MAX), 414),
    "HTTP/1.2": (_scope(version="1.2"), 505),
    "HTTP/2.0": (_scope(version="2.0"), 505),
    "lower-case method": (_scope(method="post"), 405),
    "TRACE": (_scope(method="TRACE"), 405),
    "user info in Host": (_scope((b"host", b"a@b:99")), 400),
    "path in Host": (_scope((b"host", b"a/x?y")), 400),
    "empty Host": (_scope((b"host", b"")), 400),
    "unknown expectation": (_scope(HOST, (b"expect", b"200-maybe")), 417),
    "WebSocket": (_scope(HOST, (b"upgrade", b"WebSocket")), 400),
    "too many lines": (_scope(HOST, *[(b"x", b"y")] * HEADER_LINES_MAX), 431),
    "too many bytes": (_scope(HOST, (b"x", b"y" * HEADER_BYTES_MAX)), 431),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_this_status(name: str) -> None:
    """In JSON, and the connection ends."""
    scope, status = REFUSED[name]
    objection = find_objection(scope)
    assert objection is not None
    refusal = objection.answer("/v1/models")
    assert refusal.status == status
    assert ("connection", "close") in refusal.headers
    assert ("content-type", "application/json") in refusal.headers


@pytest.mark.parametrize(
    "scope",
    [
        _scope(),
        _scope((b"host", b"[::1]:4000"), (b"content-length", b"3")),
        _scope(HOST, (b"transfer-encoding", b"chunked"), (b"expect", b"100-Continue")),
        _scope(HOST, (b"upgrade", b"h2c"), (b"content-encoding", b"gzip")),
        _scope((b"x", b"y"), version="1.0"),
        _scope(HOST, *[(b"x", b"y")] * (HEADER_LINES_MAX - 1)),
    ],
)
def test_nothing_else_is_objected_to(scope: dict[str, Any]) -> None:
    """The guard must not be the reason why an honest client fails."""
    assert find_objection(scope) is None


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nwith\n feeds", False),
        (b"GET / HTTP/1.1\r", False),
        (b"GET / HTTP/1.1\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", True),
    ],
)
def test_ambiguous_lines_are_seen(received: bytes, *, verdict: bool) -> None:
    """H9 and H10, wherever in the head they are, and nowhere after it."""
    assert is_ambiguous(received) is verdict


@pytest.mark.real_time
@pytest.mark.parametrize(
    "raw",
    [
        b"GET /echo HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET /echo HTTP/1.1\nHost: a\n\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +13\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n",
        b"GET http://evil/echo HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"get /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 60_000 + b"\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 6000 + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
async def test_on_the_wire_it_is_a_4xx_and_the_end(serve: Any, raw: bytes) -> None:
    """Whoever refuses it, the parser or the guard; the next client is served."""
    host = await serve()
    client = await host.connect()
    await client.send(raw)
    reply = await client.reply()
    assert reply.status in {400, 405, 431, 501}
    assert reply.headers["connection"] == "close"
    assert await client.ended() == b""

    client = await host.connect()
    await client.get("/echo")
    assert (await client.reply()).status == 200


@pytest.mark.real_time
@pytest.mark.slow
async def test_a_head_split_at_every_byte_is_judged_alike(serve: Any) -> None:
    """Neither an honest nor a folded head depends on how it is cut into packets."""
    host = await serve()
    for raw, status in (
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n", 200),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
    ):
        for cut in range(1, len(raw)):
            client = await host.connect()
            await client.send(raw[:cut])
            await host.wait_open(1)
            await client.send(raw[cut:])
            assert (await client.reply()).status == status
            await client.stream.aclose()
            await host.wait_open(0)
