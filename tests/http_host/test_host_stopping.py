"""How a listener ends, and how the next incarnation takes over its sockets."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.quart_app import build_app
from cortexd.runtime.http_listener import HttpListener, ListenerSettings

pytestmark = pytest.mark.real_time


async def test_idle_connections_are_closed_at_once(serve: Any) -> None:
    """Both the one that has been used and the one that has not."""
    host = await serve()
    used, fresh = await host.connect(), await host.connect()
    await used.get("/echo")
    assert (await used.reply()).status == 200
    await host.wait_open(2)

    host.listener.request_stop()

    assert await used.ended() == b""
    assert await fresh.ended() == b""
    await host.wait_stopped()


@pytest.mark.slow
async def test_running_responses_finish_and_say_that_it_is_the_end(serve: Any, silent: Any) -> None:
    """One that starts after the order carries connection: close; the request sent ahead is lost."""
    host = await serve({"GET /stream": silent})
    client = await host.connect()
    await client.get("/stream")
    await client.get("/echo")
    await silent.wait_entered()

    host.listener.request_stop()
    host.listener.request_stop()
    await trio.testing.wait_all_tasks_blocked(0.1)
    assert not host.stopped.is_set()
    silent.go_on.set()

    reply = await client.reply()
    assert (reply.body, reply.complete) == (b"data: last\n\n", True)
    assert reply.headers["connection"] == "close"
    assert await client.ended() == b""
    await host.wait_stopped()


async def test_a_head_that_is_half_there_is_still_served(serve: Any) -> None:
    """The client could not know."""
    host = await serve()
    client = await host.connect()
    await client.send(b"GET /echo HTTP/1.1\r\n")
    await host.wait_open(1)
    await trio.testing.wait_all_tasks_blocked(0.1)

    host.listener.request_stop()
    await client.send(b"Host: test\r\n\r\n")

    assert (await client.reply()).status == 200
    assert await client.ended() == b""
    await host.wait_stopped()


async def test_who_has_connected_just_before_is_served(serve: Any) -> None:
    """The kernel has said yes in our name, though nobody here has seen the connection yet."""
    host = await serve()
    client = host.connect_unseen()
    host.listener.request_stop()
    await client.get("/echo")

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    await host.wait_stopped()


async def test_who_asks_in_the_moment_of_the_stop_is_answered(serve: Any) -> None:
    """On a connection that was idle: its client could not know."""
    host = await serve()
    client = await host.connect()
    await client.get("/echo")
    assert (await client.reply()).status == 200

    host.listener.request_stop()
    await trio.testing.wait_all_tasks_blocked(0.01)
    await client.get("/echo")

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert await client.ended() == b""
    await host.wait_stopped()


async def test_who_was_not_told_of_the_stop_is_told_with_the_next_answer(
    serve: Any, patient: Any
) -> None:
    """The head of a stream had gone out before the stop, so its client asks again."""
    host = await serve({"GET /stream": patient})
    client = await host.connect()
    await client.get("/stream")
    await patient.wait_entered()

    host.listener.request_stop()
    patient.go_on.set()
    stream = await client.reply()
    await client.get("/echo")

    assert (stream.complete, stream.headers.get("connection")) == (True, None)
    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    await host.wait_stopped()


async def test_nothing_more_is_accepted(serve: Any, listening: Any) -> None:
    """New connections wait in the kernel for whoever owns the socket next."""
    host = await serve()
    host.listener.request_stop()
    await host.wait_stopped()
    client = await host.connect()
    await client.get("/echo")
    with trio.move_on_after(0.2) as waiting:
        await client.until(b"HTTP/1.1")
    assert waiting.cancelled_caught

    await serve(sockets=listening)
    assert (await client.reply()).status == 200


async def test_a_stop_before_the_start_is_obeyed(
    listening: Any, make_host: Callable[..., Any]
) -> None:
    """`request_stop` may come at any time."""
    app = build_app([], max_body_bytes=1024, body_seconds=1)
    host = make_host(HttpListener(app, listening, ListenerSettings()), listening)
    host.listener.request_stop()
    with trio.fail_after(5):
        await host.run()


async def test_abort_resets_what_is_left(serve: Any, patient: Any, silent: Any) -> None:
    """Clients in mid-stream, waiting and idle: all are gone, and so are the doors' tasks."""
    host = await serve({"GET /stream": patient, "GET /silent": silent})
    streaming, waiting, _idle = [await host.connect() for _ in range(3)]
    await streaming.get("/stream")
    await waiting.get("/silent")
    await patient.wait_entered()
    await silent.wait_entered()
    await host.wait_open(3)

    host.listener.abort_connections()
    host.listener.request_stop()

    await patient.wait_cancelled()
    await silent.wait_cancelled()
    await host.wait_stopped()
    assert host.listener.statistics().open_connections == 0
    assert not (await streaming.reply()).complete


@pytest.mark.slow
async def test_one_connection_that_fails_is_contained(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug below the doors costs its own connection and no other."""

    async def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    host = await serve()
    bystander = await host.connect()
    await bystander.get("/echo")
    await bystander.reply()
    victim = await host.connect()
    with monkeypatch.context() as patch:
        patch.setattr("cortexd.runtime.http_protocol.Http11._create_stream", fail)
        await victim.get("/echo")
        assert await victim.ended() == b""

    await bystander.get("/echo")
    assert (await bystander.reply()).status == 200
    assert not host.stopped.is_set()


async def test_a_listener_that_is_cancelled_cancels_its_doors(serve: Any, patient: Any) -> None:
    """The supervisor's last resort reaches everything."""
    host = await serve({"GET /stream": patient})
    client = await host.connect()
    await client.get("/stream")
    await patient.wait_entered()

    host.scope.cancel()

    await patient.wait_cancelled()
    await host.wait_stopped()
    assert not (await client.reply()).complete


@pytest.mark.slow
async def test_answers_do_not_leak_into_each_other_under_load(serve: Any) -> None:
    """Fifty clients come, ask and go in all ways at once; nothing stays open."""

    async def slow(request: DoorRequest, respond: Responder) -> None:
        await trio.sleep(0.01)
        await respond.start(200, [])
        await respond.send(request.body)
        await respond.finish()

    async def visit(number: int) -> None:
        client = await host.connect()
        for turn in range(3):
            body = f"{number}/{turn}".encode() * 100
            await client.post("/slow", body)
            if number % 5 == 0 and turn == 1:
                client.reset()
                return
            assert (await client.reply()).body == body
        await client.stream.aclose()

    host = await serve({"POST /slow": slow})
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(visit, number)
    await host.wait_open(0)
