import json
from collections.abc import Callable, Iterator
from typing import Any

import cohere
import cohere.errors
import httpx
import pytest
from cohere.core.api_error import ApiError
from cohere.core.request_options import RequestOptions

from tests.fakes.cohere import Cohere
from tests.fakes.cohere_requests import ChatRequest, EmbedRequest
from tests.fakes.dialect import Dialect
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say, think

pytestmark = pytest.mark.real_time

HELLO: list[Any] = [{"role": "user", "content": "Say hello"}]
ONCE = RequestOptions(max_retries=0)
CALLS = (Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"}, "call_2"))


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """Cohere."""
    return start_fake(Cohere())


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[cohere.ClientV2]:
    """The official client."""
    with cohere.ClientV2(api_key="good-key", base_url=fake.base_url, timeout=20) as client:
        yield client


def _ask(client: cohere.ClientV2, **fields: Any) -> Any:
    return client.chat(**{"model": "m1", "messages": HELLO, "request_options": ONCE} | fields)


def _stream(client: cohere.ClientV2, **fields: Any) -> list[Any]:
    options: dict[str, Any] = {"model": "m1", "messages": HELLO, "request_options": ONCE}
    return list(client.chat_stream(**options | fields))


def _deltas(events: list[Any], kind: str) -> list[Any]:
    return [event.delta.message for event in events if event.type == kind]


@pytest.mark.parametrize("noisy", [False, True])
def test_cohere_reads_an_answer(
    client: cohere.ClientV2, fake: FakeProvider, *, noisy: bool
) -> None:
    """Whole and streamed; what was cached is not billed."""
    counts = Counts(input=9, output=5, cached=4)
    fake.play(Scene(parts=(say("Hello world"),), counts=counts, noisy=noisy))

    whole, events = _ask(client), _stream(client)

    texts = [delta.content.text for delta in _deltas(events, "content-delta")]
    assert texts == ["Hello", " world"]
    assert whole.message.content[0].text == "Hello world"
    for end in (whole, events[-1].delta):
        assert end.finish_reason == "COMPLETE"
        assert (end.usage.tokens.input_tokens, end.usage.tokens.output_tokens) == (9, 5)
        assert end.usage.billed_units.input_tokens == 5
        assert end.usage.cached_tokens == 4


@pytest.mark.parametrize(
    ("finish", "reason"),
    [(Finish.LENGTH, "MAX_TOKENS"), (Finish.STOP_SEQUENCE, "STOP_SEQUENCE")],
)
def test_cohere_reads_why_an_answer_ends(
    client: cohere.ClientV2, fake: FakeProvider, finish: Finish, reason: str
) -> None:
    """The two reasons besides an end."""
    fake.play(Scene.text("Hello", finish=finish))

    assert _ask(client).finish_reason == _stream(client)[-1].delta.finish_reason == reason


def test_cohere_reads_reasoning(client: cohere.ClientV2, fake: FakeProvider) -> None:
    """Without calls it is a block of its own."""
    fake.play(Scene.reasoning("Hm, well.", "Hello"))

    whole, events = _ask(client), _stream(client)

    assert [item.type for item in whole.message.content] == ["thinking", "text"]
    starts = [delta.content.type for delta in _deltas(events, "content-start")]
    assert starts == ["thinking", "text"]
    thoughts = [d.content.thinking for d in _deltas(events, "content-delta") if d.content.thinking]
    assert "".join(thoughts) == whole.message.content[0].thinking == "Hm, well."


def test_cohere_calls_tools_and_sends_their_results(
    client: cohere.ClientV2, fake: FakeProvider, weather_schema: dict[str, object]
) -> None:
    """A plan, then calls, whole and in pieces; the client's own objects make the next turn."""
    function = {"name": "weather", "description": "It looks out.", "parameters": weather_schema}
    tools = [{"type": "function", "function": function}]
    fake.play(Scene.of(think("I shall look."), *CALLS))

    whole, events = _ask(client, tools=tools), _stream(client, tools=tools)
    fake.play(Scene.echo())
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        for call in whole.message.tool_calls
    ]
    echo = _ask(
        client, messages=[*HELLO, whole.message, *results], tools=tools, tool_choice="REQUIRED"
    )

    assert whole.finish_reason == events[-1].delta.finish_reason == "TOOL_CALL"
    plan = "".join(delta.tool_plan for delta in _deltas(events, "tool-plan-delta"))
    assert plan == whole.message.tool_plan == "I shall look."
    starts = [delta.tool_calls for delta in _deltas(events, "tool-call-start")]
    assert [call.id for call in starts] == [call.id for call in whole.message.tool_calls]
    pieces = [d.tool_calls.function.arguments for d in _deltas(events, "tool-call-delta")]
    assert "".join(pieces) == "".join(c.function.arguments for c in whole.message.tool_calls)
    understood = json.loads(echo.message.content[0].text)
    assert understood["messages"][1:] == [
        {
            "role": "assistant",
            "thought": "I shall look.",
            "calls": [
                {"id": "call_1", "name": "weather", "arguments": {"city": "Rome"}},
                {"id": "call_2", "name": "weather", "arguments": {"city": "Oslo"}},
            ],
        },
        {"role": "tool", "id": "call_1", "name": "weather", "text": "sunny"},
        {"role": "tool", "id": "call_2", "name": "weather", "text": "sunny"},
    ]
    assert understood["tools"] == [function]
    assert understood["tool_choice"] == "required"


def test_cohere_sends_everything_it_can(
    client: cohere.ClientV2, fake: FakeProvider, png_base64: str, weather_schema: Any, sampling: Any
) -> None:
    """Pictures, sampling under its own names, JSON output and thinking are understood."""
    picture = {"url": f"data:image/png;base64,{png_base64}", "detail": "low"}
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": picture},
    ]
    _ask(
        client,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": content},
        ],
        max_tokens=20,
        stop_sequences=["END"],
        p=0.9,
        k=3,
        **sampling,
        response_format={"type": "json_object", "json_schema": weather_schema},
        thinking={"type": "enabled", "token_budget": 100},
    )

    understood = fake.chats[-1].understood
    assert understood is not None
    (image,) = understood.pop("messages")[0]["images"]
    assert (image["media_type"], image["detail"]) == ("image/png", "low")
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
    ("trouble", "error"),
    [
        (Trouble.BAD_REQUEST, cohere.errors.BadRequestError),
        (Trouble.CONTEXT_TOO_LONG, cohere.errors.BadRequestError),
        (Trouble.BAD_KEY, cohere.errors.UnauthorizedError),
        (Trouble.QUOTA, ApiError),
        (Trouble.FORBIDDEN, cohere.errors.ForbiddenError),
        (Trouble.NO_MODEL, cohere.errors.NotFoundError),
        (413, ApiError),
        (422, cohere.errors.UnprocessableEntityError),
        (Trouble.RATE_LIMIT, cohere.errors.TooManyRequestsError),
        (Trouble.MONTHLY_QUOTA, cohere.errors.TooManyRequestsError),
        (Trouble.INVALID_TOKEN, cohere.errors.InvalidTokenError),
        (500, cohere.errors.InternalServerError),
        (502, ApiError),
        (Trouble.OVERLOADED, cohere.errors.ServiceUnavailableError),
        (504, cohere.errors.GatewayTimeoutError),
    ],
)
def test_cohere_raises_its_own_errors(
    client: cohere.ClientV2, fake: FakeProvider, trouble: Trouble | int, error: type[ApiError]
) -> None:
    """For each status its class, streamed and whole."""
    fake.play(Scene.refuse(trouble))

    for ask in (_ask, _stream):
        with pytest.raises(error) as caught:
            ask(client)
        if caught.value.status_code != 502:
            assert caught.value.body["message"]


def test_cohere_says_in_the_stream_that_it_failed(
    client: cohere.ClientV2, fake: FakeProvider
) -> None:
    """The client raises nothing: the end itself tells."""
    fake.play(Scene.text("Hello world").error_in_stream(after_pieces=1))

    end = _stream(client)[-1]

    assert end.type == "message-end"
    assert (end.delta.finish_reason, end.delta.error) == ("ERROR", "internal server error")


@pytest.mark.parametrize("reset", [False, True])
def test_cohere_notices_a_lost_connection(
    client: cohere.ClientV2, fake: FakeProvider, *, reset: bool
) -> None:
    """Closed or reset."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1, reset=reset))

    with pytest.raises(httpx.TransportError):
        _stream(client)


def test_cohere_lists_models_and_embeds(client: cohere.ClientV2, fake: FakeProvider) -> None:
    """What else there is."""
    assert [model.name for model in client.models.list().models] == ["m1", "m2"]

    embedded = client.embed(
        model="m1",
        texts=["a", "bc"],
        input_type="search_query",
        embedding_types=["float"],
        output_dimension=256,
    )

    assert [len(vector) for vector in embedded.embeddings.float_ or ()] == [256, 256]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": 501}, "k`"),
        ({"p": 1.0}, "p`"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"tool_choice": "REQUIRED"}, "needs tools"),
        ({"tools": [{"type": "function", "function": {"name": "t"}}]}, "parameters"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "developer"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, "does not answer"),
        ({"stop": ["x"]}, "unknown field `stop`"),
        ({"top_p": 0.5}, "unknown field `top_p`"),
        ({"tool_choice": "AUTO"}, "tool_choice"),
    ],
)
def test_cohere_is_refused_what_the_provider_would_refuse(
    fake: FakeProvider, fields: dict[str, Any], message: str
) -> None:
    """With the dialect's own 400; the client would not even send some of it."""
    answer = httpx.post(
        fake.base_url + "/v2/chat",
        headers={"authorization": "Bearer good-key"},
        json={"model": "m1", "messages": HELLO} | fields,
    )

    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_cohere_must_have_a_good_key(fake: FakeProvider) -> None:
    """Otherwise 401."""
    with (
        cohere.ClientV2(api_key="bad-key", base_url=fake.base_url) as client,
        pytest.raises(cohere.errors.UnauthorizedError),
    ):
        _ask(client)


def test_cohere_sends_every_field_that_the_fake_takes() -> None:
    """The fake makes nothing up."""
    chat = set(cohere.ClientV2.chat.__annotations__) | {"stream"}

    assert set(ChatRequest.__struct_fields__) <= chat
    assert set(EmbedRequest.__struct_fields__) <= set(cohere.ClientV2.embed.__annotations__)
