import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import ollama
import pytest

from tests.fakes.dialect import Dialect
from tests.fakes.ollama import ChatRequest, EmbedRequest, Ollama
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say, think

pytestmark = pytest.mark.real_time

HELLO: list[Any] = [{"role": "user", "content": "Say hello"}]
CALLS = (Call("weather", {"city": "Rome"}), Call("time", {}))


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """Ollama."""
    return start_fake(Ollama())


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[ollama.Client]:
    """The official client, which tries only once by nature."""
    with ollama.Client(fake.base_url, timeout=20) as client:
        yield client


def _stream(client: ollama.Client, **fields: Any) -> list[Any]:
    return list(client.chat(model="m1", messages=HELLO, stream=True, **fields))


@pytest.mark.parametrize("noisy", [False, True])
def test_ollama_reads_an_answer(client: ollama.Client, fake: FakeProvider, *, noisy: bool) -> None:
    """Whole and streamed, with reason, counts and times; what was cached is not counted."""
    counts = Counts(input=9, output=5, cached=2)
    fake.play(Scene(parts=(say("Hello world"),), finish=Finish.LENGTH, counts=counts, noisy=noisy))

    whole = client.chat(model="m1", messages=HELLO)
    lines = _stream(client)

    assert whole.message.content == "Hello world"
    texts = [line.message.content for line in lines if line.message.content]
    assert texts == ["Hello", " world"]
    for last in (whole, lines[-1]):
        assert (last.done, last.done_reason) == (True, "length")
        assert (last.prompt_eval_count, last.eval_count) == (7, 5)
        assert last.total_duration


def test_ollama_leaves_a_count_of_zero_out(client: ollama.Client, fake: FakeProvider) -> None:
    """As the real one does where the whole prompt was cached."""
    fake.play(Scene.text("Hello", counts=Counts(input=9, cached=9)))

    assert client.chat(model="m1", messages=HELLO).prompt_eval_count is None


def test_ollama_reads_thinking_and_calls(client: ollama.Client, fake: FakeProvider) -> None:
    """Calls come whole, with an object for arguments."""
    fake.play(Scene.of(think("Hm, well."), say("Wait."), *CALLS))

    whole = client.chat(model="m1", messages=HELLO, think=True).message
    lines = [line.message for line in _stream(client, think="low")]

    assert whole.thinking == "".join(line.thinking or "" for line in lines) == "Hm, well."
    for calls in (whole.tool_calls or (), [c for line in lines for c in line.tool_calls or ()]):
        assert [(c.function.name, c.function.arguments) for c in calls] == [
            (call.name, call.arguments) for call in CALLS
        ]


def test_ollama_sends_the_results_of_tools(
    client: ollama.Client, fake: FakeProvider, weather_schema: dict[str, object]
) -> None:
    """The client's own objects make the next turn."""
    tools: list[Any] = [
        {"type": "function", "function": {"name": "weather", "parameters": weather_schema}}
    ]
    fake.play(Scene.of(*CALLS), Scene.echo())

    first = client.chat(model="m1", messages=HELLO, tools=tools)
    result = {"role": "tool", "tool_name": "weather", "content": "sunny"}
    echo = client.chat(model="m1", messages=[*HELLO, first.message, result], tools=tools)

    understood = json.loads(echo.message.content or "")
    assert understood["messages"] == [
        {"role": "user", "text": "Say hello"},
        {
            "role": "assistant",
            "calls": [
                {"name": "weather", "arguments": {"city": "Rome"}},
                {"name": "time", "arguments": {}},
            ],
        },
        {"role": "tool", "name": "weather", "text": "sunny"},
    ]
    assert understood["tools"] == [{"name": "weather", "parameters": weather_schema}]


def test_ollama_sends_everything_it_can(
    client: ollama.Client, fake: FakeProvider, png: bytes, weather_schema: dict[str, Any]
) -> None:
    """Pictures, options, format and thinking are understood."""
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?", "images": [png]},
    ]
    client.chat(
        model="m1",
        messages=messages,
        format=weather_schema,
        think=False,
        keep_alive="5m",
        options={"num_predict": 20, "stop": ["END"], "temperature": 0.5, "top_k": 3, "seed": 0},
    )

    understood = fake.chats[-1].understood
    assert understood is not None
    assert understood.pop("messages")[0]["images"][0]["media_type"] == "image/png"
    assert understood == {
        "model": "m1",
        "system": "Be brief.",
        "output": {"schema": weather_schema},
        "max_tokens": 20,
        "stop": ["END"],
        "temperature": 0.5,
        "top_k": 3,
        "seed": 0,
        "reasoning": False,
    }


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504])
def test_ollama_raises_its_own_errors(
    client: ollama.Client, fake: FakeProvider, status: int
) -> None:
    """One class for all, with the status and the text."""
    fake.play(Scene.refuse(status))

    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="m1", messages=HELLO)

    assert caught.value.status_code == status
    assert "{" not in caught.value.error
    with pytest.raises(ollama.ResponseError):
        _stream(client)


def test_ollama_notices_an_error_in_the_stream(client: ollama.Client, fake: FakeProvider) -> None:
    """After the first piece, or as all that there is."""
    fake.play(
        Scene.text("Hello world").error_in_stream(after_pieces=1),
        Scene.error_as_200(Trouble.OVERLOADED),
    )
    texts = []
    with pytest.raises(ollama.ResponseError, match="unexpectedly stopped"):
        for line in client.chat(model="m1", messages=HELLO, stream=True):
            texts += [line.message.content]

    assert texts == ["Hello"]
    with pytest.raises(ollama.ResponseError, match="server busy"):
        _stream(client)


@pytest.mark.parametrize("reset", [False, True])
def test_ollama_notices_a_lost_connection(
    client: ollama.Client, fake: FakeProvider, *, reset: bool
) -> None:
    """Closed or reset."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1, reset=reset))

    with pytest.raises(httpx.TransportError):
        _stream(client)


def test_ollama_answers_for_its_health(client: ollama.Client, fake: FakeProvider) -> None:
    """Version, models, what a model can do, and vectors."""
    assert [model.model for model in client.list().models] == ["m1", "m2"]
    assert "tools" in (client.show("m1").capabilities or ())
    assert httpx.get(fake.base_url + "/api/version").json()["version"]

    embedded = client.embed("m1", ["a", "bc"], dimensions=3)

    assert [len(vector) for vector in embedded.embeddings] == [3, 3]
    assert embedded.prompt_eval_count == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"options": {"max_tokens": 3}}, "max_tokens"),
        ({"messages": []}, "no messages"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "developer"),
        ({"messages": [{"role": "tool", "tool_name": "t", "content": "x"}]}, "tool_name"),
        ({"messages": [{"role": "user", "images": ["data:image/png;base64,AA=="]}]}, "base64"),
        ({"top_p": 1}, "unknown field `top_p`"),
    ],
)
def test_ollama_is_refused_what_would_do_nothing(
    fake: FakeProvider, fields: dict[str, Any], message: str
) -> None:
    """With the dialect's own 400; the client would not even send some of it."""
    answer = httpx.post(
        fake.base_url + "/api/chat", json={"model": "m1", "messages": HELLO} | fields
    )

    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_ollamas_cloud_wants_a_key(client: ollama.Client, fake: FakeProvider) -> None:
    """Where a test says so."""
    fake.keys = {"good-key"}

    with pytest.raises(ollama.ResponseError, match="unauthorized"):
        client.chat(model="m1", messages=HELLO)


def test_ollama_knows_every_field_that_the_fake_takes() -> None:
    """But for two that only the server's own documentation has."""
    chat = set(ollama._types.ChatRequest.model_fields)

    assert set(ChatRequest.__struct_fields__) - chat == {"truncate", "shift"}
    assert set(EmbedRequest.__struct_fields__) <= set(ollama._types.EmbedRequest.model_fields)
