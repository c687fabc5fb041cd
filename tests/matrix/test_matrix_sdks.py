"""The official clients at our doors: streams, tools, pictures, and errors of their own types."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.fakes.scene import Call, Counts, Scene, Trouble, say
from tests.matrix.conftest import BASES, Gateway
from tests.matrix.doors import WEATHER

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather", "parameters": WEATHER},
}
ANTHROPIC_TOOL: Any = {"name": "weather", "description": "…", "input_schema": WEATHER}
ASKED: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def clients(gateway: Gateway) -> Iterator[dict[str, Any]]:
    """One of each, without retries of its own."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"api_key": "unused", "max_retries": 0, "timeout": 60}
        ollama_client = ollama.Client(gateway.url, timeout=60)
        stack.callback(ollama_client._client.close)
        yield {
            "openai": stack.enter_context(openai.OpenAI(base_url=gateway.url + "/v1", **settings)),
            "anthropic": stack.enter_context(anthropic.Anthropic(base_url=gateway.url, **settings)),
            "ollama": ollama_client,
        }


@pytest.mark.parametrize("kind", BASES)
def test_openai_streams_text_and_calls(
    gateway: Gateway, clients: dict[str, Any], kind: str
) -> None:
    """The client's own accumulator puts the same answer together."""
    gateway.fakes[kind].play(Scene.of(say("I ask."), Call("weather", {"city": "Paris"})))
    with clients["openai"].chat.completions.stream(
        model=f"{kind}/m1", messages=ASKED, tools=[TOOL]
    ) as stream:
        completion = stream.get_final_completion()
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I ask."
    [call] = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "weather",
        {"city": "Paris"},
    )


@pytest.mark.parametrize("kind", BASES)
def test_anthropic_streams_text_and_calls(
    gateway: Gateway, clients: dict[str, Any], kind: str
) -> None:
    """Likewise; and the call it has heard of can be answered."""
    counts = Counts(input=20, output=5, cached=8)
    calling = Scene.of(say("I ask."), Call("weather", {"city": "Paris"}), counts=counts)
    gateway.fakes[kind].play(calling, Scene.text("sunny"))
    asked = {"model": f"{kind}/m1", "max_tokens": 100, "tools": [ANTHROPIC_TOOL]}
    with clients["anthropic"].messages.stream(**asked, messages=ASKED) as stream:
        message = stream.get_final_message()
    text, call = message.content
    assert message.stop_reason == "tool_use"
    assert (text.text, call.name, call.input) == ("I ask.", "weather", {"city": "Paris"})
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) in {
        (12, 8),
        # Ollama does not count what it has in its cache.
        (12, 0),
        (20, 0),
    }
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    again = clients["anthropic"].messages.create(
        **asked,
        messages=[
            *ASKED,
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [result]},
        ],
    )
    assert again.content[0].text == "sunny"


@pytest.mark.parametrize("kind", BASES)
def test_ollama_streams_text_and_calls(
    gateway: Gateway, clients: dict[str, Any], kind: str
) -> None:
    """Likewise, its own answer being sent back as history."""
    gateway.fakes[kind].play(
        Scene.of(say("I ask."), Call("weather", {"city": "Paris"})), Scene.text("sunny")
    )
    parts = list(clients["ollama"].chat(f"{kind}/m1", ASKED, tools=[TOOL], stream=True))
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert "".join(part.message.content or "" for part in parts) == "I ask."
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", {"city": "Paris"})
    ]
    assert parts[-1].done_reason == "stop"
    called = ollama.Message(role="assistant", content="I ask.", tool_calls=calls)
    result = ollama.Message(role="tool", content="sunny", tool_name="weather")
    again = clients["ollama"].chat(f"{kind}/m1", [*ASKED, called, result], tools=[TOOL])
    assert again.message.content == "sunny"


def test_pictures(gateway: Gateway, clients: dict[str, Any], png: bytes) -> None:
    """Each client's own way of showing one reaches the worker as the same picture."""
    for kind in ("ollama", "openai", "gemini", "anthropic"):
        gateway.fakes[kind].play(Scene.echo())
        data = base64.b64encode(png).decode()
        openai_parts = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        ]
        source = {"type": "base64", "media_type": "image/png", "data": data}
        model = f"{kind}/m1"
        by_openai = clients["openai"].chat.completions.create(
            model=model, messages=[{"role": "user", "content": openai_parts}]
        )
        by_anthropic = clients["anthropic"].messages.create(
            model=model,
            max_tokens=100,
            messages=[{"role": "user", "content": [{"type": "image", "source": source}]}],
        )
        by_ollama = clients["ollama"].chat(
            model, [ollama.Message(role="user", content="", images=[ollama.Image(value=png)])]
        )
        heard = (
            by_openai.choices[0].message.content,
            by_anthropic.content[0].text,
            by_ollama.message.content,
        )
        pictures = [json.loads(text)["messages"][0]["images"] for text in heard]
        assert pictures[0] == pictures[1] == pictures[2]
        assert pictures[0][0]["media_type"] == "image/png"


OPENAI_ERRORS: dict[Trouble, type[Exception]] = {
    Trouble.BAD_REQUEST: openai.BadRequestError,
    Trouble.NO_MODEL: openai.NotFoundError,
    Trouble.RATE_LIMIT: openai.RateLimitError,
    Trouble.SERVER_ERROR: openai.InternalServerError,
    Trouble.OVERLOADED: openai.InternalServerError,
}
ANTHROPIC_ERRORS: dict[Trouble, type[Exception]] = {
    Trouble.BAD_REQUEST: anthropic.BadRequestError,
    Trouble.NO_MODEL: anthropic.NotFoundError,
    Trouble.RATE_LIMIT: anthropic.RateLimitError,
    Trouble.SERVER_ERROR: anthropic.InternalServerError,
    Trouble.OVERLOADED: anthropic.APIStatusError,
}


@pytest.mark.parametrize("trouble", OPENAI_ERRORS)
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_errors_have_the_clients_own_types(
    gateway: Gateway, clients: dict[str, Any], trouble: Trouble, kind: str
) -> None:
    """Whatever the worker's dialect."""
    # Without it, Anthropic's 429 is one that waiting does not help.
    gateway.fakes[kind].play(Scene.refuse(trouble, retry_after_s=2))
    model = f"{next(gateway.spares[kind])}/m1"
    with pytest.raises(OPENAI_ERRORS[trouble]):
        clients["openai"].chat.completions.create(model=model, messages=ASKED)
    with pytest.raises(ANTHROPIC_ERRORS[trouble]):
        clients["anthropic"].messages.create(model=model, messages=ASKED, max_tokens=9)
    with pytest.raises(ollama.ResponseError):
        clients["ollama"].chat(model, ASKED)


@pytest.mark.parametrize("kind", ["gemini", "cohere"])
def test_a_broken_stream_raises_in_every_client(
    gateway: Gateway, clients: dict[str, Any], kind: str
) -> None:
    """None of them takes what it got for the whole."""
    gateway.fakes[kind].play(Scene.text("Hello brave new world").cut(after_pieces=2))
    model = f"{kind}/m1"
    with pytest.raises(openai.APIError):
        list(clients["openai"].chat.completions.create(model=model, messages=ASKED, stream=True))
    with (
        pytest.raises(anthropic.APIError),
        clients["anthropic"].messages.stream(model=model, messages=ASKED, max_tokens=9) as stream,
    ):
        stream.get_final_message()
    with pytest.raises(ollama.ResponseError):
        list(clients["ollama"].chat(model, ASKED, stream=True))


def test_a_client_s_own_mistakes(clients: dict[str, Any]) -> None:
    """A model that is not there, and a field that is none."""
    with pytest.raises(openai.NotFoundError, match="nothing"):
        clients["openai"].chat.completions.create(model="nothing", messages=ASKED)
    with pytest.raises(openai.BadRequestError, match="surprise"):
        clients["openai"].chat.completions.create(
            model="auto", messages=ASKED, extra_body={"surprise": 1}
        )
    with pytest.raises(anthropic.NotFoundError, match="nothing"):
        clients["anthropic"].messages.create(model="nothing", messages=ASKED, max_tokens=9)
    with pytest.raises(ollama.ResponseError, match="nothing") as caught:
        clients["ollama"].chat("nothing", ASKED)
    assert caught.value.status_code == 404


def test_listings(clients: dict[str, Any]) -> None:
    """Each client finds the models, and one of them by its name."""
    assert "m1" in {model.id for model in clients["openai"].models.list()}
    assert clients["openai"].models.retrieve("m1").id == "m1"
    assert "m1" in {model.id for model in clients["anthropic"].models.list()}
    assert "m1" in {model.model for model in clients["ollama"].list().models}
    assert clients["ollama"].show("m1").capabilities
    assert "m1" in {model.model for model in clients["ollama"].ps().models}
    with pytest.raises(openai.NotFoundError):
        clients["openai"].models.retrieve("no/such/model")


@pytest.mark.parametrize("kind", ["ollama", "openai", "gemini", "cohere"])
def test_embeddings(gateway: Gateway, clients: dict[str, Any], kind: str) -> None:
    """The same vectors through both doors that have them."""
    model = f"{kind}/m1"
    gateway.fakes[kind].play(Scene.text("no matter"))
    by_openai = clients["openai"].embeddings.create(model=model, input=["a", "bcd"])
    by_ollama = clients["ollama"].embed(model, ["a", "bcd"])
    vectors = [each.embedding for each in by_openai.data]
    assert len(vectors) == 2
    assert vectors[0] != vectors[1]
    for one, other in zip(vectors, by_ollama.embeddings, strict=True):
        assert one == pytest.approx(list(other), rel=1e-6)


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_counts_of_tokens(gateway: Gateway, clients: dict[str, Any], kind: str) -> None:
    """Asked of the provider, or estimated."""
    counted = clients["anthropic"].messages.count_tokens(model=f"{kind}/m1", messages=ASKED)
    assert counted.input_tokens > 0
