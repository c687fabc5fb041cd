"""A model server that costs next to nothing: it plays the script that it finds in the request."""

from typing import Final

import httptools
import trio

from bench.gateway.script import (
    MODELS,
    Asked,
    decode_request,
    encode_document,
    encode_stream,
)

READ_BYTES: Final = 64 * 1024

_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


class _Request:
    """The request that a connection brings at the moment; httptools fills it in."""

    def __init__(self) -> None:
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.body = b""
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True


async def serve_connection(stream: trio.SocketStream) -> None:
    """Answer the requests of one connection until the peer closes it."""
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    request = _Request()
    parser = httptools.HttpRequestParser(request)
    try:
        while received := await stream.receive_some(READ_BYTES):
            parser.feed_data(received)
            if request.is_complete:
                request.is_complete = False
                await _answer(stream, parser.get_method(), request.body)
    except trio.BrokenResourceError:
        return  # the gateway does not need the connection any more


async def _answer(stream: trio.SocketStream, method: bytes, body: bytes) -> None:
    if method == b"GET":  # only the list of models is ever got
        await stream.send_all(_document(MODELS))
        return
    asked = decode_request(body)
    if asked.script.stream:
        await _play(stream, asked)
    else:
        await stream.send_all(_document(encode_document(asked.script.pieces)))


async def _play(stream: trio.SocketStream, asked: Asked) -> None:
    script = asked.script
    writes = encode_stream(script.pieces, include_usage=asked.include_usage)
    framed = [b"%x\r\n%b\r\n" % (len(write), write) for write in writes]
    framed[0] = _STREAM_HEAD + framed[0]
    framed[-1] += b"0\r\n\r\n"
    if script.interval_s == 0:
        await stream.send_all(b"".join(framed))
        return
    due = trio.current_time()
    for write in framed:
        await trio.sleep_until(due)
        await stream.send_all(write)
        due += script.interval_s


def _document(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body
