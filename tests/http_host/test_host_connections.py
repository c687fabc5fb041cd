"""Several requests on one connection, several connections, and what a connection may cost."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.runtime.listening_sockets import open_sockets

pytestmark = pytest.mark.real_time


async def test_a_connection_serves_one_request_after_another(serve: Any) -> None:
    """Errors of the client that leave the framing intact do not end it."""
    host = await serve()
    client = await host.connect()
    for path, status in (("/echo", 200), ("/nowhere", 404), ("/echo", 200)):
        await client.get(path)
        assert (await client.reply()).status == status
    assert host.listener.statistics().open_connections == 1


async def test_requests_sent_ahead_are_answered_in_order(serve: Any) -> None:
    """The second waits for the first and is not lost."""
    second_asked = trio.Event()

    async def wait(request: DoorRequest, respond: Responder) -> None:
        await second_asked.wait()
        await respond.start(200, [("content-length", str(len(request.path)))])
        await respond.send(request.path.encode())
        await respond.finish()

    host = await serve({"GET /first": wait, "GET /second": wait})
    client = await host.connect()
    await client.get("/first")
    await client.get("/second")
    second_asked.set()

    assert [(await client.reply()).body for _ in range(2)] == [b"/first", b"/second"]
    await client.get("/echo")
    assert (await client.reply()).status == 200


@pytest.mark.slow
async def test_more_sent_ahead_than_we_buffer_is_held_back(serve: Any) -> None:
    """The kernel holds it until there is room; then it arrives all the same."""
    go_on = trio.Event()
    all_sent = trio.Event()
    size = 30_000_000

    async def wait(request: DoorRequest, respond: Responder) -> None:
        assert request.method
        await go_on.wait()
        await respond.start(200, [])
        await respond.finish()

    async def send_ahead() -> None:
        await client.post("/echo", b"x" * size)
        all_sent.set()

    host = await serve({"GET /first": wait}, body_bytes_max=size)
    client = await host.connect()
    await client.get("/first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_ahead)
        await trio.testing.wait_all_tasks_blocked(0.3)
        assert not all_sent.is_set()

        go_on.set()
        assert (await client.reply()).complete
        assert (await client.reply()).body == f'["POST", "/echo", {size}]'.encode()


async def test_the_client_may_ask_for_the_connection_to_end(serve: Any) -> None:
    """Connection: close is honoured."""
    host = await serve()
    client = await host.connect()
    await client.get("/echo", "Connection: close")
    assert (await client.reply()).complete
    assert await client.ended() == b""


@pytest.mark.slow
async def test_a_slow_head_is_cut_off_with_a_408(serve: Any) -> None:
    """Bytes that keep trickling in do not extend the limit for the head."""
    host = await serve(header_s=0.4)
    client = await host.connect()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_trickle, client)
        reply = await client.reply()
        nursery.cancel_scope.cancel()
    assert (reply.status, reply.headers["connection"]) == (408, "close")
    assert 0.3 < trio.current_time() - began < 5


async def _trickle(client: Any) -> None:
    await client.send(b"GET /echo HTTP/1.1\r\nX: ")
    for _ in range(1000):
        await client.send(b"x")
        await trio.sleep(0.02)


@pytest.mark.slow
async def test_a_slow_head_is_cut_off_on_a_kept_connection_too(serve: Any) -> None:
    """From its first byte on, the limit of the head applies and not that of keep-alive."""
    host = await serve(header_s=0.3, keep_alive_s=60)
    client = await host.connect()
    await client.get("/echo")
    assert (await client.reply()).status == 200

    await client.send(b"GET /echo HT")
    assert (await client.reply()).status == 408


async def test_a_connection_that_says_nothing_is_closed(serve: Any) -> None:
    """A fresh connection has as long as a head may take."""
    host = await serve(header_s=0.2, keep_alive_s=60)
    client = await host.connect()
    assert await client.ended() == b""


async def test_a_door_sees_lower_case_names_and_joined_lines(serve: Any) -> None:
    """And nothing that the client did not send, but for the id that it is told."""
    seen: list[Any] = []

    async def look(request: DoorRequest, respond: Responder) -> None:
        seen.append(dict(request.headers))
        await respond.start(200, [])
        await respond.finish()

    host = await serve({"GET /look": look})
    client = await host.connect()
    await client.get("/look", "X-One: a", "x-one: b", "X-Latin: \xe9")
    request_id = (await client.reply()).headers["x-request-id"]
    expected = {"host": "test", "x-one": "a, b", "x-latin": "\xe9", "x-request-id": request_id}
    assert seen == [expected]


async def test_head_is_answered_without_a_body(serve: Any) -> None:
    """The framing of what follows on the connection is not upset."""
    host = await serve()
    client = await host.connect()
    await client.send(b"HEAD /echo HTTP/1.1\r\nHost: test\r\n\r\n")
    assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    await client.get("/echo")
    assert (await client.reply()).body == b'["GET", "/echo", 0]'


async def test_a_unix_socket_serves_as_well(serve: Any, tmp_path: Path) -> None:
    """With access for the owner and its group alone."""
    path = tmp_path / "admin.sock"
    sockets = open_sockets([f"unix:{path}"], reuse_port=False)
    try:
        host = await serve(sockets=sockets)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

        client = await host.connect()
        await client.post("/echo", b"abc")
        assert json.loads((await client.reply()).body) == ["POST", "/echo", 3]
    finally:
        for sock in sockets:
            sock.close()
