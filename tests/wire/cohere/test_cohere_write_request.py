import inspect
from typing import Any

import cohere
import pytest
from cohere.v2.client import V2Client

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    ImageUrl,
    JsonOutput,
    Message,
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
from cortexd.wire.cohere.write_request import write_chat_request

SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = (Tool("weather", "Tells the weather", SCHEMA), Tool("now"))
CALL = ToolCall("a", "weather", '{"city":"Rome"}')
EVERYTHING = Sampling(
    temperature=0.0,
    top_p=0.5,
    top_k=3,
    max_output_tokens=7,
    stop=("a", "b"),
    seed=0,
    frequency_penalty=0.0,
    presence_penalty=0.0,
)


def _written(*messages: Message, **fields: Any) -> dict[str, Any]:
    asked = messages or (text_message(Role.USER, "hi"),)
    return write_chat_request(ChatRequest(model=None, messages=asked, **fields), model="m")


def _message(role: Role, *parts: Any) -> dict[str, Any]:
    (written,) = _written(Message(role, parts))["messages"]
    assert isinstance(written, dict)
    return written


def test_the_smallest_request_asks_for_a_stream() -> None:
    """Nothing but model, messages and stream goes out."""
    assert _written(text_message(Role.SYSTEM, "be brief"), text_message(Role.USER, "hi")) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hi"},
        ],
        "stream": True,
    }


def test_every_sampling_field_goes_out() -> None:
    """Each that Cohere has a place for, also where its value is zero."""
    sent = _written(sampling=EVERYTHING)
    assert {name: sent[name] for name in sent.keys() - _written()} == {
        "temperature": 0.0,
        "p": 0.5,
        "k": 3,
        "max_tokens": 7,
        "stop_sequences": ["a", "b"],
        "seed": 0,
    }


@pytest.mark.parametrize(("top_p", "sent"), [(0.0, 0.01), (0.01, 0.01), (0.99, 0.99), (1.0, 0.99)])
def test_top_p_is_brought_into_coheres_bounds(top_p: float, sent: float) -> None:
    """1, which many clients send for nothing, would be refused."""
    assert _written(sampling=Sampling(top_p=top_p))["p"] == sent


def test_a_negative_seed_is_another() -> None:
    """Cohere's are not negative; the same seed is the same again."""
    assert _written(sampling=Sampling(seed=-1))["seed"] == 2**63 - 1


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ((Text("a"), Text("b")), "a\nb"),
        (
            (Text("see"), Image("image/png", "aGk=", "low"), Text("")),
            [
                {"type": "text", "text": "see"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"},
                },
            ],
        ),
        (
            (ImageUrl("https://example.org/a.png"),),
            [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}],
        ),
    ],
)
def test_what_users_say(parts: tuple[Any, ...], content: object) -> None:
    """Texts are one text; beside pictures, each is a part."""
    assert _message(Role.USER, *parts) == {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("parts", "members"),
    [
        ((Text("a"),), {"content": "a"}),
        (
            (Thought("hm"), Thought("", "redacted:x"), Text("a")),
            {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]},
        ),
        (
            (Thought("hm"), Text(""), CALL),
            {
                "tool_plan": "hm",
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                    }
                ],
            },
        ),
    ],
)
def test_what_assistants_said(parts: tuple[Any, ...], members: dict[str, object]) -> None:
    """Thoughts are content, or, where they led to calls, the plan."""
    assert _message(Role.ASSISTANT, *parts) == {"role": "assistant"} | members


def test_words_beside_calls_are_kept() -> None:
    """They are content."""
    assert _message(Role.ASSISTANT, Text("let me see"), CALL)["content"] == "let me see"


def test_each_tool_result_is_a_message() -> None:
    """Named by the id of its call."""
    results = (ToolResult("a", (Text("sun"), Text("wind"))), ToolResult("b", ()))
    assert _written(Message(Role.TOOL, results))["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "sun\nwind"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
    ]


def test_tools_have_parameters() -> None:
    """Also those that have none; their strictness is not theirs alone."""
    strict = (*TOOLS, Tool("go", strict=True))
    assert _written(tools=TOOLS)["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tells the weather",
                "parameters": SCHEMA,
            },
        },
        {
            "type": "function",
            "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
        },
    ]
    assert "strict_tools" not in _written(tools=TOOLS)
    assert _written(tools=strict)["strict_tools"] is True


@pytest.mark.parametrize(
    ("use", "sent"),
    [(ToolUse.AUTO, None), (ToolUse.NONE, "NONE"), (ToolUse.REQUIRED, "REQUIRED")],
)
def test_the_ways_to_use_tools(use: ToolUse, sent: str | None) -> None:
    """A choice goes out only with tools."""
    assert _written(tools=TOOLS, tool_choice=ToolChoice(use)).get("tool_choice") == sent
    assert "tool_choice" not in _written(tool_choice=ToolChoice(use))


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        (JsonOutput(), {"type": "json_object"}),
        (JsonOutput(schema=SCHEMA, name="n"), {"type": "json_object", "json_schema": SCHEMA}),
    ],
)
def test_json_output(output: JsonOutput, sent: dict[str, object]) -> None:
    """Any object, or one that fits a schema."""
    assert _written(output=output)["response_format"] == sent


@pytest.mark.parametrize(
    ("effort", "tokens", "thinking"),
    [
        (Effort.NONE, None, {"type": "disabled"}),
        (Effort.MINIMAL, None, {"type": "enabled", "token_budget": 1024}),
        (Effort.LOW, None, {"type": "enabled", "token_budget": 1024}),
        (Effort.MEDIUM, None, {"type": "enabled", "token_budget": 8192}),
        (Effort.HIGH, None, {"type": "enabled"}),
        (Effort.XHIGH, None, {"type": "enabled"}),
        (Effort.MAX, None, {"type": "enabled"}),
        (None, 2000, {"type": "enabled", "token_budget": 2000}),
    ],
)
def test_how_much_to_think(
    effort: Effort | None, tokens: int | None, thinking: dict[str, object]
) -> None:
    """An effort is a number of tokens, or none at all."""
    assert _written(effort=effort, thinking_tokens_max=tokens)["thinking"] == thinking


def test_the_official_client_knows_every_name() -> None:
    """Its method takes each member, and its types what stands in them."""
    sent = _written(
        text_message(Role.SYSTEM, "be brief"),
        Message(Role.USER, (Text("see"), Image("image/png", "aGk=", "low"))),
        Message(Role.ASSISTANT, (Thought("hm"), CALL)),
        Message(Role.TOOL, (ToolResult("a", (Text("sun"),)),)),
        Message(Role.ASSISTANT, (Thought("hm"), Text("sunny"))),
        tools=(*TOOLS, Tool("go", strict=True)),
        tool_choice=ToolChoice(ToolUse.REQUIRED),
        output=JsonOutput(schema=SCHEMA),
        effort=Effort.LOW,
        sampling=EVERYTHING,
    )
    assert sent.keys() - {"stream"} <= inspect.signature(V2Client.chat_stream).parameters.keys()
    types: dict[str, Any] = {
        "system": cohere.SystemChatMessageV2,
        "user": cohere.UserChatMessageV2,
        "assistant": cohere.AssistantChatMessageV2,
        "tool": cohere.ToolChatMessageV2,
    }
    for message in sent["messages"]:
        _check(types[message["role"]], message)
    for tool in sent["tools"]:
        _check(cohere.ToolV2, tool)
    _check(cohere.Thinking, sent["thinking"])
    _check(cohere.JsonObjectResponseFormatV2, sent["response_format"])


def _check(kind: Any, sent: dict[str, object]) -> None:
    """The types let anything pass; what they do not know they keep apart."""
    assert set(sent) <= set(kind.model_validate(sent, strict=True).__class__.model_fields) | {
        "role",
        "type",
    }
