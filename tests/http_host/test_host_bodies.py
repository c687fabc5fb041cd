"""Request bodies: their limits in bytes and seconds, and how they may arrive."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from cortexd.http.guard import Receive, Send, send_answer
from cortexd.http.host_errors import Answer
from cortexd.http.quart_app import Route, build_app
from cortexd.runtime.http_listener import HttpListener, ListenerSettings

pytestmark = pytest.mark.real_time


async def test_b1_a_length_above_the_limit_is_refused_before_the_body(serve: Any) -> None:
    """Not a byte of the body has been sent when the 413 arrives."""
    host = await serve(body_bytes_max=1000)
    client = await host.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1001\r\n\r\n")

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert reply.error["code"] == "request_too_large"
    assert await client.ended() == b""


async def test_b2_a_chunked_body_is_cut_at_the_limit(serve: Any) -> None:
    """The client is cut off long before it has sent its 64 MB."""
    host = await serve(body_bytes_max=100_000)
    client = await host.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0

    with trio.fail_after(10):
        try:
            while sent < 64_000_000:
                await client.send(chunk)
                sent += 0x10000
        except trio.BrokenResourceError:
            pass

    assert sent < 32_000_000
    await host.wait_open(0)


async def test_b2_the_client_gets_to_read_the_413(serve: Any) -> None:
    """It is still sending, so a reset instead of an orderly end could cost it the answer."""
    host = await serve(body_bytes_max=100_000)
    client = await host.connect()
    head = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, head + b"dbba0\r\n" + b"x" * 900_000 + b"\r\n")
        reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert await client.ended_cleanly()


async def test_b3_a_half_close_inside_the_body_is_a_400(serve: Any) -> None:
    """The door never sees half a request."""
    host = await serve()
    client = await host.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
    await client.stream.send_eof()

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert await client.ended() == b""


@pytest.mark.slow
async def test_b4_a_body_that_trickles_is_a_408_in_json(serve: Any) -> None:
    """Bytes that keep coming do not extend the limit."""
    host = await serve(body_s=0.3)
    client = await host.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_trickle, client)
        reply = await client.reply()
        nursery.cancel_scope.cancel()
    assert (reply.status, reply.headers["connection"]) == (408, "close")
    assert reply.error["code"] == "request_timeout"
    assert await client.ended() == b""


async def _trickle(client: Any) -> None:
    for _ in range(1000):
        await client.send(b"x")
        await trio.sleep(0.02)


SHAPES = {
    "/v1/chat/completions": {"error"},
    "/v1/nothing": {"error"},
    "/api/chat": {"error"},
    "/api/nothing": {"error"},
    "/v1/messages": {"type", "error"},
    "/v1/messages/nothing": {"type", "error"},
}


@pytest.mark.parametrize("path", SHAPES)
async def test_the_host_refuses_in_the_dialect_of_the_path(
    nursery: trio.Nursery, listening: Any, make_host: Callable[..., Any], path: str
) -> None:
    """Too large a body, a wrong method, nothing there, two framings: one shape for a path."""
    door: Any = None
    app = build_app(
        [] if path.endswith("nothing") else [Route(method="POST", path=path, door=door)],
        max_body_bytes=10,
        body_seconds=5,
    )
    host = make_host(HttpListener(app, listening, ListenerSettings()), listening)
    await nursery.start(host.run)
    expected = (404, 404) if path.endswith("nothing") else (413, 405)

    client = await host.connect()
    await client.post(path, b"x" * 11)
    too_large = await client.reply()
    client = await host.connect()
    await client.get(path)
    wrong_method = await client.reply()
    client = await host.connect()
    await client.send(
        f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    two_framings = await client.reply()

    assert (too_large.status, wrong_method.status, two_framings.status) == (*expected, 400)
    for reply in (too_large, wrong_method, two_framings):
        document = json.loads(reply.body)
        assert set(document) == SHAPES[path]
        assert isinstance(document["error"], str) == path.startswith("/api/")
    if not path.endswith("nothing"):
        assert (too_large.headers["connection"], wrong_method.headers["allow"]) == ("close", "POST")


async def test_the_client_is_invited_to_send_its_body(serve: Any) -> None:
    """Expect: 100-continue is met, and the answer follows."""
    host = await serve()
    client = await host.connect()
    await client.send(
        b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await client.reply()).status == 100

    await client.send(b"body")
    reply = await client.reply()
    assert (reply.status, reply.body) == (200, b'["POST", "/echo", 4]')


async def test_h28_the_client_is_not_invited_to_send_what_will_be_refused(serve: Any) -> None:
    """The final status comes without a 100 before it."""
    host = await serve(body_bytes_max=10)
    client = await host.connect()
    await client.send(
        b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await client.reply()).status == 413


@pytest.mark.parametrize("size", [0, 1, 100_000])
async def test_a_body_arrives_whole(serve: Any, size: int) -> None:
    """With a length and in chunks, over one connection."""
    host = await serve()
    client = await host.connect()
    await client.post("/echo", b"x" * size)
    assert (await client.reply()).body == f'["POST", "/echo", {size}]'.encode()

    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, size, 30_000):
        piece = b"x" * min(30_000, size - start)
        await client.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await client.send(b"0\r\n\r\n")
    assert (await client.reply()).body == f'["POST", "/echo", {size}]'.encode()


async def test_an_application_that_reads_no_body_blocks_nobody(
    nursery: trio.Nursery, listening: Any, make_host: Callable[..., Any]
) -> None:
    """The connection is not left stuck behind body events that nobody takes."""

    async def deaf(_scope: Any, _receive: Receive, send: Send) -> None:
        await trio.sleep(0.1)
        await send_answer(send, Answer(200, (("content-length", "2"),), b"ok"))

    host = make_host(HttpListener(deaf, listening, ListenerSettings()), listening)
    await nursery.start(host.run)
    client = await host.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.send(b"1\r\nx\r\n" * 1000)

    assert (await client.reply()).body == b"ok"
    await client.stream.aclose()
    await host.wait_open(0)
