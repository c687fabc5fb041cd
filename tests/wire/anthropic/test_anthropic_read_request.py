import contextlib
from typing import TYPE_CHECKING

import attrs
import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsBase
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    JsonOutput,
    Message,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolUse,
    text_message,
)
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.domain.request import TokenCountRequest
from cortexd.wire.anthropic.read_request import (
    ParsedMessages,
    read_chat_request,
    read_token_count_request,
)

if TYPE_CHECKING:
    from tests.wire.anthropic.conftest import RefusedAt

INVALID_TYPE = "invalid_type"
INVALID = "invalid_value"
MISSING = "missing_required_parameter"
UNSUPPORTED = "unsupported_parameter"
HELLO: dict[str, object] = {"role": "user", "content": "hi"}
SMALLEST: dict[str, object] = {"model": "m", "messages": [HELLO], "max_tokens": 9}
ABSENT = ...
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "weather", "input_schema": SCHEMA}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def test_the_smallest_request() -> None:
    """Model, messages and a limit are enough; nothing else is made up."""
    assert read_chat_request(SMALLEST) == ParsedMessages(
        request=ChatRequest(
            model="m",
            messages=(text_message(Role.USER, "hi"),),
            sampling=Sampling(max_output_tokens=9),
        ),
        stream=False,
    )


def test_everything_that_is_served() -> None:
    """Each field of the allow-list reaches its place in the domain, and states what it needs."""
    parsed = read_chat_request(
        {
            "model": "m",
            "max_tokens": 5000,
            "system": [
                {"type": "text", "text": "be brief", **CACHED},
                {"type": "text", "text": "!"},
            ],
            "messages": [HELLO],
            "stream": True,
            "temperature": 1,
            "top_p": 0.5,
            "top_k": 3,
            "stop_sequences": ["x", "\n", "y", "z", "5"],
            "tools": [{**TOOL, "type": "custom", "description": "d", "strict": True, **CACHED}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
            "output_config": {
                "effort": "low",
                "format": {"type": "json_schema", "schema": {"type": "object"}},
            },
            "metadata": {"user_id": "u"},
            "service_tier": "standard_only",
            "cache_control": {"type": "ephemeral"},
        }
    )
    assert parsed == ParsedMessages(
        request=ChatRequest(
            model="m",
            messages=(
                Message(Role.SYSTEM, (Text("be brief"), Text("!"))),
                text_message(Role.USER, "hi"),
            ),
            sampling=Sampling(
                temperature=1.0,
                top_p=0.5,
                top_k=3,
                max_output_tokens=5000,
                stop=("x", "\n", "y", "z", "5"),
            ),
            tools=(Tool("weather", "d", SCHEMA, strict=True),),
            tool_choice=ToolChoice(ToolUse.AUTO),
            parallel_tool_calls=False,
            output=JsonOutput(schema={"type": "object"}, strict=True),
            effort=Effort.LOW,
            thinking_tokens_max=1024,
            needs={
                Feature.STOP: "stop_sequences",
                Feature.TOP_K: "top_k",
                Feature.TOOLS: "tools",
                Feature.STRICT_TOOLS: "tools[0].strict",
                Feature.SERIAL_TOOL_CALLS: "tool_choice.disable_parallel_tool_use",
                Feature.REASONING: "output_config.effort",
                Feature.JSON_SCHEMA: "output_config.format",
            },
        ),
        stream=True,
    )


@pytest.mark.parametrize("name", sorted(MessageCreateParamsBase.__annotations__))
def test_null_counts_as_absent(refused_at: "RefusedAt", name: str) -> None:
    """The official client may send null for each field it knows; only three are required."""
    if name in {"model", "messages", "max_tokens"}:
        assert refused_at(**{name: None})[0] == name
    else:
        assert read_chat_request({**SMALLEST, name: None}) == read_chat_request(SMALLEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", []),
        ("stop_sequences", []),
        ("metadata", {}),
        ("metadata", {"user_id": None}),
        ("service_tier", "auto"),
        ("speed", "standard"),
        ("mcp_servers", []),
        ("context_management", {}),
        ("output_config", {}),
        ("cache_control", {"type": "ephemeral", "ttl": "5m"}),
    ],
)
def test_what_asks_for_nothing_is_taken(name: str, value: object) -> None:
    """A field that is empty, or says what happens anyway, is no reason to refuse."""
    assert read_chat_request({**SMALLEST, name: value}) == read_chat_request(SMALLEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("container", "c"),
        ("mcp_servers", [{"type": "url"}]),
        ("context_management", {"edits": [1]}),
        ("diagnostics", {"previous_message_id": "msg_1"}),
        ("inference_geo", "us"),
        ("user_profile_id", "u"),
        ("workspace_id", "w"),
        ("output_format", {"type": "json_schema"}),
        ("speed", "fast"),
        ("n", 1),
        ("seed", 1),
        ("api_base", None),
        ("base_url", "x"),
        ("extra_body", {}),
        ("timeout", 1),
        ("stop", ["x"]),
        ("", 1),
    ],
)
def test_what_is_not_served_is_refused_by_name(
    refused_at: "RefusedAt", name: str, value: object
) -> None:
    """K18, K19: an allow-list decides; nothing is dropped in silence and nothing passed on."""
    assert refused_at(**{name: value}) == (name, UNSUPPORTED)


WRONG: dict[str, list[object]] = {
    "model": [ABSENT, None, 42, True, "", [], "m\r\n", "x" * 257],
    "messages": [ABSENT, None, {}, "", [], 1, [HELLO] * 10_001],
    "max_tokens": [ABSENT, None, 0, -1, 2**31, 1.5, "1", True, []],
    "system": [1, {}, True],
    "stream": ["true", 1, 0, [], {}],
    "temperature": [-0.1, 1.1, 2, "1", True, []],
    "top_p": [-0.1, 1.1, "1", True],
    "top_k": [0, -1, 1.0, "1", True, 2**31],
    "stop_sequences": ["x", 1, {}, ["x"] * 65],
    "tools": ["x", {}, 1, [TOOL] * 129],
    "tool_choice": ["auto", 1, [], {"type": "auto"}],
    "thinking": ["enabled", 1, True, []],
    "output_config": ["x", 1, []],
    "metadata": ["x", 1, []],
    "service_tier": ["priority", 1, {}],
    "cache_control": ["x", 1],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_by_name(refused_at: "RefusedAt", name: str) -> None:
    """K1, K4, K10-K12: wrong types and ranges; a boolean is no number."""
    for value in WRONG[name]:
        param, code = refused_at(**{name: value})
        assert param == name, value
        assert code in {INVALID_TYPE, INVALID, MISSING}


def test_a_count_takes_the_prompt_alone() -> None:
    """The same fields without those that say how to answer."""
    document: dict[str, object] = {"model": "m", "messages": [HELLO], "system": "s"}
    document["tools"] = [TOOL]
    counted = read_token_count_request(document)
    asked = read_chat_request({**document, "max_tokens": 9}).request
    assert counted == TokenCountRequest(attrs.evolve(asked, sampling=Sampling()))
    assert counted.needs == {Feature.TOOLS: "tools"}
    for name in ("max_tokens", "stream", "temperature", "stop_sequences", "metadata"):
        with pytest.raises(RequestRefused) as caught:
            read_token_count_request({**document, name: 1})
        assert (caught.value.param, caught.value.code) == (name, UNSUPPORTED)


def test_a_count_may_name_a_budget_without_a_limit() -> None:
    """There is no `max_tokens` to compare it with."""
    thinking = {"type": "enabled", "budget_tokens": 9000}
    counted = read_token_count_request({"model": "m", "messages": [HELLO], "thinking": thinking})
    assert counted.chat.thinking_tokens_max == 9000


@pytest.mark.parametrize("name", sorted(MessageCountTokensParams.__annotations__))
def test_null_counts_as_absent_in_a_count(name: str) -> None:
    """As in a request for an answer."""
    document: dict[str, object] = {"model": "m", "messages": [HELLO]}
    if name in document:
        with pytest.raises(RequestRefused):
            read_token_count_request({**document, name: None})
    else:
        assert read_token_count_request({**document, name: None}) == read_token_count_request(
            document
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


NAMES = st.sampled_from(sorted(MessageCreateParamsBase.__annotations__))


@given(st.dictionaries(NAMES, JSON, max_size=4), st.lists(JSON, max_size=3), JSON)
def test_any_json_is_read_or_refused(
    fields: dict[str, object], blocks: list[object], role: object
) -> None:
    """Whatever a client sends: nothing but a `RequestRefused` comes of it."""
    message = {"role": role, "content": blocks}
    for document in (
        {**SMALLEST, **fields},
        {**SMALLEST, "messages": [{**HELLO, "content": blocks}, message]},
    ):
        with contextlib.suppress(RequestRefused):
            assert read_chat_request(document).request.messages
