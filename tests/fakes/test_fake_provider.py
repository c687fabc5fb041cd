import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio

from tests.fakes.anthropic import Anthropic
from tests.fakes.cohere import Cohere
from tests.fakes.dialect import Ask, Dialect
from tests.fakes.gemini import Gemini
from tests.fakes.groq import Groq
from tests.fakes.ollama import Ollama
from tests.fakes.openai import OpenAi
from tests.fakes.provider import FakeProvider, running
from tests.fakes.scene import Call, Refusal, Scene, Trouble, say, think, words

pytestmark = pytest.mark.real_time

DIALECTS = [Ollama(), OpenAi(), Groq(), Gemini(), Cohere(), Anthropic()]
BODY: dict[str, Any] = {"model": "m1", "messages": [{"role": "user", "content": "Hi"}]}
TALK = Scene.of(think("Hm, well."), say("Wait a bit."), Call("t", {"a": 1}))


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """One of them; what is tested here is the same in all."""
    return start_fake(Ollama())


def _ask(fake: FakeProvider, **fields: Any) -> httpx.Response:
    return httpx.post(fake.base_url + "/api/chat", json=BODY | fields, timeout=20)


def test_scenes_are_played_in_turn_and_the_last_again(fake: FakeProvider) -> None:
    """One for each request."""
    fake.play(Scene.text("one"), Scene.refuse(503), Scene.text("three"))

    answers = [_ask(fake, stream=False).json() for _ in range(4)]

    assert [a.get("error") or a["message"]["content"] for a in answers] == [
        "one",
        "server busy, please try again.  maximum pending requests exceeded",
        "three",
        "three",
    ]


def test_everything_that_came_is_remembered(fake: FakeProvider) -> None:
    """Good or bad; only what is good has been understood."""
    _ask(fake, stream=False)
    _ask(fake, temperature=1)
    httpx.get(fake.base_url + "/nowhere")

    good, bad, lost = fake.requests
    assert good.understood == {"model": "m1", "messages": [{"role": "user", "text": "Hi"}]}
    assert (bad.document["temperature"], bad.understood) == (1, None)
    assert (lost.path, lost.endpoint) == ("/nowhere", None)
    assert fake.chats == [good, bad]


def test_health_fails_apart_from_chats(fake: FakeProvider) -> None:
    """What is listed may be refused while chats are answered, and the other way round."""
    fake.refusal = Refusal(Trouble.SERVER_ERROR)

    assert httpx.get(fake.base_url + "/api/tags").status_code == 500
    assert _ask(fake).status_code == 200


@pytest.mark.parametrize("after_pieces", [0, 1, 2])
def test_a_break_comes_after_as_many_pieces_as_asked(fake: FakeProvider, after_pieces: int) -> None:
    """None, or some, but never the end."""
    fake.play(Scene.text("one two three").cut(after_pieces=after_pieces))

    with httpx.stream("POST", fake.base_url + "/api/chat", json=BODY) as response:
        raw = b""
        with pytest.raises(httpx.RemoteProtocolError):
            for piece in response.iter_raw():
                raw += piece

    assert raw.count(b"\n") == after_pieces
    assert b'"done":true' not in raw


@pytest.mark.parametrize(
    ("reset", "error"), [(False, httpx.RemoteProtocolError), (True, httpx.ReadError)]
)
def test_a_connection_is_closed_or_reset(
    fake: FakeProvider, *, reset: bool, error: type[Exception]
) -> None:
    """Which a client can tell apart."""
    fake.play(Scene.text("one two").cut(after_pieces=1, reset=reset))

    with pytest.raises(error):
        _ask(fake)


@pytest.mark.slow
async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    """Also by a test that runs on Trio, and for an answer that is not streamed."""
    with running(Ollama()) as fake:
        fake.play(Scene.text("Hello").hang(after_pieces=0))
        async with httpx.AsyncClient() as client:
            for stream in (True, False):
                with trio.move_on_after(0.1) as scope:
                    await client.post(fake.base_url + "/api/chat", json=BODY | {"stream": stream})
                assert scope.cancelled_caught
                left = await trio.to_thread.run_sync(lambda: fake.left.get(timeout=20))
                assert left.path == "/api/chat"


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\r\n", b"411"),
        (b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", b"415"),
        (b"GET /api/tags HTTP/1.1\r\n\r\n", b"400"),
    ],
)
def test_bad_http_is_refused(fake: FakeProvider, request_head: bytes, status: bytes) -> None:
    """As the providers' front ends do."""
    port = httpx.URL(fake.base_url).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
        connection.sendall(request_head)

        assert connection.recv(100).startswith(b"HTTP/1.1 " + status)

    assert fake.requests == []


def test_an_error_in_a_fake_does_not_pass_for_an_answer() -> None:
    """It comes out at the end of the block."""
    headers = {"authorization": "Bearer good-key"}
    with pytest.raises(KeyError, match="CONTENT_FILTER"), running(Cohere()) as fake:
        fake.play(Scene.blocked())
        answer = httpx.post(fake.base_url + "/v2/chat", json=BODY, headers=headers)

        assert answer.status_code == 500


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_streams_what_it_says_whole(dialect: Dialect) -> None:
    """All words of a scene are in both forms, and noise adds none that mean anything."""
    ask = Ask(model="m1", streams=True, understood={})
    streamed = b"".join(frame.data for frame in dialect.stream(TALK, ask))
    whole = repr(dialect.whole(TALK, ask))

    for piece in ("Hm,", " well.", "Wait", " a", " bit."):
        assert f'"{piece}"'.encode() in streamed
        assert piece in whole
    assert b"Wait" not in dialect.interlude


@pytest.mark.parametrize(
    ("dialect", "end"),
    [
        (Ollama(), b"}\n"),
        (OpenAi(), b"data: [DONE]\n\n"),
        (Groq(), b"data: [DONE]\n\n"),
        (Gemini(), b"}\r\n\r\n"),
        (Cohere(), b"}\n\n"),
        (Anthropic(), b'data: {"type":"message_stop"}\n\n'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_dialect_ends_its_stream_in_its_own_way(dialect: Dialect, end: bytes) -> None:
    """Not every official client looks."""
    frames = list(dialect.stream(TALK, Ask(model="m1", streams=True, understood={})))

    assert frames[-1].data.endswith(end)
    assert not frames[-1].is_piece


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_has_words_for_every_common_trouble(dialect: Dialect) -> None:
    """And for any bare status."""
    own = {Trouble.FLEX_CAPACITY, Trouble.INVALID_TOKEN, Trouble.MONTHLY_QUOTA, Trouble.SPEND_LIMIT}
    assert set(Trouble) - own <= set(dialect.complaints)
    assert all(dialect.complaint(status).status == status for status in (400, 401, 429, 529))


@pytest.mark.parametrize("text", ["", "one", "one two", " one  two ", "\n", "a\nb "])
def test_words_are_all_of_the_text(text: str) -> None:
    """Whatever the blanks."""
    assert "".join(words(text)) == text
