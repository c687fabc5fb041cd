import json
from typing import Any

import pytest
from google.genai import types

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
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
from cortexd.wire.gemini.call_ids import make_call_id
from cortexd.wire.gemini.token_count import write_token_count_request
from cortexd.wire.gemini.write_request import write_chat_request

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "additionalProperties": False,
}
TOOLS = (Tool("weather", "Tells the weather", SCHEMA), Tool("now"))
LAX = Tool("weather", strict=False)
STRICT = Tool("weather", strict=True)
SEALED = make_call_id("0123456789abcdef", 0, "c2+/YQ==")
BARE = "call_0123456789ab_0"
EVERYTHING = Sampling(
    temperature=2.0,
    top_p=0.5,
    top_k=3,
    max_output_tokens=7,
    stop=("a", "b"),
    seed=0,
    frequency_penalty=-2.0,
    presence_penalty=0.0,
)
DIALOGUE = (
    text_message(Role.SYSTEM, "be brief"),
    text_message(Role.USER, "look"),
    Message(Role.USER, (Image("image/png", "aGk="), Text("and tell"))),
    text_message(Role.SYSTEM, "be kind"),
    Message(
        Role.ASSISTANT,
        (
            Thought("hm"),
            Text(""),
            ToolCall(SEALED, "weather", '{"city": "Rome"}'),
            ToolCall("toolu_2", "now", "{}"),
        ),
    ),
    Message(Role.TOOL, (ToolResult(SEALED, (Text("sun"), Text("wind"))),)),
    Message(Role.TOOL, (ToolResult("toolu_2", (Text("no clock"),), is_error=True),)),
    text_message(Role.USER, "so?"),
)


def _written(*messages: Message, model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
    asked = messages or (text_message(Role.USER, "hi"),)
    return write_chat_request(ChatRequest(model=None, messages=asked, **fields), model=model)


def test_the_smallest_request_is_a_turn() -> None:
    """The model stands in the path, and nothing else is needed."""
    assert _written() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_every_sampling_field_goes_out() -> None:
    """Each field of `Sampling` has its place, also where its value is zero."""
    assert _written(sampling=EVERYTHING)["generationConfig"] == {
        "temperature": 2.0,
        "topP": 0.5,
        "topK": 3,
        "maxOutputTokens": 7,
        "stopSequences": ["a", "b"],
        "seed": 0,
        "frequencyPenalty": -2.0,
        "presencePenalty": 0.0,
    }


def test_values_beyond_geminis_bounds_are_brought_into_them() -> None:
    """A seed is folded into 32 bits, and a penalty of 2 is the highest there is."""
    sampling = Sampling(seed=-1, frequency_penalty=2.0, presence_penalty=2.0)
    assert _written(sampling=sampling)["generationConfig"] == {
        "seed": 2**31 - 1,
        "frequencyPenalty": 1.99,
        "presencePenalty": 1.99,
    }


def test_messages_become_turns() -> None:
    """System texts have their own place; what follows each other in a role is one turn."""
    assert _written(*DIALOGUE) == {
        "systemInstruction": {"parts": [{"text": "be brief\n\nbe kind"}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "look"},
                    {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    {"text": "and tell"},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"id": BARE, "name": "weather", "args": {"city": "Rome"}},
                        "thoughtSignature": "c2+/YQ==",
                    },
                    {"functionCall": {"id": "toolu_2", "name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": BARE,
                            "name": "weather",
                            "response": {"output": "sun\nwind"},
                        }
                    },
                    {
                        "functionResponse": {
                            "id": "toolu_2",
                            "name": "now",
                            "response": {"error": "no clock"},
                        }
                    },
                    {"text": "so?"},
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    ("model", "seals"),
    [
        ("gemini-3-pro-preview", ["skip_thought_signature_validator", None]),
        ("gemini-flash-latest", ["skip_thought_signature_validator", None]),
        ("gemini-2.5-pro", [None, None]),
    ],
)
def test_calls_of_others_get_past_the_check(model: str, seals: list[str | None]) -> None:
    """Newer models want a seal on the first call of a turn; for foreign ones Google names one."""
    calls = (ToolCall("a", "now", "{}"), ToolCall("b", "now", "{}"))
    contents = _written(Message(Role.ASSISTANT, calls), model=model)["contents"]
    assert [part.get("thoughtSignature") for part in contents[0]["parts"]] == seals


def test_a_seal_of_geminis_own_is_kept() -> None:
    """Only what has no seal gets the one for foreign calls."""
    call = Message(Role.ASSISTANT, (ToolCall(SEALED, "now", "{}"),))
    contents = _written(call, model="gemini-3-pro")["contents"]
    assert contents[0]["parts"][0]["thoughtSignature"] == "c2+/YQ=="


def test_system_texts_alone_are_the_users() -> None:
    """There must be a turn."""
    assert _written(text_message(Role.SYSTEM, "sing")) == {
        "contents": [{"role": "user", "parts": [{"text": "sing"}]}]
    }


def test_what_says_nothing_is_left_out() -> None:
    """A turn without parts would be refused."""
    silent = Message(Role.ASSISTANT, (Thought("hm", "seal"), Text("")))
    contents = _written(text_message(Role.USER, "a"), silent, text_message(Role.USER, "b"))
    assert [turn["role"] for turn in contents["contents"]] == ["user", "user"]


def test_tools_are_declared_with_json_schemas() -> None:
    """A schema goes out as it came; a tool without one has none."""
    assert _written(tools=TOOLS)["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells the weather",
                    "parametersJsonSchema": SCHEMA,
                },
                {"name": "now"},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "first", "config"),
    [
        (None, LAX, None),
        (ToolChoice(ToolUse.AUTO), LAX, None),
        (ToolChoice(ToolUse.NONE), LAX, {"mode": "NONE"}),
        (ToolChoice(ToolUse.REQUIRED), STRICT, {"mode": "ANY"}),
        (
            ToolChoice(ToolUse.REQUIRED, "weather"),
            LAX,
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
        (None, STRICT, {"mode": "VALIDATED"}),
        (ToolChoice(ToolUse.NONE), STRICT, {"mode": "NONE"}),
    ],
)
def test_the_ways_to_use_tools(
    choice: ToolChoice | None, first: Tool, config: dict[str, object] | None
) -> None:
    """Each choice has its mode, and so has the wish for strict arguments."""
    tools = (first, Tool("now"))
    wanted = None if config is None else {"functionCallingConfig": config}
    assert _written(tools=tools, tool_choice=choice).get("toolConfig") == wanted


def test_a_choice_without_tools_is_none() -> None:
    """Gemini refuses a configuration of tools that are not there."""
    assert "toolConfig" not in _written(tool_choice=ToolChoice(ToolUse.NONE))


@pytest.mark.parametrize(
    ("output", "config"),
    [
        (JsonOutput(), {"responseMimeType": "application/json"}),
        (
            JsonOutput(schema=SCHEMA, name="n", strict=True),
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
    ],
)
def test_json_output(output: JsonOutput, config: dict[str, object]) -> None:
    """Any object, or one that fits a schema."""
    assert _written(output=output)["generationConfig"] == config


@pytest.mark.parametrize(
    ("effort", "tokens", "thinking"),
    [
        (Effort.NONE, None, {"thinkingBudget": 0}),
        (Effort.MINIMAL, None, {"thinkingBudget": 1024, "includeThoughts": True}),
        (Effort.LOW, None, {"thinkingBudget": 1024, "includeThoughts": True}),
        (Effort.MEDIUM, None, {"thinkingBudget": 8192, "includeThoughts": True}),
        (Effort.HIGH, None, {"thinkingBudget": 24576, "includeThoughts": True}),
        (Effort.XHIGH, None, {"thinkingBudget": 24576, "includeThoughts": True}),
        (Effort.MAX, None, {"thinkingBudget": 24576, "includeThoughts": True}),
        (None, 2000, {"thinkingBudget": 2000, "includeThoughts": True}),
    ],
)
def test_the_budgets_of_thinking(
    effort: Effort | None, tokens: int | None, thinking: dict[str, object]
) -> None:
    """An effort is Google's own number of tokens for it; a number stays one."""
    config = _written(effort=effort, thinking_tokens_max=tokens)["generationConfig"]
    assert config == {"thinkingConfig": thinking}


def test_the_official_client_knows_every_name() -> None:
    """Its types forbid what they do not know."""
    written = _written(
        *DIALOGUE,
        tools=TOOLS,
        tool_choice=ToolChoice(ToolUse.REQUIRED, "weather"),
        output=JsonOutput(schema=SCHEMA),
        effort=Effort.LOW,
        sampling=EVERYTHING,
    )
    assert set(json.loads(json.dumps(written))) == {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
    }
    for turn in [*written["contents"], written["systemInstruction"]]:
        types.Content.model_validate(turn)
    for tool in written["tools"]:
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(written["toolConfig"])
    types.GenerationConfig.model_validate(written["generationConfig"])


def test_tokens_are_counted_of_the_whole_request() -> None:
    """System texts and tools count, too."""
    request = ChatRequest(model=None, messages=DIALOGUE, tools=TOOLS)
    assert write_token_count_request(request, model="m") == {
        "generateContentRequest": {"model": "models/m"} | write_chat_request(request, model="m")
    }
