"""Requests with a few bytes changed: whatever comes of it, the node stays the node it was.

The seed is fixed, so that what fails once fails again; the name of a seed request and the number
of its mutation say which one it was.
"""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any, Final

import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

MUTATIONS: Final = 30
"""Of each seed request."""
AT_ONCE: Final = 60
HANGS_S: Final = 20.0

ALLOWED: Final = frozenset(
    {100, 200, 400, 401, 404, 405, 408, 411, 413, 414, 415, 417, 422, 431, 501, 503, 505}
)

CHAT: Final = b'{"model": "actor/scripted", "messages": [{"role": "user", "content": "Hello"}]}'
CHUNKED: Final = b"Host: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


def _post(path: bytes, body: bytes, headers: bytes = b"") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    return head + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


SEEDS: Final = {
    "live": b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n",
    "models": b"GET /v1/models?limit=5 HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
    "old": b"GET /api/version HTTP/1.0\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
    "openai": _post(b"/v1/chat/completions", CHAT),
    "ollama": _post(b"/api/chat", CHAT, b"X-Request-Id: a-1\r\nX-Request-Timeout: 5\r\n"),
    "stream": _post(b"/v1/chat/completions", CHAT[:-1] + b', "stream": true}'),
    "chunks": (
        b"POST /v1/chat/completions HTTP/1.1\r\n" + CHUNKED + b"\r\n"
        b"10\r\n" + CHAT[:16] + b"\r\n%x;a=b\r\n" % len(CHAT[16:]) + CHAT[16:] + b"\r\n0\r\n\r\n"
    ),
    "trailers": b"POST /api/chat HTTP/1.1\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    "expect": _post(b"/v1/chat/completions", CHAT, b"Expect: 100-continue\r\n"),
    "upgrade": (
        b"GET /api/tags HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nCookie: a=b\r\n\r\n"
    ),
}

SPLINTERS: Final = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"%0a",
)
SPLINTERS_LONG: Final = (
    b"\xff",
    b"\xc3\xa9",
    b"-1",
    b"9" * 30,
    b"chunked",
    b"Host: b\r\n",
    b"\x1b[",
)


def _flip(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]


def _replace(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]


def _insert(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + chance.choice(SPLINTERS + SPLINTERS_LONG) + raw[at:]


def _cut_out(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + raw[at + chance.randrange(1, 9) :]


def _double(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + raw[max(0, at - chance.randrange(1, 40)) :]


def _cut_off(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[: at + chance.randrange(1, 40)]


KINDS: Final[tuple[Callable[[bytes, int, random.Random], bytes], ...]] = (
    _flip,
    _replace,
    _insert,
    _cut_out,
    _double,
    _cut_off,
)


def _mutations(name: str) -> Iterator[bytes]:
    chance = random.Random(f"{name} 1")  # noqa: S311  no secret
    for _ in range(MUTATIONS):
        raw = SEEDS[name]
        for _ in range(chance.randrange(1, 4)):
            raw = chance.choice(KINDS)(raw, chance.randrange(len(raw)), chance)
        yield raw


def _complaint(reply: Any) -> str | None:
    """What is wrong with an answer, if anything is."""
    if reply.status not in ALLOWED:
        return f"status {reply.status}"
    if b"Traceback" in reply.body:
        return "a traceback"
    if reply.headers.get("content-type") != "application/json":
        return None if not reply.body or reply.status == 200 else "an error that is not JSON"
    try:
        json.loads(reply.body)
    except ValueError:
        return None if not reply.body else "not JSON"  # the answer to a HEAD has none
    return None


def test_the_seeds_are_good_requests(node: Any) -> None:
    """Otherwise their mutations would prove nothing."""
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        answers = pool.map(node.say, SEEDS.values())
        statuses = {name: replies[-1].status for name, replies in zip(SEEDS, answers, strict=True)}
    assert statuses == dict.fromkeys(SEEDS, 200) | {"trailers": 400}


def test_mutated_requests_do_no_harm(node: Any) -> None:
    """Each gets an answer that a client can read, or none; nothing is left behind, nothing logged.

    Every third client closes its end behind its request, which counts as leaving: what it may get
    is half an answer.
    """
    assert node.serves()
    baseline = node.open_files
    cases = [(name, number, raw) for name in SEEDS for number, raw in enumerate(_mutations(name))]

    def complaints(case: tuple[str, int, bytes]) -> list[object]:
        name, number, raw = case
        if number % 3 == 0:
            node.hear(raw, half_close=True)
            return []
        return [
            (name, number, raw, complaint)
            for reply in node.say(raw)
            if (complaint := _complaint(reply))
        ]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert [found for case in pool.map(complaints, cases) for found in case] == []

    assert node.process.poll() is None
    assert node.serves()
    end = monotonic() + HANGS_S
    while node.open_files > baseline:
        assert monotonic() < end, f"{node.open_files} open files, {baseline} before"
        sleep(0.05)
    assert "Traceback" not in node.log
    assert '"level":"error"' not in node.log
