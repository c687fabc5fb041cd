"""The measured flaws of the stack that concern the host: each has a test of its number here.

F2 (the command-line worker of Hypercorn dies at once on SIGTERM) cannot occur by design: Hypercorn
neither runs the process nor sees a signal. F7 and F8 are in test_host_upgrades, F10 in
test_host_guard, F14 and the like are no concern of the host.
"""

import socket
from typing import Any

import pytest
import trio
import trio.testing

from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.quart_app import build_app
from cortexd.runtime.http_listener import connections_cap

pytestmark = pytest.mark.real_time


async def _flood(request: DoorRequest, respond: Responder) -> None:
    assert request.method
    await respond.start(200, [])
    while True:
        await respond.send(b"x" * 65536)


@pytest.mark.slow
async def test_f1_a_client_that_stops_reading_cannot_hold_up_the_stop(serve: Any) -> None:
    """The stop waits politely for its response, until the connections are aborted."""
    host = await serve({"GET /flood": _flood})
    client = await host.connect()
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.get("/flood")
    await client.until(b"\r\n\r\n")
    await trio.testing.wait_all_tasks_blocked(0.2)

    host.listener.request_stop()
    await trio.testing.wait_all_tasks_blocked(0.2)
    assert not host.stopped.is_set()

    host.listener.abort_connections()
    with trio.fail_after(1):
        await host.stopped.wait()


async def test_f1_the_kernel_is_told_to_give_up_as_well(serve: Any) -> None:
    """On the accepted socket: unacknowledged bytes are given up, a silent peer is asked."""
    host = await serve()
    await host.connect()
    await host.wait_open(1)
    [connection] = host.listener._connections
    option = connection._stream.socket.getsockopt

    assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.slow
async def test_f1_a_writer_that_makes_no_progress_is_given_up(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with nobody stopping anything, and on sockets that have no TCP_USER_TIMEOUT."""
    monkeypatch.setattr("cortexd.runtime.http_connection.WRITE_STALL_S_MAX", 0.3)
    host = await serve({"GET /flood": _flood})
    client = await host.connect()
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.get("/flood")
    await client.until(b"\r\n\r\n")

    await host.wait_open(0)


async def test_f1_a_cancelled_listener_leaves_nothing_behind(serve: Any) -> None:
    """The supervisor's last resort works on a client that does not read, too."""
    host = await serve({"GET /flood": _flood})
    client = await host.connect()
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.get("/flood")
    await client.until(b"\r\n\r\n")
    await trio.testing.wait_all_tasks_blocked(0.2)

    host.scope.cancel()
    with trio.fail_after(1):
        await host.stopped.wait()
    assert host.listener.statistics().open_connections == 0


async def test_f3_last_words_in_band_and_a_clean_end_after_the_stop_order(
    serve: Any, patient: Any
) -> None:
    """The stop cuts nothing: what the door still says arrives, with the end of the body."""
    host = await serve({"GET /stream": patient})
    client = await host.connect()
    await client.get("/stream")
    await patient.wait_entered()

    host.listener.request_stop()
    await trio.testing.wait_all_tasks_blocked(0.1)
    patient.go_on.set()

    reply = await client.reply()
    assert (reply.body, reply.complete) == (b"data: first\n\ndata: last\n\n", True)
    assert await client.ended() == b""
    await host.wait_stopped()


@pytest.mark.slow
async def test_f4_a_stream_has_no_response_timeout(serve: Any) -> None:
    """Quart's own limit is off, which its default of a minute is too long to wait for here."""
    app = build_app([], max_body_bytes=1024, body_seconds=0.1)
    assert app.config["RESPONSE_TIMEOUT"] is None

    async def slow(request: DoorRequest, respond: Responder) -> None:
        assert request.method
        await respond.start(200, [])
        for _ in range(6):
            await trio.sleep(0.1)
            await respond.send(b"x")
        await respond.finish()

    host = await serve({"GET /slow": slow}, body_s=0.2, header_s=0.2, keep_alive_s=0.2)
    client = await host.connect()
    await client.get("/slow")
    reply = await client.reply()
    assert (reply.body, reply.complete) == (b"xxxxxx", True)


@pytest.mark.slow
async def test_f5_silence_of_the_client_does_not_end_a_response(serve: Any, silent: Any) -> None:
    """The limits for the head and for keep-alive do not run while we are the ones to speak."""
    host = await serve({"GET /stream": silent}, header_s=0.2, keep_alive_s=0.2)
    client = await host.connect()
    await client.get("/stream")
    await silent.wait_entered()
    await trio.sleep(0.6)
    assert not silent.ended.is_set()

    silent.go_on.set()
    assert (await client.reply()).complete


@pytest.mark.slow
async def test_f6_idle_keep_alive_connection_is_closed_after_requests(serve: Any) -> None:
    """The idle limit is armed again after every response."""
    host = await serve(keep_alive_s=0.4)
    client = await host.connect()
    for _ in range(3):
        await client.get("/echo")
        assert (await client.reply()).status == 200
        await trio.sleep(0.1)
    began = trio.current_time()

    assert await client.ended() == b""
    assert 0.1 < trio.current_time() - began < 5
    await host.wait_open(0)


@pytest.mark.parametrize("length_first", [True, False])
async def test_f9_two_framings_are_refused_and_the_connection_ends(
    serve: Any, *, length_first: bool
) -> None:
    """What follows the body is not run as a second request."""
    calls: list[str] = []

    async def note(request: DoorRequest, respond: Responder) -> None:
        calls.append(request.path)
        await respond.start(200, [("content-length", "0")])
        await respond.finish()

    host = await serve({"POST /note": note, "GET /note": note})
    client = await host.connect()
    framings = ["Content-Length: 5", "Transfer-Encoding: chunked"]
    lines = ["POST /note HTTP/1.1", "Host: test", *framings[:: 1 if length_first else -1], "", ""]
    smuggled = b"GET /note HTTP/1.1\r\nHost: test\r\n\r\n"
    await client.send("\r\n".join(lines).encode() + b"0\r\n\r\n" + smuggled)

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert reply.error["type"] == "invalid_request_error"
    assert await client.ended() == b""
    assert calls == []


async def test_f16_a_half_close_counts_as_gone(serve: Any, silent: Any) -> None:
    """A client that will say nothing more gets no answer, and its door is cancelled."""
    host = await serve({"GET /stream": silent})
    client = await host.connect()
    await client.get("/stream")
    await silent.wait_entered()

    await client.stream.send_eof()

    await silent.wait_cancelled()
    assert await client.ended() == b""


def test_f17_the_cap_leaves_the_workers_half_of_the_files() -> None:
    """Whatever is set, file descriptors never run out through clients alone."""
    assert connections_cap(4096, files_max=1024) == 511
    assert connections_cap(100, files_max=1024) == 100
    assert connections_cap(100, files_max=-1) == 100


async def test_f17_connections_above_the_cap_get_a_503(serve: Any) -> None:
    """In our error shape, with a hint when to come back, and without a place being lost."""
    host = await serve(max_connections=2)
    inside = [await host.connect() for _ in range(2)]
    await host.wait_open(2)

    client = await host.connect()
    await client.get("/echo")
    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (503, "close")
    assert reply.headers["retry-after"] == "1"
    assert reply.error["type"] == "overloaded_error"
    assert await client.ended() == b""
    assert host.listener.statistics().turned_away == 1

    await inside.pop().stream.aclose()
    await host.wait_open(1)
    client = await host.connect()
    await client.get("/echo")
    assert (await client.reply()).status == 200
