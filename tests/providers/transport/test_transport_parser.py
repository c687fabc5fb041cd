"""One response out of bytes: whole, cut anywhere, cut off, and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.providers.transport.response_parser import (
    HEADER_LINES_MAX,
    INFORMATIONAL_MAX,
    OVERHEAD_BYTES_MAX,
    MalformedResponse,
    ResponseParser,
    TruncatedResponse,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"

# Each is a whole response, and ends without the end of input.
WHOLE = {
    "length": (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    "empty": (OK + b"content-length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "extension": (CHUNKED + b"5;a=b;c\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n", b"hello"),
    "continue": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        + OK
        + b"content-length: 5\r\n\r\nhello",
        b"hello",
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", WHOLE)
@given(st.data())
def test_any_split_gives_the_same_body(name: str, data: st.DataObject) -> None:
    """Where the network cuts a response says nothing about it."""
    raw, body = WHOLE[name]
    cuts = data.draw(st.sets(st.integers(1, len(raw) - 1)))
    parser = ResponseParser()
    received = b""
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(raw)], strict=True):
        assert not parser.is_whole
        received += parser.feed(raw[start:end])

    assert (parser.is_whole, parser.has_excess, received) == (True, False, body)
    assert parser.head is not None
    assert parser.head.keeps_alive


@pytest.mark.parametrize("name", WHOLE)
def test_every_truncation_is_noticed(name: str) -> None:
    """A response that ends early is never taken for a whole one."""
    raw, _ = WHOLE[name]
    for end in range(len(raw)):
        parser = ResponseParser()
        parser.feed(raw[:end])
        assert not parser.is_whole
        with pytest.raises(TruncatedResponse):
            parser.end_input()


def test_body_until_the_end_of_input() -> None:
    """Without a length, the end of input is the end; such a connection is used up."""
    parser = ResponseParser()

    assert parser.feed(OK + b"\r\nhel") + parser.feed(b"lo") == b"hello"
    assert not parser.is_whole
    parser.end_input()
    assert parser.is_whole
    assert parser.head is not None
    assert not parser.head.keeps_alive


def test_headers() -> None:
    """Names in lower case, values without the space around them, repeated ones joined."""
    parser = ResponseParser()
    parser.feed(OK + b"X-A:  b \r\nx-a: c\r\nX-Byte: \xe9\r\nEmpty:\r\ncontent-length: 0\r\n\r\n")

    assert parser.head is not None
    assert parser.head.headers == {
        "x-a": "b, c",
        "x-byte": "é",
        "empty": "",
        "content-length": "0",
    }


def test_headers_of_informational_responses_and_trailers_are_not_taken() -> None:
    """Only the head of the response itself counts."""
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 103 X\r\nretry-after: 1\r\n\r\n" + CHUNKED)
    parser.feed(b"0\r\nretry-after: 9\r\n\r\n")

    assert parser.is_whole
    assert parser.head is not None
    assert parser.head.headers == {"transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("raw", "keeps_alive"),
    [
        (OK + b"content-length: 0\r\n\r\n", True),
        (OK + b"connection: close\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", False),
    ],
    ids=["1.1", "close", "1.0", "1.0-keep-alive"],
)
def test_who_keeps_the_connection(raw: bytes, keeps_alive: bool) -> None:  # noqa: FBT001
    """Only a server of 1.1 that does not say otherwise."""
    parser = ResponseParser()
    parser.feed(raw)

    assert parser.head is not None
    assert parser.head.keeps_alive is keeps_alive


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\n\r\nmore", b"\0"])
def test_what_comes_behind_the_end(more: bytes) -> None:
    """It belongs to no answer: the body stays as it is, and the connection is known to be bad."""
    raw, body = WHOLE["length"]
    parser = ResponseParser()
    received = parser.feed(raw + more)

    assert (received, parser.is_whole, parser.has_excess) == (body, True, True)


@pytest.mark.parametrize(
    "raw",
    [
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nxxx",
        OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
        OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
        OK + b"content-length: 5, 5\r\n\r\n",
        OK + b"content-length: -1\r\n\r\n",
        OK + b"content-length: 99999999999999999999999\r\n\r\n",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
        OK + b"transfer-encoding: chunked, gzip\r\n\r\n",
        OK + b"transfer-encoding: identity\r\n\r\n",
        OK + b"a: b\r\n c: folded\r\n\r\n",
        OK + b"a b: c\r\n\r\n",
        OK + b"a: b\0c\r\n\r\n",
        OK + b"a: b\rc\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        CHUNKED + b"3\r\nhello\r\n",
        CHUNKED + b"5\nhello\n0\n\n",
    ],
)
def test_what_is_no_http(raw: bytes) -> None:
    """It is refused at once, be it in one piece or byte by byte."""
    with pytest.raises(MalformedResponse):
        ResponseParser().feed(raw)

    parser = ResponseParser()
    with pytest.raises(MalformedResponse):
        for byte in raw:
            parser.feed(bytes([byte]))


def test_limit_of_header_lines() -> None:
    """A hundred are read, one more is refused, wherever they stand."""
    line = b"a: b\r\n"
    full = OK + line * (HEADER_LINES_MAX - 1) + b"content-length: 0\r\n\r\n"
    parser = ResponseParser()
    parser.feed(full)
    assert parser.is_whole

    for raw in (
        OK + line * (HEADER_LINES_MAX + 1),
        b"HTTP/1.1 103 X\r\n" + line * 60 + b"\r\n" + OK + line * 60,
        CHUNKED + b"0\r\n" + line * (HEADER_LINES_MAX + 1),
    ):
        with pytest.raises(MalformedResponse, match="header lines"):
            # What llhttp has not seen the end of it has not told us of.
            ResponseParser().feed(raw + b"c: d\r\n")


def test_limit_of_informational_responses() -> None:
    """Eight are read over; a ninth is a flood."""
    informational = b"HTTP/1.1 102 Processing\r\n\r\n"
    parser = ResponseParser()
    parser.feed(informational * INFORMATIONAL_MAX)
    parser.feed(WHOLE["length"][0])
    assert parser.is_whole

    with pytest.raises(MalformedResponse, match="informational"):
        ResponseParser().feed(informational * (INFORMATIONAL_MAX + 1))


@pytest.mark.parametrize(
    ("start", "filler"),
    [
        (b"", b"HTTP/1.1 200 " + b"x" * 1000),
        (OK, b"x" * 1000),
        (OK + b"a: ", b"x" * 1000),
        (OK, b"a: " + b"x" * 995 + b"\r\n"),
        (CHUNKED + b"5;", b"x" * 1000),
        (CHUNKED, b"1;" + b"x" * 995 + b"\r\nb\r\n"),
        (CHUNKED, b"0" * 1000),
        (CHUNKED + b"0\r\n", b"a: " + b"x" * 995 + b"\r\n"),
    ],
    ids=["reason", "name", "value", "lines", "extension", "extensions", "digits", "trailers"],
)
def test_what_brings_no_body_is_bounded(start: bytes, filler: bytes) -> None:
    """Everywhere in a response that has no length of its own, the flood is cut at the limit."""
    parser = ResponseParser()
    fed = len(start)
    parser.feed(start)
    with pytest.raises(MalformedResponse):
        while fed < 2 * OVERHEAD_BYTES_MAX:
            parser.feed(filler)
            fed += len(filler)
    assert fed <= OVERHEAD_BYTES_MAX + 40 * len(filler)


def test_a_long_head_in_one_read_is_refused() -> None:
    """Though it is complete by the time it is looked at."""
    raw = OK + b"a: " + b"x" * OVERHEAD_BYTES_MAX + b"\r\n\r\n"
    with pytest.raises(MalformedResponse, match="head or framing"):
        ResponseParser().feed(raw)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_small_chunks_are_no_flood(size: int) -> None:
    """A stream may go on for ever with a chunk for each token."""
    parser = ResponseParser()
    parser.feed(CHUNKED)
    chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
    for _ in range(2000):
        assert len(parser.feed(chunk * 20)) == 20 * size
