"""What is kept, and by what it is known again."""

import random
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.answer import (
    AnswerEvent,
    Finished,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallStarted,
)
from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    ImageUrl,
    JsonOutput,
    Message,
    Part,
    Role,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    text_message,
)
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.feature import Feature
from cortexd.domain.ids import Tenant
from cortexd.domain.request import TokenCountRequest
from cortexd.policy.caching import (
    INPUT_TOKENS_MAX,
    CacheSettings,
    cache_key,
    expiry,
    idempotency_digest,
    is_cacheable,
    is_storable,
    models_meant,
)

CHAT = ChatRequest(model="m", messages=(text_message(Role.USER, "hello"),))
TOOL = Tool("f", "what it does", {"type": "object", "properties": {"a": {"type": "string"}}})


def _key(request: ChatRequest | EmbeddingRequest, **other: Any) -> bytes:
    return cache_key(request, **{"tenant": Tenant("t"), "models": ("m",), **other})


# For each field a value that is not its default.
OTHER_VALUES: dict[str, Any] = {
    "messages": (text_message(Role.USER, "good-bye"),),
    "sampling": Sampling(seed=1),
    "tools": (TOOL,),
    "tool_choice": ToolChoice(ToolUse.AUTO),
    "parallel_tool_calls": False,
    "output": JsonOutput(),
    "effort": Effort.LOW,
    "thinking_tokens_max": 1,
    "top_logprobs": 0,
}


def test_every_field_of_a_chat_is_in_the_key() -> None:
    """A new field changes the answer, too, unless somebody says here that it does not."""
    fields = {field.name for field in attrs.fields(ChatRequest)}
    assert fields - set(OTHER_VALUES) == {"model", "needs"}
    for name, value in OTHER_VALUES.items():
        assert _key(attrs.evolve(CHAT, **{name: value})) != _key(CHAT), name


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Sampling)])
def test_every_sampling_field_is_in_the_key(name: str) -> None:
    """Each of them can change the answer."""
    value: Any = ("x",) if name == "stop" else 1
    sampled = attrs.evolve(CHAT, sampling=attrs.evolve(Sampling(), **{name: value}))
    assert _key(sampled) != _key(CHAT)


def test_the_tenant_the_models_and_the_kind_of_request_are_in_the_key() -> None:
    """Nobody sees another tenant's answer, and an embedding is no chat."""
    assert _key(CHAT, tenant=Tenant("u")) != _key(CHAT)
    assert _key(CHAT, models=("m", "n")) != _key(CHAT)
    embedding = EmbeddingRequest(model="m", texts=("a",))
    assert _key(embedding) != _key(attrs.evolve(embedding, texts=("b",)))
    assert _key(embedding) != _key(attrs.evolve(embedding, dimensions=2))
    assert {field.name for field in attrs.fields(EmbeddingRequest)} == {
        "model",
        "texts",
        "dimensions",
        "needs",
    }


def test_neither_needs_nor_the_order_of_members_are_in_the_key() -> None:
    """They say nothing that the rest of the request does not say."""
    assert _key(attrs.evolve(CHAT, needs={Feature.TOOLS: "tools"})) == _key(CHAT)
    turned = Tool("f", "what it does", {"properties": {"a": {"type": "string"}}, "type": "object"})
    assert _key(attrs.evolve(CHAT, tools=(TOOL,))) == _key(attrs.evolve(CHAT, tools=(turned,)))


def test_the_kinds_of_parts_are_told_apart_by_their_fields() -> None:
    """The encoding has no other tag for them."""
    kinds = get_args(Part)
    assert len({frozenset(field.name for field in attrs.fields(kind)) for kind in kinds}) == len(
        kinds
    )


SOME_TEXT = st.text("ab\x00", max_size=3)
TEXTS = st.builds(Text, SOME_TEXT)
PICTURES = st.builds(Image, SOME_TEXT, SOME_TEXT, st.none() | SOME_TEXT) | st.builds(
    ImageUrl, SOME_TEXT, st.none() | SOME_TEXT
)
PARTS = (
    TEXTS
    | PICTURES
    | st.builds(Thought, SOME_TEXT, st.none() | SOME_TEXT)
    | st.builds(ToolCall, SOME_TEXT, SOME_TEXT, SOME_TEXT)
    | st.builds(ToolResult, SOME_TEXT, st.tuples(TEXTS | PICTURES), st.booleans())
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | SOME_TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SOME_TEXT, inner, max_size=2),
    max_leaves=4,
)
CHATS = st.builds(
    ChatRequest,
    model=st.just("m"),
    messages=st.lists(
        st.builds(
            Message,
            st.sampled_from(Role),
            st.lists(PARTS, max_size=2).map(tuple),
            st.none() | SOME_TEXT,
        ),
        max_size=2,
    ).map(tuple),
    sampling=st.builds(Sampling, stop=st.lists(SOME_TEXT, max_size=2).map(tuple)),
    tools=st.lists(
        st.builds(Tool, SOME_TEXT, parameters=st.dictionaries(SOME_TEXT, JSON, max_size=2)),
        max_size=2,
    ).map(tuple),
)


def _exact(value: object) -> object:
    """`value` such that equality is that of JSON: true is not 1."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return (type(value), value)


def _meaning(request: ChatRequest) -> object:
    """The request, such that equality is sameness."""
    return attrs.evolve(request, tools=()), [
        (tool.name, _exact(tool.parameters)) for tool in request.tools
    ]


@pytest.mark.slow
@given(CHATS, CHATS)
def test_two_requests_have_one_key_only_if_they_are_the_same(
    one: ChatRequest, other: ChatRequest
) -> None:
    """Nothing runs into its neighbour, nothing passes for something of another kind."""
    assert (_key(one) == _key(other)) == (_meaning(one) == _meaning(other))


def test_a_name_given_by_the_client_is_no_key_of_a_request() -> None:
    """It is the tenant's own, and only that name."""
    digest = idempotency_digest("a", tenant=Tenant("t"))
    assert digest == idempotency_digest("a", tenant=Tenant("t"))
    assert digest != idempotency_digest("b", tenant=Tenant("t"))
    assert digest != idempotency_digest("a", tenant=Tenant("u"))


def test_an_alias_counts_with_its_targets() -> None:
    """Redefined, it is another model; and it is never taken for a model of the same name."""
    aliases = {"fast": ("a/m", "b")}
    assert models_meant("fast", aliases) == ("fast", "a/m", "b")
    assert models_meant("m", aliases) == ("m",)
    assert models_meant("auto", aliases) == models_meant(None, aliases) == ()


@pytest.mark.parametrize(
    ("temperature", "cacheable"), [(None, True), (0.0, True), (0.9, True), (0.91, False)]
)
def test_a_high_temperature_asks_for_another_answer(
    *, temperature: float | None, cacheable: bool
) -> None:
    """Up to 0.9, and where nothing is said, equal requests may have one answer."""
    request = attrs.evolve(CHAT, sampling=Sampling(temperature=temperature))
    assert is_cacheable(request) is cacheable


def test_only_chats_with_messages_are_cacheable() -> None:
    """What computes nothing, or says what it is by itself, needs no cache."""
    assert not is_cacheable(attrs.evolve(CHAT, messages=()))
    assert not is_cacheable(TokenCountRequest(CHAT))
    assert not is_cacheable(EmbeddingRequest(model="m", texts=("a",)))


ROOM = 4 * INPUT_TOKENS_MAX - 16
"""How many bytes one message may have beside its marks."""


@pytest.mark.parametrize(
    ("parts", "cacheable"),
    [
        ((Text("x" * ROOM),), True),
        ((Text("x" * (ROOM + 1)),), False),
        ((Text("ä" * (ROOM // 2)),), True),
        ((Text("ä" * ROOM),), False),
        ((Image("image/png", "x" * 10**6),), True),
        ((Image("image/png", ""), ImageUrl("u")), False),
        ((Thought("x" * 10**6),), False),
        ((ToolCall("i", "f", "x" * 10**6),), False),
        ((ToolResult("i", (Text("x" * 10**6),)),), False),
    ],
)
def test_long_prompts_are_not_cacheable(*, parts: tuple[Part, ...], cacheable: bool) -> None:
    """More than 2000 tokens by the estimate."""
    assert is_cacheable(attrs.evolve(CHAT, messages=(Message(Role.USER, parts),))) is cacheable


@pytest.mark.parametrize(
    "tool",
    [
        Tool("f", "x" * 10**6),
        Tool("f", None, {"x" * 10**6: 1}),
        Tool("f", None, {"a": {"b": ["x" * 10**6]}}),
        Tool("f", None, {"a": list(range(10**5))}),
    ],
)
def test_long_tools_are_not_cacheable(tool: Tool) -> None:
    """They are part of the prompt."""
    assert not is_cacheable(attrs.evolve(CHAT, tools=(tool,)))
    assert is_cacheable(attrs.evolve(CHAT, tools=(TOOL,)))


class _Unread(str):
    """A text that must not be encoded."""

    __slots__ = ()

    def encode(self, *args: Any) -> bytes:
        """Fail the test."""
        raise AssertionError("encoded")


def test_what_is_surely_too_long_is_not_encoded() -> None:
    """Megabytes are not worth an exact estimate."""
    assert not is_cacheable(
        attrs.evolve(CHAT, messages=(Message(Role.USER, (Text(_Unread("x" * 10**4)),)),))
    )


@pytest.mark.parametrize("reason", FinishReason)
def test_all_but_a_filters_verdict_is_storable(reason: FinishReason) -> None:
    """What was held back may not be the next time."""
    storable = is_storable((TextDelta("x"), Finished(reason)))
    assert storable is (reason is not FinishReason.CONTENT_FILTER)


@pytest.mark.parametrize(
    "events",
    [
        (),
        (TextDelta("x"),),
        (Finished(FinishReason.STOP),),
        (RefusalDelta("no"), Finished(FinishReason.STOP)),
        (TextDelta("x"), RefusalDelta("no"), Finished(FinishReason.STOP)),
    ],
)
def test_what_is_not_whole_or_says_nothing_is_not_storable(events: tuple[AnswerEvent, ...]) -> None:
    """Nor is a refusal."""
    assert not is_storable(events)


def test_a_call_is_something_said() -> None:
    """An answer of calls alone is storable."""
    assert is_storable((ToolCallStarted(0, "i", "f"), Finished(FinishReason.TOOL_CALLS)))


def test_answers_expire_at_different_times() -> None:
    """Within ten percent of the setting."""
    settings = CacheSettings(ttl_seconds=100.0)
    chance = random.Random(1)  # noqa: S311  no secrets here
    expiries = [expiry(1000.0, settings, chance=chance) for _ in range(200)]
    assert min(expiries) >= 1090.0
    assert max(expiries) <= 1110.0
    assert max(expiries) - min(expiries) > 15.0
