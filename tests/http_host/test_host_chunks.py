"""Bodies in chunks that will never come to an end (B5, B6)."""

from typing import Any

import pytest
import trio

pytestmark = pytest.mark.real_time

HEAD = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "bare LF behind the size": (b"5\nhello\r\n", 400),
    "bare LF in a later size": (b"5\r\nhello\r\n5\nhello\r\n", 400),
    "bare LF in a trailer": (b"0\r\nx: y\nz", 400),
    "bare LF in an extension": (b"5;a=b\nc\r\nhello\r\n", 400),
    "a size of 20 digits": (b"F" * 20 + b"\r\nhello", 413),
    "a size beyond the limit": (b"7FFFFFFF\r\nhello", 413),
    "a negative size": (b"-1\r\nhello\r\n", 400),
    "a size with a prefix": (b"0x5\r\nhello\r\n", 400),
    "a size with a separator": (b"1_0\r\nhello\r\n", 400),
    "a wrong end of a chunk": (b"5\r\nhelloxx", 400),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_it_is_refused_and_the_connection_closed(serve: Any, name: str) -> None:
    """At once: the client is not asked to say more of it, and what comes behind is not run."""
    body, status = BROKEN[name]
    host = await serve()
    client = await host.connect()
    await client.send(HEAD + body)
    with trio.fail_after(20):
        reply = await client.reply()
        assert reply.status == status
        assert await client.ended() == b""


async def test_sound_chunks_in_any_cut_are_read(serve: Any) -> None:
    """Byte by byte, with extensions and trailers: what is still coming is no mistake."""
    host = await serve()
    client = await host.connect()
    for byte in HEAD + b'5;a="b"\r\nhello\r\n1\r\n!\r\n0\r\nx: y\r\n\r\n':
        await client.send(bytes([byte]))
    with trio.fail_after(20):
        reply = await client.reply()
    assert (reply.status, reply.body) == (200, b'["POST", "/echo", 6]')
