"""Group H of the catalogue of bad input: request lines, framing and headers, on a real node.

Each row is named after its id. Behind most of them a second request is sent ahead: it is run where
the first one has an end that all can agree on, and nowhere else.
"""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.real_time

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: test\r\n"
SECOND = LIVE + b"Connection: close\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
UPGRADE = LIVE + b"Connection: Upgrade\r\n"


def _target(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: test\r\n\r\n"


# Refused by the parser below the application: an empty body, and the end.
REFUSED_BELOW = {
    "H2 two lengths": (CHAT + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n", 400),
    "H2 two lengths in a list": (CHAT + b"Content-Length: 4, 5\r\n\r\n", 400),
    "H4 a length with a sign": (CHAT + b"Content-Length: +13\r\n\r\n", 400),
    "H4 a length below zero": (CHAT + b"Content-Length: -1\r\n\r\n", 400),
    "H4 a hexadecimal length": (CHAT + b"Content-Length: 0xd\r\n\r\n", 400),
    "H4 a length in Arabic digits": (CHAT + b"Content-Length: \xd9\xa1\xd9\xa3\r\n\r\n", 400),
    "H4 a length of 5000 digits": (CHAT + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n", 400),
    "H4 a length with a space in it": (CHAT + b"Content-Length: 1 3\r\n\r\n", 400),
    "H4 a length that is empty": (CHAT + b"Content-Length:\r\n\r\n", 400),
    "H5 a length of 10^20": (CHAT + b"Content-Length: 1" + b"0" * 20 + b"\r\n\r\n", 413),
    "H6 TE xchunked": (CHAT + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST_CHUNK, 501),
    "H6 TE chunked, identity": (CHAT + b"Transfer-Encoding: chunked, identity\r\n\r\n", 501),
    "H6 TE gzip, chunked": (CHAT + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "H6 TE twice": (CHAT + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + LAST_CHUNK, 501),
    "H7 a space before the colon of TE": (CHAT + b"Transfer-Encoding : chunked\r\n\r\n", 400),
    "H7 a vertical tab in TE": (CHAT + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 400),
    "H9 a folded line": (LIVE + b"X: a\r\n folded\r\n\r\n", 400),
    "H9 a folded framing": (CHAT + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n" + LAST_CHUNK, 400),
    "H10 bare line feeds": (b"GET /livez HTTP/1.1\nHost: test\n\n", 400),
    "H10 one bare line feed": (LIVE + b"X: a\nContent-Length: 5\r\n\r\n", 400),
    "H11 a bare CR in a value": (LIVE + b"X: a\rb\r\n\r\n", 400),
    "H11 a NUL in a value": (LIVE + b"X: a\0b\r\n\r\n", 400),
    "H12 an empty name": (LIVE + b": a\r\n\r\n", 400),
    "H12 a control character in a name": (LIVE + b"X\x01: a\r\n\r\n", 400),
    "H12 a space before the colon": (LIVE + b"X : a\r\n\r\n", 400),
    "H12 no colon": (LIVE + b"X\r\n\r\n", 400),
    "H13 no Host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "H13 two Hosts": (LIVE + b"Host: test\r\n\r\n", 400),
    "H18 lower-case http": (b"GET /livez http/1.1\r\nHost: test\r\n\r\n", 400),
    "H18 HTTP/1.10": (b"GET /livez HTTP/1.10\r\nHost: test\r\n\r\n", 400),
    "H19 HTTP/0.9 and an empty line": (b"GET /livez\r\n\r\n", 400),
    "H19 a CRLF ahead": (b"\r\n" + LIVE + b"\r\n", 400),
    "H19 a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), 400),
    "H22 a line that grows beyond all limits": (LIVE + b"X: " + b"x" * 70_000, 431),
    "H23 a target of 70 KB": (_target(b"/" + b"x" * 70_000), 431),
    "H24 raw UTF-8 in the target": (_target(b"/\xc3\xa9"), 400),
}

# Refused by the guard: in JSON, and the end.
REFUSED = {
    "H1 CL then TE": (
        CHAT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST_CHUNK,
        400,
    ),
    "H1 TE then CL": (
        CHAT + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + LAST_CHUNK,
        400,
    ),
    "H1 TE in HTTP/1.0": (
        b"POST /v1/messages HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST_CHUNK,
        400,
    ),
    "H5 a length of 10^19": (CHAT + b"Content-Length: 1" + b"0" * 19 + b"\r\n\r\n", 413),
    "H13 user info in Host": (b"GET /livez HTTP/1.1\r\nHost: a@b:99\r\n\r\n", 400),
    "H13 a list in Host": (b"GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "H15 a target with another host": (_target(b"http://evil/livez"), 400),
    "H16 CONNECT": (b"CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", 400),
    "H16 TRACE": (b"TRACE /livez HTTP/1.1\r\nHost: test\r\nCookie: a=b\r\n\r\n", 405),
    "H16 an odd verb": (b"BREW /api/chat HTTP/1.1\r\nHost: test\r\n\r\n", 405),
    "H16 a verb in lower case": (b"get /livez HTTP/1.1\r\nHost: test\r\n\r\n", 405),
    "H16 OPTIONS for all": (b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", 400),
    "H18 HTTP/1.2": (b"GET /livez HTTP/1.2\r\nHost: test\r\n\r\n", 505),
    "H18 HTTP/2.0": (b"GET /api/chat HTTP/2.0\r\nHost: test\r\n\r\n", 505),
    "H20 the preface of HTTP/2": (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" + b"\0" * 5,
        400,
    ),
    "H21 a WebSocket": (UPGRADE + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400),
    "H21 a WebSocket of no version": (UPGRADE + b"Upgrade: WebSocket\r\n\r\n", 400),
    "H22 a line of 20 KB": (LIVE + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "H22 a line of 60 KB": (LIVE + b"X: " + b"x" * 60_000 + b"\r\n\r\n", 431),
    "H22 6000 lines": (LIVE + b"X: y\r\n" * 6000 + b"\r\n", 431),
    "H23 a target of 10 KB": (_target(b"/v1/messages?" + b"x" * 10_000), 414),
    "H26 two slashes ahead": (_target(b"//evil"), 404),
    "H26 a NUL in the path": (_target(b"/v1/models%00"), 400),
    "H28 a body too large": (
        CHAT + b"Content-Length: 200001\r\nExpect: 100-continue\r\n\r\n",
        413,
    ),
    "H28 a Host that is none": (
        (
            b"POST /api/chat HTTP/1.1\r\nHost: a@b\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        ),
        400,
    ),
    "H29 another expectation": (LIVE + b"Expect: other\r\n\r\n", 417),
    "H29 one expectation too many": (
        CHAT + b"Content-Length: 5\r\nExpect: 100-continue, other\r\n\r\n",
        417,
    ),
    "H36 a line break in the path": (_target(b"/livez%0d%0aSet-Cookie:%20a=b"), 400),
}

# Refused in JSON; where the request ends is beyond doubt, so the connection lives on.
REFUSED_ALONE = {
    f"{name} {target.decode()}": (_target(target), 404)
    for name, target in (
        ("H26", b"/../../etc/passwd"),
        ("H26", b"/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
        ("H26", b"/..%5c..%5cetc%5cpasswd"),
        ("H26", b"/v1//chat/completions"),
        ("H26", b"/v1/models;x"),
        ("H26", b"/v1/models/."),
        ("H26", b"/x/../v1/models"),
        ("H26", b"/livez/"),
        ("H26", b"/api//chat"),
        ("H26", b"/v1/messages/../models"),
        ("H26", b"/%ff%c3%28"),
        ("H26", b"/static/app.py"),
    )
}
REFUSED_ALONE |= {
    "H16 OPTIONS": (b"OPTIONS /livez HTTP/1.1\r\nHost: test\r\n\r\n", 405),
    "H30 a body that looks like a request": (
        b"GET /v1/nothing HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%b"
        % (len(SECOND), SECOND),
        404,
    ),
    "H36 a line break in a header": (
        CHAT + b"X-Request-Timeout: 1%0d%0aX: y\r\nContent-Length: 2\r\n\r\n{}",
        400,
    ),
}

# Nothing is wrong with these, or nothing that matters.
SERVED = {
    "H19 HTTP/1.0 without Host": b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "H20 an offer of h2c": (
        LIVE + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    ),
    "H27 Latin-1 in a value": LIVE + b"X: \xe9\xff\xa0\r\n\r\n",
    "H30 a body on GET": LIVE + b"Content-Length: %d\r\n\r\n%b" % (len(SECOND), SECOND),
    "H30 a body in chunks on GET": (
        LIVE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + LAST_CHUNK
    ),
    "H32 forwarding headers": (
        LIVE + b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Real-IP: ::1\r\n"
        b"X-Forwarded-Host: evil\r\nForwarded: for=127.0.0.1;host=evil\r\n\r\n"
    ),
    "H39 ranges and conditions": (
        LIVE + b"Range: bytes=0-1\r\nIf-None-Match: *\r\nIf-Range: a\r\nTE: trailers\r\n"
        b"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n\r\n"
    ),
}


@pytest.mark.parametrize("name", REFUSED_BELOW)
def test_the_parser_refuses(node: Any, name: str) -> None:
    """With a status and nothing else; what comes behind is not run."""
    sent, status = REFUSED_BELOW[name]
    [reply] = node.say(sent + SECOND)
    assert (reply.status, reply.body, reply.ends_connection) == (status, b"", True)
    assert node.serves()


@pytest.mark.parametrize("name", REFUSED)
def test_the_guard_refuses(node: Any, told: Any, name: str) -> None:
    """In the shape of the path's dialect; what comes behind is not run."""
    sent, status = REFUSED[name]
    [reply] = node.say(sent + SECOND)
    assert (reply.status, reply.ends_connection) == (status, True)
    assert told(reply, sent)
    assert node.serves()


@pytest.mark.parametrize("name", REFUSED_ALONE)
def test_one_request_is_refused(node: Any, told: Any, name: str) -> None:
    """And the one behind it is answered, neither more nor less."""
    sent, status = REFUSED_ALONE[name]
    refused, second = node.say(sent + SECOND)
    assert (refused.status, refused.ends_connection) == (status, False)
    assert told(refused, sent)
    assert second.status == 200
    assert set(refused.headers) <= {"content-type", "content-length", "allow", "date"} | {
        "x-request-id",
        "x-cortexd-attempts",
        "x-cortexd-cache",
    }


@pytest.mark.parametrize("name", SERVED)
def test_it_makes_no_difference(node: Any, name: str) -> None:
    """The same answer as without, and the request behind it is answered as well."""
    replies = node.say(SERVED[name] + SECOND)
    answers = {(reply.status, json.loads(reply.body)["status"]) for reply in replies}
    assert answers == {(200, "alive")}
    assert len(replies) == (1 if "HTTP/1.0" in name else 2)


@pytest.mark.parametrize("sent", [b"GET /\r\n", b"GET /livez\r\n", b"HELO test\r\n"])
def test_h19_a_line_without_a_version_is_not_waited_for(node: Any, sent: bytes) -> None:
    """An HTTP/0.9 client has said all it is going to say: a 400, not a 408 after the limit."""
    [reply] = node.say(sent)
    assert (reply.status, reply.ends_connection) == (400, True)
    assert node.serves()


def test_h22_6000_header_lines_that_dribble_are_cut_off(node: Any) -> None:
    """Before all of them have been sent, and whatever refuses them."""
    [reply] = node.say(LIVE, *[b"X: y\r\n" * 10] * 600, b"\r\n", SECOND)
    assert (reply.status, reply.ends_connection) == (431, True)
    assert node.serves()


def test_h26_an_encoded_path_is_the_path_it_stands_for(node: Any) -> None:
    """What is decided on is what is routed: the admin paths are not here under any spelling."""
    for target in (b"/admin/tree", b"/%61dmin/tree", b"/v1/../admin/tree", b"/admin%2ftree"):
        refused, _ = node.say(_target(target) + SECOND)
        assert refused.status == 404
        refused, *_ = node.say(_target(target) + SECOND, to="admin")
        assert refused.status in {401, 404}


def test_h28_a_body_that_is_welcome_is_asked_for_once(node: Any) -> None:
    """And a client that does not wait to be asked is understood, too."""
    body = b'{"model": "actor/scripted", "messages": [{"role": "user", "content": "Hello"}]}'
    head = CHAT + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    with node.connect() as sock:
        sock.sendall(head)
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    *_, answer, second = node.say(head + body + SECOND)
    assert (answer.status, second.status) == (200, 200)


def test_h30_a_body_that_does_not_come_ends_the_connection(node: Any, told: Any) -> None:
    """The 404 need not wait for it, but says that nothing behind it will be read."""
    sent = b"GET /api/nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\nhello"
    [reply] = node.say(sent)
    assert (reply.status, reply.ends_connection) == (404, True)
    assert told(reply, sent)
    assert node.serves()


def test_h32_no_header_makes_an_operator(node: Any, told: Any) -> None:
    """The admin listener asks for the token whoever the client says that it is."""
    sent = (
        _target(b"/admin/tree")[:-2] + b"X-Forwarded-For: 127.0.0.1\r\nForwarded: for=::1\r\n\r\n"
    )
    refused, _ = node.say(sent + SECOND, to="admin")
    assert refused.status == 401
    assert told(refused, sent)


SPOOFED = {
    "x-cortexd-worker": "evil",
    "x-cortexd-attempts": "9",
    "x-api-key": "client-secret",
    "openai-organization": "client-org",
    "openai-project": "client-project",
    "cookie": "session=client-cookie",
    "authorization": "Bearer client-token",
    "anthropic-version": "2023-06-01",
    "x-forwarded-for": "10.9.8.7",
    "x-forwarded-host": "evil",
    "forwarded": "for=10.9.8.7",
    "x-real-ip": "10.9.8.7",
    "referer": "http://evil/",
    "origin": "http://evil",
    "te": "trailers",
    "user-agent": "client-agent",
}


def test_h34_the_clients_headers_stay_here(node: Any, recorder: Any) -> None:
    """What an upstream gets is ours: its own key, and nothing that the client has sent."""
    body = b'{"model": "recorder/notes", "messages": [{"role": "user", "content": "Hello"}]}'
    lines = "".join(f"{name}: {value}\r\n" for name, value in SPOOFED.items())
    head = CHAT + lines.encode() + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    before = len(recorder.seen)
    [reply] = node.say(head + body)

    assert (reply.status, reply.headers["x-cortexd-worker"]) == (200, "recorder")
    [seen] = recorder.seen[before:]
    assert seen["authorization"] == "Bearer the-worker-key"
    assert not SPOOFED.items() & seen.items()
    assert not [name for name in seen if name.startswith(("x-cortexd-", "x-forwarded-"))]
    assert not {"cookie", "x-api-key", "openai-organization", "origin", "referer"} & set(seen)


@pytest.mark.parametrize(
    "given", [b"a%0d%0aSet-Cookie: b=c", b"a\xe9", b"a b", b"x" * 129, b"", b"<script>"]
)
def test_h36_a_request_id_is_only_reflected_if_it_is_harmless(node: Any, given: bytes) -> None:
    """Otherwise the answer has one of ours, and no header that we did not write."""
    [reply] = node.say(SECOND[:-2] + b"X-Request-Id: " + given + b"\r\n\r\n")
    assert reply.status == 200
    assert reply.headers["x-request-id"].encode("latin-1") != given
    assert len(reply.headers["x-request-id"]) == 32
    assert "set-cookie" not in reply.headers


def test_h36_a_model_name_is_not_reflected_in_headers(node: Any, told: Any) -> None:
    """Nor does a control character of it get into the message."""
    name = "actor/\r\nSet-Cookie: a=b\r\n\r\n<html>\x1b[2J" + "\u4f60" * 200
    body = json.dumps({"model": name, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    sent = CHAT + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    refused, second = node.say(sent + SECOND)
    assert refused.status == 400
    assert "set-cookie" not in refused.headers
    assert told(refused, sent).isprintable()
    assert second.status == 200


@pytest.mark.parametrize("path", [b"/admin/dashboard", b"/admin/tree"])
def test_h37_admin_pages_are_not_compressed(node: Any, path: bytes) -> None:
    """Whatever the client accepts: the length of a page must not tell of what is in it."""
    token = node.admin_token.encode()
    sent = _target(path)[:-2] + b"Accept-Encoding: gzip, br, zstd\r\nAuthorization: Bearer "
    reply, _ = node.say(sent + token + b"\r\n\r\n" + SECOND, to="admin")
    assert reply.status == 200
    assert reply.document
    assert not {"content-encoding", "vary"} & set(reply.headers)


@pytest.mark.parametrize("listener", ["clients", "admin"])
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/api/chat", b"/admin/tree"])
def test_h38_no_page_of_another_origin_is_let_in(node: Any, listener: str, path: bytes) -> None:
    """The preflight is refused and allows nothing, and so is what would follow it."""
    origin = b" HTTP/1.1\r\nHost: test\r\nOrigin: http://evil\r\n"
    preflight = b"OPTIONS " + path + origin + b"Access-Control-Request-Method: POST\r\n\r\n"
    post = b"POST " + path + origin + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
    replies = node.say(preflight + post + SECOND, to=listener)[:2]
    assert [reply.status in {401, 403, 404, 405, 415} for reply in replies] == [True, True]
    for reply in replies:
        assert not [name for name in reply.headers if name.startswith("access-control-")]
