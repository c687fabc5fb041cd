import json
from collections.abc import Callable, Iterator
from typing import Any

import groq
import httpx
import pytest
from groq.types.chat import completion_create_params

from tests.fakes.dialect import Dialect
from tests.fakes.groq import Groq, GroqChatRequest
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say

pytestmark = pytest.mark.real_time

HELLO: list[Any] = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """Groq."""
    return start_fake(Groq())


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[groq.Groq]:
    """The official client, which tries only once."""
    with groq.Groq(base_url=fake.base_url, api_key="good-key", max_retries=0, timeout=20) as client:
        yield client


def _ask(client: groq.Groq, **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": "m1", "messages": HELLO} | fields)


def test_groq_reads_an_answer(client: groq.Groq, fake: FakeProvider) -> None:
    """Whole and streamed; the usage comes without being asked for, with times."""
    fake.play(Scene.text("Hello world", finish=Finish.LENGTH, counts=Counts(input=9, output=5)))

    whole = _ask(client)
    chunks = list(_ask(client, stream=True))

    assert whole.choices[0].message.content == "Hello world"
    assert whole.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == "length"
    assert [chunk.choices[0].delta.content for chunk in chunks[:-1]] == ["", "Hello", " world"]
    assert chunks[0].x_groq.id == chunks[-1].x_groq.id == whole.x_groq.id
    for usage in (whole.usage, chunks[-1].x_groq.usage):
        assert (usage.prompt_tokens, usage.completion_tokens) == (9, 5)
        assert usage.total_time > 0


def test_groq_reads_reasoning(client: groq.Groq, fake: FakeProvider) -> None:
    """Parsed reasoning has a member of its own."""
    fake.play(Scene.reasoning("Hm, well.", "Hello"))

    whole = _ask(client, reasoning_format="parsed")
    deltas = [c.choices[0].delta for c in _ask(client, reasoning_format="parsed", stream=True)]

    assert whole.choices[0].message.reasoning == "Hm, well."
    assert "".join(delta.reasoning or "" for delta in deltas) == "Hm, well."
    assert whole.usage.completion_tokens_details.reasoning_tokens == 3


def test_groq_calls_tools_and_sends_their_results(
    client: groq.Groq, fake: FakeProvider, weather_schema: dict[str, object]
) -> None:
    """The client's own objects make the next turn."""
    tools = [{"type": "function", "function": {"name": "weather", "parameters": weather_schema}}]
    fake.play(Scene.of(say("Wait."), Call("weather", {"city": "Rome"})), Scene.echo())

    first = _ask(client, tools=tools, parallel_tool_calls=False).choices[0]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    turn = [*HELLO, first.message.to_dict(), result]
    echo = _ask(client, messages=turn, tools=tools, tool_choice="auto")

    assert first.finish_reason == "tool_calls"
    understood = json.loads(echo.choices[0].message.content)
    assert understood["messages"][2] == {
        "role": "tool",
        "id": "call_1",
        "name": "weather",
        "text": "sunny",
    }
    assert understood["tool_choice"] == "auto"


@pytest.mark.parametrize(
    ("trouble", "error", "code"),
    [
        (Trouble.BAD_REQUEST, groq.BadRequestError, None),
        (Trouble.BAD_KEY, groq.AuthenticationError, "invalid_api_key"),
        (Trouble.FORBIDDEN, groq.PermissionDeniedError, "unsupported_country_region_territory"),
        (Trouble.NO_MODEL, groq.NotFoundError, "model_not_found"),
        (Trouble.TOO_LARGE, groq.APIStatusError, "rate_limit_exceeded"),
        (422, groq.UnprocessableEntityError, None),
        (Trouble.RATE_LIMIT, groq.RateLimitError, "rate_limit_exceeded"),
        (Trouble.FLEX_CAPACITY, groq.APIStatusError, "capacity_exceeded"),
        (500, groq.InternalServerError, None),
        (502, groq.InternalServerError, None),
        (Trouble.OVERLOADED, groq.InternalServerError, None),
    ],
)
def test_groq_raises_its_own_errors(
    client: groq.Groq,
    fake: FakeProvider,
    trouble: Trouble | int,
    error: type[groq.APIStatusError],
    code: str | None,
) -> None:
    """When to come back is told with a 429 only."""
    fake.play(Scene.refuse(trouble, retry_after_s=6))

    with pytest.raises(error) as caught:
        _ask(client)

    body = caught.value.body
    assert (body["error"]["code"] if isinstance(body, dict) else None) == code
    is_limit = caught.value.status_code == 429
    assert caught.value.response.headers.get("retry-after") == ("6" if is_limit else None)


def test_groq_says_in_the_stream_why_it_stopped(client: groq.Groq, fake: FakeProvider) -> None:
    """The client raises nothing: whoever does not look takes a torn answer for a whole one."""
    fake.play(Scene.text("Hello world").error_in_stream(after_pieces=1))

    chunks = list(_ask(client, stream=True))

    assert chunks[-1].x_groq.error == "Internal Server Error"
    assert all(choice.finish_reason is None for chunk in chunks for choice in chunk.choices)


def test_groq_notices_a_lost_connection(client: groq.Groq, fake: FakeProvider) -> None:
    """In the midst of a stream."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1))

    with pytest.raises(httpx.TransportError):
        list(_ask(client, stream=True))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "'name'"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"reasoning_format": "raw", "response_format": {"type": "json_object"}}, "parsed"),
        ({"extra_body": {"top_k": 1}}, "top_k"),
        ({"n": 2}, "n`"),
    ],
)
def test_groq_is_refused_what_the_provider_would_refuse(
    client: groq.Groq, fields: dict[str, Any], message: str
) -> None:
    """Some of it OpenAI would take."""
    with pytest.raises(groq.BadRequestError, match=message):
        _ask(client, **fields)


def test_groq_lists_models_for_a_good_key(client: groq.Groq, fake: FakeProvider) -> None:
    """With the limits of the day and the minute in the headers."""
    raw = client.models.with_raw_response.list()

    assert [model.id for model in raw.parse().data] == ["m1", "m2"]
    assert raw.headers["x-ratelimit-reset-tokens"] == "6m0s"
    with pytest.raises(groq.AuthenticationError):
        client.with_options(api_key="bad-key").models.list()


def test_groq_knows_every_field_that_the_fake_takes() -> None:
    """But for `stream_options`, which the documentation has and the client's types do not."""
    known = completion_create_params.CompletionCreateParams.__annotations__

    assert set(GroqChatRequest.__struct_fields__) - set(known) == {"stream_options"}
