"""The failing upstream itself: it does what it is told, and can be healed."""

import ssl
from typing import Any

import httpx
import pytest
import trustme

from tests.fakes.openai import OpenAi
from tests.fakes.scene import Scene
from tests.faults.upstream import ServerLoop, Upstream, until
from tests.faults.upstream_faults import (
    bare,
    broken_by,
    broken_with,
    endless,
    first,
    hang_up,
    head_alone,
    headed,
    never_answer,
    reset,
    split,
)
from tests.faults.upstream_wire import play, secured

pytestmark = pytest.mark.real_time

SOON_S = 0.2


@pytest.fixture
def upstream(loop: ServerLoop) -> Upstream:
    """One of OpenAI's dialect."""
    return loop.upstream(OpenAi())


def _request(upstream: Upstream, **members: Any) -> dict[str, Any]:
    document = {"model": "m1", "messages": [{"role": "user", "content": "hi"}], **members}
    return {
        "url": f"http://127.0.0.1:{upstream.port}/v1/chat/completions",
        "json": document,
        "headers": {"authorization": "Bearer good-key"},
        "timeout": SOON_S,
    }


def _ask(upstream: Upstream, **members: Any) -> httpx.Response:
    return httpx.post(**_request(upstream, **members))


def _stream(upstream: Upstream) -> bytes:
    """What comes of a stream, releasing the rest when the second word is there."""
    body = b""
    try:
        with httpx.stream("POST", **_request(upstream, stream=True)) as response:
            for piece in response.iter_raw():
                body += piece
                if b"brave" in body:
                    upstream.release()
    except httpx.HTTPError as exc:
        return body + b"|" + type(exc).__name__.encode()
    return body


def test_a_healthy_one_answers_as_its_fake_does(upstream: Upstream) -> None:
    """And remembers who asked, with which key, and over which connection."""
    with httpx.Client() as client:
        answers = [client.post(**_request(upstream)) for _ in range(2)]
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == [
        "Hello world"
    ] * 2
    assert [(asked.connection, asked.key) for asked in upstream.asked] == [(0, "good-key")] * 2
    assert upstream.asked[0].at <= upstream.asked[1].at
    until(lambda: upstream.open == 1)  # The listener itself.


def test_one_that_refuses_connections_and_heals(upstream: Upstream) -> None:
    """At the same port."""
    with upstream.refusing(), pytest.raises(httpx.ConnectError):
        _ask(upstream)
    assert _ask(upstream).status_code == 200


@pytest.mark.slow
def test_a_deaf_one_that_heals(upstream: Upstream) -> None:
    """Whoever connects waits in vain."""
    with upstream.deaf(), pytest.raises(httpx.ConnectTimeout):
        _ask(upstream)
    assert _ask(upstream).status_code == 200


@pytest.mark.slow
def test_answers_that_do_not_come(upstream: Upstream) -> None:
    """Silence, half an answer, or the end of the connection."""
    wanted = {
        never_answer: httpx.ReadTimeout,
        head_alone: httpx.ReadTimeout,
        hang_up: httpx.RemoteProtocolError,
        reset: httpx.ReadError,
    }
    for upstream.fault, error in wanted.items():
        with pytest.raises(error):
            _ask(upstream)
    until(lambda: upstream.open == 1)
    upstream.fault = play
    assert _ask(upstream).status_code == 200


def test_answers_that_break_off(upstream: Upstream) -> None:
    """Each behind two words that have been read."""
    for fault, ending in {
        broken_by(): b"|RemoteProtocolError",
        broken_by(reset=True): b"|ReadError",
        broken_with(b"data: nonsense\n\n"): b"data: nonsense\n\n",
        endless(b": ping\n\n"): b": ping\n\n",
    }.items():
        upstream.break_off(fault)
        body = _stream(upstream) if ending != b": ping\n\n" else _stream_until(upstream, ending)
        assert b" brave" in body
        assert body.endswith(ending), body
    until(lambda: upstream.open == 1)


def _stream_until(upstream: Upstream, wanted: bytes) -> bytes:
    body = b""
    with httpx.stream("POST", **_request(upstream, stream=True)) as response:
        for piece in response.iter_raw():
            body += piece
            if body.endswith(wanted):
                break
    return body


def test_splitting_changes_no_byte(upstream: Upstream) -> None:
    """Only the chunks are others."""
    upstream.fake.play(Scene.text("Grüße"))
    whole = _stream(upstream)
    upstream.fault = split((1, 7, 100))
    assert _stream(upstream) == whole


def test_answers_of_other_kinds(upstream: Upstream) -> None:
    """Any status, body and header; and a fault that passes."""
    upstream.fault = first(bare(302, b"away", location="http://127.0.0.1:9/"))
    away, good = _ask(upstream), _ask(upstream)
    assert (away.status_code, away.headers["location"]) == (302, "http://127.0.0.1:9/")
    assert good.status_code == 200
    upstream.fault = headed(retry_after_ms="5")
    assert _ask(upstream).headers["retry-after-ms"] == "5"


def test_tls(upstream: Upstream) -> None:
    """The handshake comes first; who does not speak TLS gets nothing."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    upstream.greeting = secured(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    request = _request(upstream)
    request["url"] = str(request["url"]).replace("http://127.0.0.1", "https://localhost")
    assert httpx.post(**request, verify=trusting).status_code == 200
    with pytest.raises(httpx.HTTPError):
        _ask(upstream)
    assert len(upstream.asked) == 1
