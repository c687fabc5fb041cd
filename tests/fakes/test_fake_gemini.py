import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes.dialect import Dialect
from tests.fakes.gemini import Gemini
from tests.fakes.gemini_requests import GenerationConfig, Part, Schema
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say, think

pytestmark = pytest.mark.real_time

CALLS = (Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"}))


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """Gemini."""
    return start_fake(Gemini())


@pytest.fixture
def connect(fake: FakeProvider) -> Iterator[Callable[[str], genai.Client]]:
    """Make official clients, which try only once, with a key."""
    clients: list[genai.Client] = []

    def connect(key: str) -> genai.Client:
        options = types.HttpOptions(base_url=fake.base_url, timeout=20_000)
        clients.append(genai.Client(api_key=key, http_options=options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[[str], genai.Client]) -> genai.Client:
    """One with a good key."""
    return connect("good-key")


def _ask(client: genai.Client, contents: Any = "Say hello", **config: Any) -> Any:
    return client.models.generate_content(
        model="m1", contents=contents, config=types.GenerateContentConfig(**config)
    )


def _stream(client: genai.Client, **config: Any) -> list[Any]:
    return list(
        client.models.generate_content_stream(
            model="m1", contents="Say hello", config=types.GenerateContentConfig(**config)
        )
    )


def _parts(responses: list[Any]) -> list[Any]:
    return [part for r in responses for part in r.candidates[0].content.parts or ()]


@pytest.mark.parametrize("noisy", [False, True])
def test_gemini_reads_an_answer(client: genai.Client, fake: FakeProvider, *, noisy: bool) -> None:
    """Whole and streamed; each event repeats the counts, and thoughts are counted apart."""
    counts = Counts(input=9, output=5, cached=4, reasoning=2)
    fake.play(Scene(parts=(say("Hello world"),), counts=counts, noisy=noisy))

    whole, chunks = _ask(client), _stream(client)

    assert whole.text == "Hello world"
    assert [part.text for part in _parts(chunks)] == ["Hello", " world"]
    for last in (whole, chunks[-1]):
        assert last.candidates[0].finish_reason == "STOP"
        usage = last.usage_metadata
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (9, 4)
        assert (usage.candidates_token_count, usage.thoughts_token_count) == (3, 2)
        assert usage.total_token_count == 14


def test_gemini_ends_its_lines_with_cr_lf(fake: FakeProvider) -> None:
    """As the real one does; without `alt=sse` it would not stream events at all."""
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    url = fake.base_url + "/v1beta/models/m1:streamGenerateContent"
    headers = {"x-goog-api-key": "good-key"}

    answer = httpx.post(url + "?alt=sse", headers=headers, json=body)
    refused = httpx.post(url, headers=headers, json=body)

    assert answer.content.endswith(b"}\r\n\r\n")
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.LENGTH, "MAX_TOKENS"),
        (Finish.CONTENT_FILTER, "SAFETY"),
        (Finish.STOP_SEQUENCE, "STOP"),
    ],
)
def test_gemini_reads_why_an_answer_ends(
    client: genai.Client, fake: FakeProvider, finish: Finish, reason: str
) -> None:
    """Each reason there is."""
    fake.play(Scene.text("Hello", finish=finish))

    for last in (_ask(client), _stream(client)[-1]):
        assert last.candidates[0].finish_reason == reason


def test_gemini_blocks_a_question(client: genai.Client, fake: FakeProvider) -> None:
    """Then there is no candidate at all."""
    fake.play(Scene.blocked())

    for response in (_ask(client), *_stream(client)):
        assert response.candidates is None
        assert response.prompt_feedback.block_reason == "SAFETY"


def test_gemini_calls_tools_and_sends_their_results(
    client: genai.Client, fake: FakeProvider, weather_schema: Any
) -> None:
    """Two calls in one event, the first one sealed; the client's objects make the next turn."""
    declaration = types.FunctionDeclaration(name="weather", parameters=weather_schema)
    tools = [types.Tool(function_declarations=[declaration])]
    fake.play(Scene.of(think("Hm, well."), *CALLS))

    whole, chunks = _ask(client, tools=tools), _stream(client, tools=tools)
    fake.play(Scene.echo())
    turn = [
        types.UserContent("Say hello"),
        whole.candidates[0].content,
        types.UserContent(
            [
                types.Part.from_function_response(name="weather", response={"result": "sunny"})
                for _ in CALLS
            ]
        ),
    ]
    mode = types.FunctionCallingConfig(
        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["weather"]
    )
    tool_config = types.ToolConfig(function_calling_config=mode)
    echo = _ask(client, turn, tools=tools, tool_config=tool_config)

    for parts in (_parts([whole]), _parts(chunks)):
        calls = [part.function_call for part in parts if part.function_call]
        assert [(call.name, call.args) for call in calls] == [(c.name, c.arguments) for c in CALLS]
        assert "".join(part.text for part in parts if part.thought) == "Hm, well."
    understood = json.loads(echo.text)
    assert understood["messages"][1:] == [
        {
            "role": "assistant",
            "thought": "Hm, well.",
            "calls": [
                {"name": "weather", "signature": "c2VhbGVk", "arguments": {"city": "Rome"}},
                {"name": "weather", "arguments": {"city": "Oslo"}},
            ],
        },
        {"role": "tool", "name": "weather", "text": '{"result":"sunny"}'},
        {"role": "tool", "name": "weather", "text": '{"result":"sunny"}'},
    ]
    assert understood["tools"] == [{"name": "weather", "parameters": weather_schema}]
    assert understood["tool_choice"] == {"name": "weather"}


def test_gemini_sends_everything_it_can(
    client: genai.Client, fake: FakeProvider, png: bytes, weather_schema: Any, sampling: Any
) -> None:
    """Pictures, sampling, JSON output and thinking are understood."""
    contents = [
        "What is this?",
        types.Part.from_bytes(data=png, mime_type="image/png"),
        types.Part.from_uri(file_uri="https://example.org/a.png", mime_type="image/png"),
    ]
    _ask(
        client,
        contents,
        system_instruction="Be brief.",
        max_output_tokens=20,
        stop_sequences=["END"],
        top_p=0.9,
        top_k=3,
        **sampling,
        response_mime_type="application/json",
        response_schema=weather_schema,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=100),
    )

    understood = fake.chats[-1].understood
    assert understood is not None
    embedded, linked = understood.pop("messages")[0]["images"]
    assert (embedded["media_type"], linked["url"]) == ("image/png", "https://example.org/a.png")
    assert understood == {
        "model": "m1",
        "system": "Be brief.",
        "max_tokens": 20,
        "stop": ["END"],
        "top_p": 0.9,
        "top_k": 3,
        **sampling,
        "output": {"schema": weather_schema},
        "reasoning": 100,
    }


@pytest.mark.parametrize(
    ("trouble", "error", "status"),
    [
        (Trouble.BAD_REQUEST, errors.ClientError, "INVALID_ARGUMENT"),
        (Trouble.BAD_KEY, errors.ClientError, "INVALID_ARGUMENT"),
        (401, errors.ClientError, "UNAUTHENTICATED"),
        (Trouble.SPEND_LIMIT, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (Trouble.FORBIDDEN, errors.ClientError, "PERMISSION_DENIED"),
        (Trouble.NO_MODEL, errors.ClientError, "NOT_FOUND"),
        (413, errors.ClientError, "UNKNOWN"),
        (422, errors.ClientError, "UNKNOWN"),
        (Trouble.RATE_LIMIT, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (Trouble.QUOTA, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
        (502, errors.ServerError, "X"),
        (Trouble.OVERLOADED, errors.ServerError, "UNAVAILABLE"),
        (504, errors.ServerError, "DEADLINE_EXCEEDED"),
    ],
)
def test_gemini_raises_its_own_errors(
    client: genai.Client,
    fake: FakeProvider,
    trouble: Trouble | int,
    error: type[errors.APIError],
    status: str,
) -> None:
    """Whole and streamed; when to come back stands in the document."""
    fake.play(Scene.refuse(trouble, retry_after_s=12))

    for ask in (_ask, _stream):
        with pytest.raises(error) as caught:
            ask(client)
        assert caught.value.status == status
        if caught.value.code != 502:
            assert caught.value.details["error"]["details"][-1]["retryDelay"] == "12s"


def test_gemini_notices_an_error_in_the_stream(client: genai.Client, fake: FakeProvider) -> None:
    """An event that is an error instead of a response."""
    overloaded = Trouble.OVERLOADED
    fake.play(Scene.text("Hello world").error_in_stream(after_pieces=1, trouble=overloaded))
    texts = []
    with pytest.raises(errors.ServerError) as caught:
        for chunk in client.models.generate_content_stream(model="m1", contents="Say hello"):
            texts += [chunk.text]

    assert (texts, caught.value.code) == (["Hello"], 503)


@pytest.mark.parametrize("reset", [False, True])
def test_gemini_notices_a_lost_connection(
    client: genai.Client, fake: FakeProvider, *, reset: bool
) -> None:
    """Closed or reset."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1, reset=reset))

    with pytest.raises(httpx2.TransportError):
        _stream(client)


def test_gemini_lists_models_counts_and_embeds(client: genai.Client, fake: FakeProvider) -> None:
    """What else there is."""
    assert [model.name for model in client.models.list()] == ["models/m1", "models/m2"]
    assert client.models.count_tokens(model="m1", contents="Say hello").total_tokens == 2

    embedded = client.models.embed_content(
        model="m1",
        contents=["a", "bc"],
        config=types.EmbedContentConfig(output_dimensionality=3),
    )

    assert [len(one.values or ()) for one in embedded.embeddings or ()] == [3, 3]


def test_gemini_must_have_a_good_key(connect: Callable[[str], genai.Client]) -> None:
    """Otherwise 400, with the reason in the details."""
    with pytest.raises(errors.ClientError) as caught:
        _ask(connect("bad-key"))

    assert caught.value.code == 400
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


HI = {"role": "user", "parts": [{"text": "Hi"}]}
CALL = {"functionCall": {"name": "t", "args": {}}}
RESULT = {"functionResponse": {"name": "t", "response": {"x": 1}}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "role"),
        ({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}, "first turn"),
        ({"contents": [{"role": "user", "parts": [{}]}]}, "exactly one"),
        ({"contents": [HI, {"role": "user", "parts": [RESULT]}]}, "must match"),
        ({"contents": [HI, {"role": "model", "parts": [CALL]}, HI]}, "must match"),
        ({"contents": [HI, {"role": "model", "parts": [CALL]}]}, "must be followed"),
        ({"max_tokens": 3}, "unknown field `maxTokens`"),
        ({"generationConfig": {"stop": ["x"]}}, "unknown field `stop`"),
        ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "application/json"),
        (
            {
                "generationConfig": {
                    "responseMimeType": "application/json",
                    "responseSchema": {"type": "object", "additionalProperties": False},
                }
            },
            "unknown field `additionalProperties`",
        ),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "needs tools"),
    ],
)
def test_gemini_is_refused_what_the_provider_would_refuse(
    fake: FakeProvider, fields: dict[str, Any], message: str
) -> None:
    """With the dialect's own 400; the client would not even send some of it."""
    answer = httpx.post(
        fake.base_url + "/v1beta/models/m1:generateContent",
        headers={"x-goog-api-key": "good-key"},
        json={"contents": [HI]} | fields,
    )

    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_gemini_knows_every_field_that_the_fake_takes() -> None:
    """The fake makes nothing up."""
    config = {*types.GenerationConfig.model_fields, "thinking_config"}

    assert set(GenerationConfig.__struct_fields__) <= config
    assert set(Part.__struct_fields__) <= set(types.Part.model_fields)
    assert set(Schema.__struct_fields__) <= set(types.Schema.model_fields)
