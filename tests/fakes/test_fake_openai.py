import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.types import EmbeddingCreateParams
from openai.types.chat import completion_create_params

from tests.fakes.dialect import Dialect
from tests.fakes.openai import OpenAi
from tests.fakes.openai_requests import ChatRequest, EmbedRequest
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say

pytestmark = pytest.mark.real_time

HELLO: list[Any] = [{"role": "user", "content": "Say hello"}]
CALLS = (Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"}, "call_2"))


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """OpenAI, or what passes for it."""
    return start_fake(OpenAi())


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[openai.OpenAI]:
    """The official client, which tries only once."""
    with openai.OpenAI(
        base_url=fake.base_url + "/v1", api_key="good-key", max_retries=0, timeout=20
    ) as client:
        yield client


def _stream(client: openai.OpenAI, **fields: Any) -> list[Any]:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} | fields
    return list(client.chat.completions.create(model="m1", messages=HELLO, stream=True, **options))


def _texts(chunks: list[Any]) -> list[str]:
    return [c.delta.content for chunk in chunks for c in chunk.choices if c.delta.content]


def test_openai_reads_a_whole_answer(client: openai.OpenAI, fake: FakeProvider) -> None:
    """Text, reason and all counts."""
    fake.play(Scene.text("Hello world", counts=Counts(input=9, output=5, cached=4, reasoning=2)))

    answer = client.chat.completions.create(model="m1", messages=HELLO)

    assert answer.choices[0].message.content == "Hello world"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (9, 5)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


@pytest.mark.parametrize("noisy", [False, True])
def test_openai_reads_a_stream(client: openai.OpenAI, fake: FakeProvider, *, noisy: bool) -> None:
    """Piece by piece, with the usage in a chunk of its own; noise is nothing."""
    fake.play(Scene(parts=(say("Hello world"),), noisy=noisy))

    chunks = _stream(client)

    assert _texts(chunks) == ["Hello", " world"]
    assert [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 7


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.LENGTH, "length"),
        (Finish.CONTENT_FILTER, "content_filter"),
        (Finish.STOP_SEQUENCE, "stop"),
    ],
)
def test_openai_reads_why_an_answer_ends(
    client: openai.OpenAI, fake: FakeProvider, finish: Finish, reason: str
) -> None:
    """Each reason there is."""
    fake.play(Scene.text("Hello", finish=finish))

    whole = client.chat.completions.create(model="m1", messages=HELLO)

    assert whole.choices[0].finish_reason == reason
    assert _stream(client)[-2].choices[0].finish_reason == reason


def test_openai_reads_past_reasoning(client: openai.OpenAI, fake: FakeProvider) -> None:
    """Servers that speak OpenAI have a member for it that the client keeps, untyped."""
    fake.play(Scene.reasoning("Hm, well.", "Hello"))

    whole = client.chat.completions.create(model="m1", messages=HELLO).choices[0].message
    deltas = [choice.delta for chunk in _stream(client) for choice in chunk.choices]

    assert whole.content == "Hello"
    assert whole.model_extra == {"reasoning_content": "Hm, well."}
    thoughts = [(delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas]
    assert "".join(thoughts) == "Hm, well."


def test_openai_calls_tools_and_sends_their_results(
    client: openai.OpenAI, fake: FakeProvider, weather_schema: dict[str, object]
) -> None:
    """Two calls at once, whole and streamed; then the client's own objects make the next turn."""
    tools: list[Any] = [
        {"type": "function", "function": {"name": "weather", "parameters": weather_schema}}
    ]
    fake.play(Scene.of(say("Wait."), *CALLS))

    with client.chat.completions.stream(model="m1", messages=HELLO, tools=tools) as stream:
        streamed = stream.get_final_completion().choices[0]
    whole = client.chat.completions.create(model="m1", messages=HELLO, tools=tools).choices[0]
    fake.play(Scene.echo())
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        for call in whole.message.tool_calls or ()
    ]
    turn: list[Any] = [*HELLO, whole.message.to_dict(), *results]
    echo = client.chat.completions.create(model="m1", messages=turn, tools=tools)

    assert whole.finish_reason == streamed.finish_reason == "tool_calls"
    for message in (whole.message, streamed.message):
        assert message.content == "Wait."
        assert [
            (call.id, call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or ()
            if call.type == "function"
        ] == [(call.call_id, call.name, call.arguments) for call in CALLS]
    understood = json.loads(echo.choices[0].message.content or "")
    assert understood["messages"] == [
        {"role": "user", "text": "Say hello"},
        {
            "role": "assistant",
            "text": "Wait.",
            "calls": [
                {"id": "call_1", "name": "weather", "arguments": {"city": "Rome"}},
                {"id": "call_2", "name": "weather", "arguments": {"city": "Oslo"}},
            ],
        },
        {"role": "tool", "id": "call_1", "name": "weather", "text": "sunny"},
        {"role": "tool", "id": "call_2", "name": "weather", "text": "sunny"},
    ]
    assert understood["tools"] == [{"name": "weather", "parameters": weather_schema}]


def test_openai_sends_everything_it_can(
    client: openai.OpenAI, fake: FakeProvider, png_base64: str, sampling: Any
) -> None:
    """Pictures, sampling, JSON output and effort are understood."""
    schema: dict[str, Any] = {"type": "object"}
    picture = {"url": f"data:image/png;base64,{png_base64}"}
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": picture},
            ],
        },
    ]
    client.chat.completions.create(
        model="m1",
        messages=messages,
        top_p=0.9,
        max_completion_tokens=20,
        stop=["END"],
        **sampling,
        reasoning_effort="low",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": schema, "strict": True},
        },
    )

    understood = fake.chats[-1].understood
    assert understood is not None
    (picture_words,) = understood.pop("messages")[0].pop("images")
    assert picture_words["media_type"] == "image/png"
    assert understood == {
        "model": "m1",
        "system": "Be brief.",
        "output": {"name": "s", "schema": schema, "strict": True},
        "max_tokens": 20,
        "stop": ["END"],
        "top_p": 0.9,
        **sampling,
        "reasoning": "low",
    }


@pytest.mark.parametrize(
    ("trouble", "error", "code"),
    [
        (Trouble.BAD_REQUEST, openai.BadRequestError, None),
        (Trouble.CONTEXT_TOO_LONG, openai.BadRequestError, "context_length_exceeded"),
        (Trouble.BAD_KEY, openai.AuthenticationError, "invalid_api_key"),
        (Trouble.FORBIDDEN, openai.PermissionDeniedError, "unsupported_country_region_territory"),
        (Trouble.NO_MODEL, openai.NotFoundError, "model_not_found"),
        (413, openai.APIStatusError, None),
        (422, openai.UnprocessableEntityError, None),
        (Trouble.RATE_LIMIT, openai.RateLimitError, "rate_limit_exceeded"),
        (Trouble.QUOTA, openai.RateLimitError, "insufficient_quota"),
        (402, openai.APIStatusError, "insufficient_quota"),
        (500, openai.InternalServerError, None),
        (502, openai.InternalServerError, None),
        (Trouble.OVERLOADED, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_openai_raises_its_own_errors(
    client: openai.OpenAI,
    fake: FakeProvider,
    trouble: Trouble | int,
    error: type[openai.APIStatusError],
    code: str | None,
) -> None:
    """For each trouble the class and the code by which the client knows it."""
    fake.play(Scene.refuse(trouble, retry_after_s=1.5))

    with pytest.raises(error) as caught:
        client.chat.completions.create(model="m1", messages=HELLO)

    assert caught.value.code == code
    if isinstance(trouble, int):
        assert caught.value.status_code == trouble
    if caught.value.status_code != 502:
        assert caught.value.response.headers["retry-after-ms"] == "1500"


def test_openai_notices_an_error_in_the_stream(client: openai.OpenAI, fake: FakeProvider) -> None:
    """After the first piece. An error's document in place of the stream it takes for nothing."""
    fake.play(Scene.text("Hello world").error_in_stream(after_pieces=1))
    pieces = []
    with pytest.raises(openai.APIError, match="had an error"):
        for chunk in client.chat.completions.create(model="m1", messages=HELLO, stream=True):
            pieces += _texts([chunk])

    assert pieces == ["Hello"]
    fake.play(Scene.error_as_200(Trouble.RATE_LIMIT))
    assert _stream(client) == []


@pytest.mark.parametrize("reset", [False, True])
def test_openai_notices_a_lost_connection(
    client: openai.OpenAI, fake: FakeProvider, *, reset: bool
) -> None:
    """Closed or reset, streamed or whole."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1, reset=reset))

    with pytest.raises(openai.APIConnectionError):
        _stream(client)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="m1", messages=HELLO)


@pytest.mark.slow
def test_openai_gives_up_a_stream_that_hangs(client: openai.OpenAI, fake: FakeProvider) -> None:
    """The fake tells that the client has left."""
    fake.play(Scene.text("Hello world").hang(after_pieces=1))

    with pytest.raises(openai.APITimeoutError):
        _stream(client.with_options(timeout=0.2))

    assert fake.left.get(timeout=20).path == "/v1/chat/completions"


def test_openai_lists_models_and_embeds(client: openai.OpenAI, fake: FakeProvider) -> None:
    """What else there is."""
    assert [model.id for model in client.models.list()] == ["m1", "m2"]

    embedded = client.embeddings.create(
        model="m1", input=["a", "bc"], dimensions=3, encoding_format="float"
    )

    assert [len(item.embedding) for item in embedded.data] == [3, 3]
    assert embedded.data[0].embedding != embedded.data[1].embedding


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra_body": {"top_k": 3}}, "unknown field `top_k`"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": list("abcde")}, "stop"),
        ({"tool_choice": "auto"}, "'tools'"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "json_object"}}, "the word 'json'"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "model", "content": "x"}]}, "model"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
            "does not answer a call",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "iVBORw0KGgo="}}],
                    }
                ]
            },
            "image_url must be",
        ),
    ],
)
def test_openai_is_refused_what_the_provider_would_refuse(
    client: openai.OpenAI, fields: dict[str, Any], message: str
) -> None:
    """With the dialect's own 400."""
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        client.chat.completions.create(**{"model": "m1", "messages": HELLO} | fields)

    assert caught.value.type == "invalid_request_error"


def test_openai_must_have_a_good_key_and_a_known_model(
    client: openai.OpenAI, fake: FakeProvider
) -> None:
    """Otherwise 401 and 404."""
    with pytest.raises(openai.NotFoundError, match="'m9'"):
        client.chat.completions.create(model="m9", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="bad-key").models.list()


def test_openai_knows_every_field_that_the_fake_takes() -> None:
    """The fake makes nothing up."""
    chat = completion_create_params.CompletionCreateParamsStreaming.__annotations__
    base = completion_create_params.CompletionCreateParamsBase.__annotations__

    assert set(ChatRequest.__struct_fields__) <= {*chat, *base}
    assert set(EmbedRequest.__struct_fields__) <= set(EmbeddingCreateParams.__annotations__)
