"""The load program: clients that ask one request after another and check every answer."""

from itertools import count
from typing import Final

import attrs
import httptools
import trio

from bench.gateway.script import Script, WrongAnswer, check_answer, encode_request

READ_BYTES: Final = 64 * 1024
ANSWER_S_MAX: Final = 60.0

_OK: Final = 200

_numbers: Final = count()

GOLDEN_SHARE: Final = 0.618
"""Multiples of it, without their whole part, lie evenly between 0 and 1, however many they are."""


@attrs.frozen(kw_only=True)
class Load:
    """So many connections, each of which asks for the script so many times.

    `ramp_s`: how long it takes until all of them have begun.
    """

    script: Script
    connections: int
    requests_each: int
    ramp_s: float = 0.0

    @property
    def requests(self) -> int:
        """How many requests that is."""
        return self.connections * self.requests_each

    @property
    def pieces(self) -> int:
        """How many pieces are streamed."""
        return self.requests * self.script.pieces


async def put_on(port: int, load: Load) -> None:
    """Put the load on the gateway at a port of this machine, and wait until all is answered.

    Errors: `WrongAnswer`, also for none within `ANSWER_S_MAX`; `OSError` where nobody listens.
    """
    try:
        async with trio.open_nursery() as nursery:
            for index in range(load.connections):
                nursery.start_soon(_client, port, load, index)
    except ExceptionGroup as failures:
        # All clients ask the same of the same gateway, so one of them says what all would say.
        raise failures.exceptions[0] from failures


def _begin_s(load: Load, index: int) -> float:
    # Also spread over the interval, or the pieces of all streams would come in one burst.
    phase = index * GOLDEN_SHARE % 1.0
    return index * load.ramp_s / load.connections + phase * load.script.interval_s


async def _client(port: int, load: Load, index: int) -> None:
    await trio.sleep(_begin_s(load, index))
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        for _ in range(load.requests_each):
            request = _http_request(encode_request(load.script, f"request {next(_numbers)}"))
            with trio.move_on_after(ANSWER_S_MAX) as patience:
                check_answer(load.script, await _ask(stream, request))
            if patience.cancelled_caught:
                raise WrongAnswer(f"no whole answer within {ANSWER_S_MAX:g} s")


class _Answer:
    """The answer that comes in; httptools fills it in."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True


async def _ask(stream: trio.SocketStream, request: bytes) -> bytes:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        await stream.send_all(request)
        while not answer.is_complete:
            received = await stream.receive_some(READ_BYTES)
            if not received:
                raise WrongAnswer(f"the connection ended in an answer: {answer.body[-200:]!r}")
            parser.feed_data(received)
    except (trio.BrokenResourceError, httptools.HttpParserError) as exc:
        raise WrongAnswer(f"no answer in HTTP: {exc}") from exc
    if parser.get_status_code() != _OK:
        raise WrongAnswer(f"status {parser.get_status_code()}: {answer.body[:200]!r}")
    return bytes(answer.body)


def _http_request(body: bytes) -> bytes:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        "host: 127.0.0.1\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
