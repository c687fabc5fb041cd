"""Errors that the host answers itself: always JSON, never an inside view."""

import re
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from cortexd.http.doors.door import DoorRequest, Responder

pytestmark = pytest.mark.real_time

SECRET = "postgres://root:hunter2@db"


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/echo/", "/ECHO", "/../etc/passwd", "/%2e%2e/echo", "/e;x"]
)
async def test_an_unknown_path_is_a_404_in_json(serve: Any, path: str) -> None:
    """Nothing is redirected and nothing is guessed."""
    host = await serve()
    client = await host.connect()
    await client.get(path)

    reply = await client.reply()
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")
    assert reply.error["type"] == "invalid_request_error"
    assert "connection" not in reply.headers


async def test_a_wrong_method_is_a_405_that_names_the_right_ones(serve: Any) -> None:
    """Also for OPTIONS, which no door answers."""
    host = await serve()
    client = await host.connect()
    for method in ("DELETE", "OPTIONS"):
        await client.send(f"{method} /echo HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        reply = await client.reply()
        assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")
        allowed = set(reply.headers["allow"].split(", "))
        assert allowed >= {"GET", "POST"} and method not in allowed  # noqa: PT018  one fact


async def _fail_before(request: DoorRequest, respond: Responder) -> None:
    raise RuntimeError(SECRET)


async def _fail_as_a_group(request: DoorRequest, respond: Responder) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_fail_before, request, respond)


async def _header_with_line_break(request: DoorRequest, respond: Responder) -> None:
    await respond.start(200, [("x-evil", "a\r\nset-cookie: b")])


async def _header_beyond_latin(request: DoorRequest, respond: Responder) -> None:
    await respond.start(200, [("x-name", "\u4f60")])


async def _say_nothing(request: DoorRequest, respond: Responder) -> None:
    pass


@pytest.mark.parametrize(
    "door",
    [_fail_before, _fail_as_a_group, _header_with_line_break, _header_beyond_latin, _say_nothing],
)
async def test_a_door_that_fails_before_it_starts_is_a_500(serve: Any, door: Any) -> None:
    """The client learns nothing of the reason, the log all; the connection lives on."""
    host = await serve({"GET /fail": door})
    client = await host.connect()
    with capture_logs() as logs:
        await client.get("/fail")
        reply = await client.reply()

    assert (reply.status, reply.headers["content-type"]) == (500, "application/json")
    assert reply.error["type"] == "server_error"
    assert (reply.error["code"], reply.error["param"]) == ("internal_error", None)
    assert SECRET.encode() not in reply.body
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert logs[0]["request_id"] == reply.headers["x-request-id"]
    assert logs[0].get("exc_info", door is not _say_nothing) == (door is not _say_nothing)

    await client.get("/echo")
    assert (await client.reply()).status == 200


async def _fail_after(request: DoorRequest, respond: Responder) -> None:
    await respond.start(200, [])
    await respond.send(b"half")
    raise RuntimeError(SECRET)


async def _forget_to_finish(request: DoorRequest, respond: Responder) -> None:
    await respond.start(200, [])
    await respond.send(b"half")


async def _start_twice(request: DoorRequest, respond: Responder) -> None:
    await respond.start(200, [])
    await respond.send(b"half")
    await respond.start(200, [])


@pytest.mark.parametrize("door", [_fail_after, _forget_to_finish, _start_twice])
async def test_a_door_that_fails_after_it_started_is_cut(serve: Any, door: Any) -> None:
    """The body has no end, so nobody takes the half for the whole."""
    host = await serve({"GET /fail": door})
    client = await host.connect()
    await client.get("/fail")

    reply = await client.reply()
    assert (reply.status, reply.body, reply.complete) == (200, b"half", False)
    assert await client.ended() == b""


async def test_a_cut_is_seen_in_http_1_0_too(serve: Any) -> None:
    """There the end of the connection is the end of the body, so only a reset tells."""
    host = await serve({"GET /fail": _forget_to_finish})
    client = await host.connect()
    await client.send(b"GET /fail HTTP/1.0\r\nHost: test\r\n\r\n")

    with trio.fail_after(5):
        await client.until(b"half")
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.receive_some()


async def test_a_failure_outside_the_doors_is_a_500_as_well(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logged where all else is logged."""

    def fail(_headers: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("cortexd.http.quart_app.joined", fail)
    host = await serve({"GET /named/<name>": _say_nothing})
    client = await host.connect()
    with capture_logs() as logs:
        await client.get("/named/x")
        reply = await client.reply()

    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert SECRET.encode() not in reply.body
    assert [entry["event"] for entry in logs] == ["request failed outside the doors"]


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/e%00", "/fail"])
async def test_every_answer_names_its_request(serve: Any, path: str) -> None:
    """By the client's own id if it is fit for a log, else by a new one."""
    host = await serve({"GET /fail": _fail_before})
    client = await host.connect()
    await client.get(path, "X-Request-Id: mine-1.2_3")
    assert (await client.reply()).headers["x-request-id"] == "mine-1.2_3"

    client = await host.connect()
    await client.get(path, "X-Request-Id: <script>")
    given = (await client.reply()).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", given)
