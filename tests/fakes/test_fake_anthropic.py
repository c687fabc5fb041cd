import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic.types import message_count_tokens_params, message_create_params

from tests.fakes.anthropic import OLD_VERSION, Anthropic
from tests.fakes.anthropic_requests import CountRequest, MessagesRequest
from tests.fakes.dialect import Dialect
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say, think

pytestmark = pytest.mark.real_time

HELLO: list[Any] = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def fake(start_fake: Callable[[Dialect], FakeProvider]) -> FakeProvider:
    """Anthropic."""
    return start_fake(Anthropic())


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[anthropic.Anthropic]:
    """The official client, which tries only once."""
    with anthropic.Anthropic(
        base_url=fake.base_url, api_key="good-key", max_retries=0, timeout=20
    ) as client:
        yield client


def _ask(client: anthropic.Anthropic, **fields: Any) -> Any:
    options: dict[str, Any] = {"model": "m1", "messages": HELLO, "max_tokens": 9}
    return client.messages.create(**options | fields)


def _collect(client: anthropic.Anthropic, **fields: Any) -> Any:
    """The message that the client itself puts together from a stream."""
    options: dict[str, Any] = {"model": "m1", "messages": HELLO, "max_tokens": 9} | fields
    with client.messages.stream(**options) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("noisy", [False, True])
def test_anthropic_reads_an_answer(
    client: anthropic.Anthropic, fake: FakeProvider, *, noisy: bool
) -> None:
    """Whole and streamed, past pings and events of unknown kinds; cached input counts apart."""
    counts = Counts(input=9, output=5, cached=4)
    fake.play(Scene(parts=(say("Hello world"),), counts=counts, noisy=noisy))

    with client.messages.stream(model="m1", messages=HELLO, max_tokens=9) as stream:
        pieces = list(stream.text_stream)
        streamed: Any = stream.get_final_message()

    assert pieces == ["Hello", " world"]
    for message in (_ask(client), streamed):
        assert message.content[0].text == "Hello world"
        assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
        assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 5)
        assert message.usage.cache_read_input_tokens == 4


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.LENGTH, "max_tokens"),
        (Finish.STOP_SEQUENCE, "stop_sequence"),
        (Finish.CONTENT_FILTER, "refusal"),
    ],
)
def test_anthropic_reads_why_an_answer_ends(
    client: anthropic.Anthropic, fake: FakeProvider, finish: Finish, reason: str
) -> None:
    """And which text stopped it."""
    fake.play(Scene.text("Hello", finish=finish))

    for message in (_ask(client, stop_sequences=["END"]), _collect(client)):
        assert message.stop_reason == reason
        assert message.stop_sequence == ("END" if finish is Finish.STOP_SEQUENCE else None)


def test_anthropic_calls_tools_and_sends_their_results(
    client: anthropic.Anthropic, fake: FakeProvider, weather_schema: dict[str, object]
) -> None:
    """Thought, text and two calls, one without arguments, put together from a stream."""
    tools = [{"name": "weather", "input_schema": weather_schema, "description": "It looks out."}]
    calls = (Call("weather", {"city": "Rome"}), Call("weather", {}, "call_2"))
    fake.play(Scene.of(think("Hm, well."), say("Wait."), *calls))

    streamed, whole = _collect(client, tools=tools), _ask(client, tools=tools)
    fake.play(Scene.echo())
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": "dark"},
    ]
    turn = [
        *HELLO,
        {"role": "assistant", "content": streamed.content},
        {"role": "user", "content": [*results, {"type": "text", "text": "So?"}]},
    ]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    echo = _ask(client, messages=turn, tools=tools, tool_choice=choice)

    assert streamed.stop_reason == whole.stop_reason == "tool_use"
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.to_dict() for block in streamed.content] == [
        block.to_dict() for block in whole.content
    ]
    understood = json.loads(echo.content[0].text)
    assert understood["messages"] == [
        {"role": "user", "text": "Say hello"},
        {
            "role": "assistant",
            "text": "Wait.",
            "thought": "Hm, well.",
            "signature": "c2VhbGVk",
            "calls": [
                {"id": "toolu_1", "name": "weather", "arguments": {"city": "Rome"}},
                {"id": "toolu_2", "name": "weather", "arguments": {}},
            ],
        },
        {"role": "tool", "id": "toolu_1", "name": "weather", "text": "sunny"},
        {"role": "tool", "id": "toolu_2", "name": "weather", "text": "dark", "is_error": True},
        {"role": "user", "text": "So?"},
    ]
    assert understood["parallel_tool_calls"] is False


def test_anthropic_sends_everything_it_can(
    client: anthropic.Anthropic, fake: FakeProvider, png_base64: str, weather_schema: Any
) -> None:
    """Pictures, output and effort; and sampling, in the older version of the API."""
    source = {"type": "base64", "media_type": "image/png", "data": png_base64}
    address = {"type": "url", "url": "https://example.org/a.png"}
    content = [
        {"type": "image", "source": source},
        {"type": "image", "source": address},
        {"type": "text", "text": "What is this?"},
    ]
    _ask(
        client,
        messages=[{"role": "user", "content": content}],
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        stop_sequences=["END"],
        output_config={
            "effort": "low",
            "format": {"type": "json_schema", "schema": weather_schema},
        },
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 3},
        extra_headers={"anthropic-version": OLD_VERSION},
    )

    understood = fake.chats[-1].understood
    assert understood is not None
    embedded, linked = understood.pop("messages")[0].pop("images")
    assert (embedded["media_type"], linked["url"]) == ("image/png", "https://example.org/a.png")
    assert understood == {
        "model": "m1",
        "system": "Be brief.",
        "max_tokens": 9,
        "stop": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "reasoning": "low",
        "output": {"schema": weather_schema},
    }


@pytest.mark.parametrize(
    ("trouble", "error", "kind"),
    [
        (Trouble.BAD_REQUEST, anthropic.BadRequestError, "invalid_request_error"),
        (Trouble.SPEND_LIMIT, anthropic.BadRequestError, "invalid_request_error"),
        (Trouble.BAD_KEY, anthropic.AuthenticationError, "authentication_error"),
        (Trouble.QUOTA, anthropic.APIStatusError, "billing_error"),
        (Trouble.FORBIDDEN, anthropic.PermissionDeniedError, "permission_error"),
        (Trouble.NO_MODEL, anthropic.NotFoundError, "not_found_error"),
        (Trouble.TOO_LARGE, anthropic.APIStatusError, "request_too_large"),
        (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
        (Trouble.RATE_LIMIT, anthropic.RateLimitError, "rate_limit_error"),
        (Trouble.MONTHLY_QUOTA, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (502, anthropic.InternalServerError, None),
        (503, anthropic.InternalServerError, "overloaded_error"),
        (Trouble.OVERLOADED, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_anthropic_raises_its_own_errors(
    client: anthropic.Anthropic,
    fake: FakeProvider,
    trouble: Trouble | int,
    error: type[anthropic.APIStatusError],
    kind: str | None,
) -> None:
    """For each trouble the class and the kind by which the client knows it."""
    fake.play(Scene.refuse(trouble, retry_after_s=7))

    with pytest.raises(error) as caught:
        _ask(client)

    assert caught.value.type == kind
    assert caught.value.response.headers.get("retry-after") == (None if kind is None else "7")
    if trouble is Trouble.MONTHLY_QUOTA:
        assert caught.value.error_code == "enforced_spend_limit_reached"


def test_anthropic_notices_an_error_in_the_stream(
    client: anthropic.Anthropic, fake: FakeProvider
) -> None:
    """What would be a 529 comes within a 200."""
    overloaded = Trouble.OVERLOADED
    fake.play(Scene.text("Hello world").error_in_stream(after_pieces=1, trouble=overloaded))
    pieces: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model="m1", messages=HELLO, max_tokens=9) as stream,
    ):
        pieces += stream.text_stream

    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


@pytest.mark.parametrize("reset", [False, True])
def test_anthropic_notices_a_lost_connection(
    client: anthropic.Anthropic, fake: FakeProvider, *, reset: bool
) -> None:
    """Closed or reset, streamed or whole."""
    fake.play(Scene.text("Hello world").cut(after_pieces=1, reset=reset))

    with pytest.raises(httpx2.TransportError):
        _collect(client)
    with pytest.raises(anthropic.APIConnectionError):
        _ask(client)


def test_anthropic_lists_models_and_counts(client: anthropic.Anthropic, fake: FakeProvider) -> None:
    """What else there is, for a good key."""
    assert [model.id for model in client.models.list()] == ["m1", "m2"]
    assert client.messages.count_tokens(model="m1", messages=HELLO).input_tokens == 2
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="bad-key").models.list()


USE = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"stop": ["x"]}}, "unknown field `stop`"),
        ({"extra_body": {"temperature": 1.0}}, "Extra inputs"),
        ({"extra_body": {"temperature": 1.5}}, "temperature"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message"),
        ({"messages": [{"role": "user", "content": ""}]}, "content"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x "}]}, "whitespace"),
        ({"messages": [*HELLO, {"role": "assistant", "content": [USE]}]}, "without a result"),
        ({"messages": [{"role": "user", "content": [USE]}]}, "cannot be the user's"),
        ({"tool_choice": {"type": "any"}}, "tools"),
        ({"thinking": THINKING}, "max_tokens"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "name"),
    ],
)
def test_anthropic_is_refused_what_the_provider_would_refuse(
    client: anthropic.Anthropic, fields: dict[str, Any], message: str
) -> None:
    """With the dialect's own 400."""
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        _ask(client, **fields)

    assert caught.value.type == "invalid_request_error"


def test_anthropic_wants_a_limit_and_a_version(fake: FakeProvider) -> None:
    """No client of theirs would leave either out."""
    url, key = fake.base_url + "/v1/messages", {"x-api-key": "good-key"}
    body: dict[str, Any] = {"model": "m1", "messages": HELLO}

    unversioned = httpx.post(url, headers=key, json=body | {"max_tokens": 9})
    unlimited = httpx.post(url, headers=key | {"anthropic-version": OLD_VERSION}, json=body)

    assert "anthropic-version" in unversioned.json()["error"]["message"]
    assert "max_tokens" in unlimited.json()["error"]["message"]


def test_anthropics_new_models_take_no_prefill(
    start_fake: Callable[[Dialect], FakeProvider], client: anthropic.Anthropic
) -> None:
    """The old ones do; a test chooses."""
    turn = [*HELLO, {"role": "assistant", "content": "Hel"}]
    new = start_fake(Anthropic(takes_prefill=False))

    assert _ask(client, messages=turn).stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        _ask(client.with_options(base_url=new.base_url), messages=turn)


def test_anthropic_knows_every_field_that_the_fake_takes() -> None:
    """But for the sampling of the older version."""
    base = message_create_params.MessageCreateParamsBase.__annotations__
    known = {*base, "stream"}
    counted = message_count_tokens_params.MessageCountTokensParams.__annotations__

    assert set(MessagesRequest.__struct_fields__) - known == {"temperature", "top_p", "top_k"}
    assert set(CountRequest.__struct_fields__) <= set(counted)
