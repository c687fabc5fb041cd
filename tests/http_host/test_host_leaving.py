"""A client that leaves takes its door with it, within a second and in every phase."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from cortexd.http.doors.door import DoorRequest, Responder

pytestmark = pytest.mark.real_time


async def _fin(client: Any) -> None:
    await client.stream.aclose()


async def _rst(client: Any) -> None:
    client.reset()


async def _half_close(client: Any) -> None:
    await client.stream.send_eof()


WAYS = [_fin, _rst, _half_close]


@pytest.mark.parametrize("leave", WAYS)
async def test_before_the_response_has_started(
    serve: Any, silent: Any, leave: Callable[[Any], Awaitable[None]]
) -> None:
    """The model is still thinking."""
    host = await serve({"GET /stream": silent})
    client = await host.connect()
    await client.get("/stream")
    await silent.wait_entered()

    await leave(client)

    await silent.wait_cancelled()
    await host.wait_open(0)


@pytest.mark.parametrize("leave", WAYS)
async def test_between_two_pieces_of_a_stream(
    serve: Any, patient: Any, leave: Callable[[Any], Awaitable[None]]
) -> None:
    """The next token is not there yet, so no write could notice."""
    host = await serve({"GET /stream": patient})
    client = await host.connect()
    await client.get("/stream")
    await client.until(b"first")
    await patient.wait_entered()

    await leave(client)

    await patient.wait_cancelled()
    await host.wait_open(0)


@pytest.mark.parametrize("leave", WAYS)
async def test_while_a_write_waits_for_the_client(
    serve: Any, leave: Callable[[Any], Awaitable[None]]
) -> None:
    """It has read nothing for a while, and then it is gone, wholly or by half."""
    left = trio.Event()

    async def flood(request: DoorRequest, respond: Responder) -> None:
        assert request.method
        try:
            await respond.start(200, [])
            while True:
                await respond.send(b"x" * 65536)
        finally:
            left.set()

    host = await serve({"GET /flood": flood})
    client = await host.connect()
    await client.get("/flood")
    await client.until(b"\r\n\r\n")
    await trio.testing.wait_all_tasks_blocked(0.2)

    await leave(client)

    with trio.fail_after(1):
        await left.wait()
    await host.wait_open(0)


async def test_after_a_second_request_was_sent_ahead(serve: Any, silent: Any) -> None:
    """A pipelined request must not blind us to the client's leaving."""
    host = await serve({"GET /stream": silent})
    client = await host.connect()
    await client.get("/stream")
    await client.get("/echo")
    await silent.wait_entered()
    await trio.testing.wait_all_tasks_blocked(0.1)

    await client.stream.aclose()

    await silent.wait_cancelled()
    await host.wait_open(0)


async def test_while_the_body_is_still_on_its_way(serve: Any, silent: Any) -> None:
    """The door is never called, and nothing stays behind."""
    host = await serve({"POST /stream": silent})
    client = await host.connect()
    await client.send(b"POST /stream HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
    await host.wait_open(1)

    await client.stream.aclose()

    await host.wait_open(0)
    assert not silent.entered.is_set()


async def test_leaving_after_the_last_byte_is_no_disconnect(serve: Any) -> None:
    """The door has said everything; what it still has to book is not cut short."""
    booked = trio.Event()
    leaving = trio.Event()

    async def book(request: DoorRequest, respond: Responder) -> None:
        assert request.method
        await respond.start(200, [("content-length", "2")])
        await respond.send(b"ok")
        await respond.finish()
        await leaving.wait()
        await trio.sleep(0.2)
        booked.set()

    host = await serve({"GET /book": book})
    client = await host.connect()
    await client.get("/book")
    assert (await client.reply()).body == b"ok"
    await client.stream.aclose()
    leaving.set()

    with trio.fail_after(5):
        await booked.wait()
    await host.wait_open(0)


async def test_a_door_that_only_sends_still_learns_of_it(serve: Any) -> None:
    """Even one that never waits for anything but its own writes cannot spin on a dead socket."""
    left = trio.Event()

    async def spin(request: DoorRequest, respond: Responder) -> None:
        assert request.method
        try:
            await respond.start(200, [])
            while True:
                await respond.send(b"x")
        finally:
            left.set()

    host = await serve({"GET /spin": spin})
    client = await host.connect()
    await client.get("/spin")
    await client.until(b"x")
    client.reset()

    with trio.fail_after(1):
        await left.wait()
    await host.wait_open(0)
