"""Group B of the catalogue of bad input: how a body may come, on a real node, at each door."""

import zlib
from typing import Any

import pytest

pytestmark = pytest.mark.real_time

DOORS = (b"/v1/chat/completions", b"/api/chat", b"/v1/messages")
JSON = b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
BODY_BYTES_MAX = 200_000  # as the node's configuration has it
CHAT = (
    b'{"model": "actor/scripted", "stream": false, "max_tokens": 99,'
    b' "messages": [{"role": "user", "content": "Hello"}]}'
)
SECOND = b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def _post(door: bytes, rest: bytes) -> bytes:
    return b"POST " + door + b" HTTP/1.1\r\nHost: test\r\n" + rest


def _whole(headers: bytes, body: bytes = CHAT) -> bytes:
    return headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)  # 31: as gzip does
    return packer.compress(body) + packer.flush()


# Refused below the application: an empty body, and the end.
REFUSED_BELOW = {
    "B5 a wrong end of a chunk": (b"5\r\nhelloxx", 400),
    "B5 a line feed in an extension": (b"5;a=b\nc\r\nhello\r\n", 400),
    "B5 a size below zero": (b"-1\r\nhello\r\n", 400),
    "B5 a size with a prefix": (b"0x5\r\nhello\r\n", 400),
    "B5 a size with an underscore": (b"1_0\r\nhello\r\n", 400),
    "B5 a size with a sign": (b"+5\r\nhello\r\n", 400),
    "B5 no size": (b"\r\nhello\r\n", 400),
    "B6 bare line feeds": (b"5\nhello\n0\n\n", 400),
    "B6 a bare line feed in a trailer": (b"0\r\nX: y\nZ", 400),
    "B6 a size of 20 digits": (b"F" * 20 + b"\r\nhello\r\n", 413),
    "B6 a size of 21 digits": (b"F" * 21 + b"\r\nhello\r\n", 400),
    "B7 an extension of 1 MB": (b"5;" + b"x" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n", 431),
    "B7 a trailer of 200 KB": (b"0\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", 431),
    "B7 20000 trailers": (b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
}

# Refused by the host: in JSON, and the end.
REFUSED = {
    "B1 a length above the limit": (
        JSON + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
        413,
    ),
    "B2 chunks above the limit": (
        CHUNKED + (b"c350\r\n" + b"x" * 50_000 + b"\r\n") * 5 + b"0\r\n\r\n",
        413,
    ),
    "B2 chunks above the limit, for ever": (
        CHUNKED + (b"c350\r\n" + b"x" * 50_000 + b"\r\n") * 10,
        413,
    ),
}

# Refused by the door, which has read the body to its end: the connection lives on.
REFUSED_ALONE = {
    "B10 gzip": (_whole(JSON + b"Content-Encoding: gzip\r\n", _packed(CHAT)), 415),
    "B11 gzip of 1000:1": (
        _whole(JSON + b"Content-Encoding: gzip\r\n", _packed(bytes(10_000_000))),
        415,
    ),
    "B11 gzip in gzip": (
        _whole(JSON + b"Content-Encoding: gzip, gzip\r\n", _packed(_packed(CHAT))),
        415,
    ),
    "B11 gzip with a bad check sum": (
        _whole(JSON + b"Content-Encoding: gzip\r\n", _packed(CHAT)[:-8] + bytes(8)),
        415,
    ),
    "B11 br": (_whole(JSON + b"Content-Encoding: br\r\n"), 415),
    "B11 zstd": (_whole(JSON + b"Content-Encoding: zstd\r\n"), 415),
    # A client that is no browser may leave it out at Ollama's door, as at Ollama.
    "B12 no content type": (_whole(b"Origin: http://evil\r\n"), 415),
    "B12 an empty content type": (_whole(b"Content-Type:\r\nOrigin: http://evil\r\n"), 415),
    "B12 text/plain": (_whole(b"Content-Type: text/plain\r\n"), 415),
    "B12 application/xml": (_whole(b"Content-Type: application/xml\r\n"), 415),
    "B12 multipart": (_whole(b"Content-Type: multipart/form-data; boundary=x\r\n"), 415),
    "B12 two content types": (_whole(JSON + b"Content-Type: text/plain\r\n"), 415),
    "B12 a form from a page": (
        _whole(b"Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://evil\r\n"),
        415,
    ),
    "B14 an empty body": (_whole(JSON, b""), 400),
    "B14 an empty body in chunks": (CHUNKED + b"0\r\n\r\n", 400),
    "B14 no body": (JSON + b"\r\n", 400),
}

SERVED = {
    "B9 trailers that would override headers": (
        CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(CHAT), CHAT) + b"Content-Length: 9999\r\n"
        b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\nX-Request-Timeout: none\r\n"
        b"X-Request-Id: theirs\r\nAuthorization: Bearer theirs\r\n\r\n"
    ),
    "B12 a character set": _whole(b"Content-Type: application/json; charset=utf-8\r\n"),
    "B10 identity": _whole(JSON + b"Content-Encoding: identity\r\n"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED_BELOW)
def test_chunks_that_make_no_sense_are_refused(node: Any, door: bytes, name: str) -> None:
    """At once, also if the client says no more; if it does, what comes behind is not run."""
    sent, status = REFUSED_BELOW[name]
    for behind in (b"", SECOND):
        [reply] = node.say(_post(door, CHUNKED + sent) + behind)
        assert (reply.status, reply.body, reply.ends_connection) == (status, b"", True)
    assert node.serves()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED)
def test_the_host_refuses_the_body(node: Any, told: Any, door: bytes, name: str) -> None:
    """In the dialect of the door; what comes behind is not run."""
    sent, status = REFUSED[name]
    [reply] = node.say(_post(door, sent) + SECOND)
    assert (reply.status, reply.ends_connection) == (status, True)
    assert told(reply, _post(door, sent))
    assert node.serves()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED_ALONE)
def test_the_door_refuses_the_body(node: Any, told: Any, door: bytes, name: str) -> None:
    """In its own dialect; the request behind is answered."""
    sent, status = REFUSED_ALONE[name]
    refused, second = node.say(_post(door, sent) + SECOND)
    assert (refused.status, refused.ends_connection) == (status, False)
    assert told(refused, _post(door, sent))
    assert second.status == 200


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", SERVED)
def test_it_is_served_all_the_same(node: Any, door: bytes, name: str) -> None:
    """What nobody asked for is dropped, and the request behind is answered."""
    answer, second = node.say(_post(door, SERVED[name]) + SECOND)
    assert (answer.status, second.status) == (200, 200)
    assert b"all is well" in answer.body
    assert answer.headers["x-request-id"] != "theirs"


@pytest.mark.parametrize("door", DOORS)
def test_b3_a_half_close_inside_the_body(node: Any, door: bytes) -> None:
    """Half a request is a 400 and never reaches a worker."""
    [reply] = node.say(_post(door, JSON + b"Content-Length: 999\r\n\r\n" + CHAT), half_close=True)
    assert (reply.status, reply.ends_connection) == (400, True)
    assert node.serves()


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "rest", [b"Content-Length: 999\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1"]
)
def test_b4_silence_inside_the_body(node: Any, told: Any, door: bytes, rest: bytes) -> None:
    """A 408 in the dialect of the door when the limit is up, and the end."""
    sent = _post(door, JSON + rest)
    [reply] = node.say(sent)
    assert (reply.status, reply.ends_connection) == (408, True)
    assert "in time" in told(reply, sent)
    assert node.serves()


@pytest.mark.slow
def test_b11_a_bomb_is_not_unpacked(node: Any) -> None:
    """What it would take to unpack it is never taken."""
    bomb = _packed(bytes(150_000_000))
    assert len(bomb) < BODY_BYTES_MAX
    before_kib = node.memory_peak_kib
    for door in DOORS:
        refused, _ = node.say(
            _post(door, _whole(JSON + b"Content-Encoding: gzip\r\n", bomb)) + SECOND
        )
        assert refused.status == 415
    assert node.memory_peak_kib - before_kib < 50_000


def test_b12_ollamas_door_takes_what_curl_says_of_every_body(node: Any) -> None:
    """As Ollama does; the other doors do not."""
    form = _whole(b"Content-Type: application/x-www-form-urlencoded\r\n")
    answers = [node.say(_post(door, form) + SECOND)[0] for door in DOORS]
    assert [answer.status for answer in answers] == [415, 200, 415]


def test_b14_an_empty_body_has_a_code(node: Any) -> None:
    """Nothing in it is at fault, so no field is named."""
    refused, _ = node.say(_post(DOORS[0], _whole(JSON, b"")) + SECOND)
    error = refused.document["error"]
    assert (error["code"], error["param"]) == ("empty_body", None)
