"""No HTTP/2, no h2c, no WebSocket: what once ended the whole server ends at most one connection.

These are F7 and F8, and the seven triggers by which an unauthenticated client could kill a server
built on Hypercorn's own connection class.
"""

import struct
from typing import Any

import pytest
from hpack import Encoder

pytestmark = pytest.mark.real_time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, SETTINGS = 0, 1, 2, 4
END_STREAM, END_HEADERS = 1, 4


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _h2(*frames: bytes) -> bytes:
    return PREFACE + _frame(SETTINGS, 0, 0) + b"".join(frames)


def _headers(flags: int, **pseudo: bytes) -> bytes:
    fields = [(b":" + name.encode(), value) for name, value in pseudo.items()]
    return _frame(HEADERS, END_HEADERS | flags, 1, Encoder().encode(fields))


def _upgrade(*headers: str) -> bytes:
    return "\r\n".join(["GET /echo HTTP/1.1", "Host: test", *headers, "", ""]).encode()


_PLAIN = {"scheme": b"http", "authority": b"test"}
_WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

TRIGGERS = {
    "h2 DATA after an early response": _h2(
        _headers(0, method=b"POST", path=b"/nowhere", **_PLAIN),
        *(_frame(DATA, 0, 1, b"x" * 1000) for _ in range(20)),
    ),
    "h2 CONNECT without path": _h2(_headers(END_STREAM, method=b"CONNECT", authority=b"test")),
    "h2 path beyond ASCII": _h2(_headers(END_STREAM, method=b"GET", path=b"/\xff", **_PLAIN)),
    "h2 method beyond ASCII": _h2(_headers(END_STREAM, method=b"G\xcb", path=b"/", **_PLAIN)),
    "more than 1000 h2 PRIORITY frames": _h2(
        *(_frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 16)) for n in range(1100))
    ),
    "h2c upgrade with bad settings": _upgrade(
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: !!!"
    ),
    "data after a WebSocket upgrade": _upgrade(*_WEBSOCKET) + b"\xff" * 100,
}


@pytest.mark.parametrize("name", TRIGGERS)
async def test_the_server_survives(serve: Any, name: str) -> None:
    """The trigger gets an HTTP/1.1 answer, and the next client does not notice."""
    host = await serve()
    client = await host.connect()
    await client.send(TRIGGERS[name])

    reply = await client.reply()
    assert reply.status == (200 if "h2c" in name else 400)
    assert reply.complete

    client = await host.connect()
    await client.get("/echo")
    assert (await client.reply()).status == 200
    assert not host.stopped.is_set()


async def test_f7_an_http2_connection_does_not_stay_open(serve: Any) -> None:
    """The preface is answered like any nonsense: 400 and close."""
    host = await serve()
    client = await host.connect()
    await client.send(PREFACE)

    reply = await client.reply()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert await client.ended() == b""


async def test_f8_an_h2c_upgrade_is_served_as_plain_http(serve: Any) -> None:
    """Never a 101: the offer is ignored, as RFC 9110 allows, and the connection lives on."""
    host = await serve()
    client = await host.connect()
    for _ in range(2):
        await client.send(
            _upgrade(
                "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
            )
        )
        reply = await client.reply()
        assert (reply.status, reply.body) == (200, b'["GET", "/echo", 0]')


@pytest.mark.parametrize("version", ["13", "99"])
async def test_a_websocket_upgrade_is_refused_in_our_error_shape(serve: Any, version: str) -> None:
    """H21: JSON, and the connection is over."""
    host = await serve()
    client = await host.connect()
    await client.send(
        _upgrade("Connection: Upgrade", "Upgrade: WebSocket", f"Sec-WebSocket-Version: {version}")
    )

    reply = await client.reply()
    assert (reply.status, reply.headers["content-type"]) == (400, "application/json")
    assert "WebSocket" in reply.error["message"]
    assert await client.ended() == b""
