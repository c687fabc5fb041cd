from typing import TYPE_CHECKING, Any

import pytest

from cortexd.domain.chat import (
    Effort,
    ToolChoice,
    ToolUse,
)
from cortexd.domain.feature import Feature
from cortexd.wire.anthropic.read_request import (
    read_chat_request,
)

if TYPE_CHECKING:
    from tests.wire.anthropic.conftest import Read, RefusedAt

INVALID_TYPE = "invalid_type"
INVALID = "invalid_value"
MISSING = "missing_required_parameter"
UNSUPPORTED = "unsupported_parameter"
HELLO: dict[str, object] = {"role": "user", "content": "hi"}
SMALLEST: dict[str, object] = {"model": "m", "messages": [HELLO], "max_tokens": 9}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "weather", "input_schema": SCHEMA}


@pytest.mark.parametrize(
    ("choice", "expected", "needs"),
    [
        ({"type": "auto"}, ToolChoice(ToolUse.AUTO), {}),
        (
            {"type": "any", "disable_parallel_tool_use": False},
            ToolChoice(ToolUse.REQUIRED),
            {Feature.REQUIRED_TOOLS: "tool_choice.type"},
        ),
        (
            {"type": "tool", "name": "weather"},
            ToolChoice(ToolUse.REQUIRED, "weather"),
            {Feature.CHOSEN_TOOL: "tool_choice.name"},
        ),
        ({"type": "none"}, ToolChoice(ToolUse.NONE), {Feature.NO_TOOL_USE: "tool_choice.type"}),
    ],
)
def test_choices_of_tools(
    read: "Read", choice: object, expected: ToolChoice, needs: dict[Feature, str]
) -> None:
    """The four there are."""
    request = read(tools=[TOOL], tool_choice=choice)
    assert (request.tool_choice, request.parallel_tool_calls) == (expected, None)
    assert request.needs == {Feature.TOOLS: "tools"} | needs


@pytest.mark.parametrize(
    ("fields", "effort", "budget", "shown"),
    [
        ({"thinking": {"type": "disabled"}}, Effort.NONE, None, True),
        ({"thinking": {"type": "adaptive"}}, Effort.HIGH, None, True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Effort.HIGH, None, False),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Effort.LOW,
            None,
            True,
        ),
        ({"output_config": {"effort": "xhigh"}}, Effort.XHIGH, None, True),
        ({"output_config": {"effort": "max"}}, Effort.MAX, None, True),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            None,
            2000,
            False,
        ),
    ],
)
def test_thinking(
    fields: dict[str, Any], effort: Effort | None, budget: int | None, *, shown: bool
) -> None:
    """An effort, a budget, or none; adaptive without a word is the API's default effort."""
    parsed = read_chat_request({**SMALLEST, "max_tokens": 4000, **fields})
    assert (parsed.request.effort, parsed.request.thinking_tokens_max) == (effort, budget)
    assert parsed.shows_thoughts is shown
    assert (Feature.REASONING in parsed.request.needs) is (effort is not Effort.NONE)


def test_what_a_tool_may_say_without_effect(read: "Read") -> None:
    """How its arguments are streamed, and what is so anyway."""
    said = {
        "eager_input_streaming": True,
        "defer_loading": False,
        "allowed_callers": ["direct"],
        "input_examples": [],
        "strict": False,
        "type": None,
    }
    assert read(tools=[{**TOOL, **said}]) == read(tools=[TOOL])


@pytest.mark.parametrize(
    ("tool", "path", "code"),
    [
        ("x", "tools[0]", INVALID_TYPE),
        ({**TOOL, "type": "web_search_20250305"}, "tools[0].type", UNSUPPORTED),
        ({**TOOL, "type": "bash_20250124"}, "tools[0].type", UNSUPPORTED),
        ({**TOOL, "name": None}, "tools[0].name", MISSING),
        ({**TOOL, "name": "a.b"}, "tools[0].name", INVALID),
        ({"name": "x"}, "tools[0].input_schema", MISSING),
        ({**TOOL, "input_schema": "x"}, "tools[0].input_schema", INVALID_TYPE),
        ({**TOOL, "input_schema": {"$ref": "http://x"}}, "tools[0].input_schema", UNSUPPORTED),
        ({**TOOL, "description": 1}, "tools[0].description", INVALID_TYPE),
        ({**TOOL, "strict": "yes"}, "tools[0].strict", INVALID_TYPE),
        ({**TOOL, "defer_loading": True}, "tools[0].defer_loading", UNSUPPORTED),
        ({**TOOL, "input_examples": [{}]}, "tools[0].input_examples", UNSUPPORTED),
        (
            {**TOOL, "allowed_callers": ["code_execution_20260120"]},
            "tools[0].allowed_callers",
            UNSUPPORTED,
        ),
        ({**TOOL, "parameters": {}}, "tools[0].parameters", UNSUPPORTED),
    ],
)
def test_each_field_of_a_tool_is_named_exactly(
    refused_at: "RefusedAt", tool: object, path: str, code: str
) -> None:
    """K8, K9; tools that run at the provider's are not served."""
    assert refused_at(tools=[tool]) == (path, code)


def test_two_tools_of_one_name_are_refused(refused_at: "RefusedAt") -> None:
    """At the second one."""
    assert refused_at(tools=[TOOL, TOOL]) == ("tools[1].name", INVALID)


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"tool_choice": {"name": "weather"}}, "tool_choice.type", MISSING),
        ({"tool_choice": {"type": "required"}}, "tool_choice.type", UNSUPPORTED),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", MISSING),
        ({"tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name", INVALID),
        ({"tool_choice": {"type": "any", "name": "weather"}}, "tool_choice.name", UNSUPPORTED),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}},
            "tool_choice.disable_parallel_tool_use",
            INVALID_TYPE,
        ),
        ({"stop_sequences": ["a", ""]}, "stop_sequences[1]", INVALID),
        ({"stop_sequences": ["a", 1]}, "stop_sequences[1]", INVALID_TYPE),
        ({"stop_sequences": ["a" * 1025]}, "stop_sequences[0]", INVALID),
        ({"metadata": {"a": 1}}, "metadata.a", UNSUPPORTED),
        ({"metadata": {"user_id": 1}}, "metadata.user_id", INVALID_TYPE),
        ({"thinking": {}}, "thinking.type", MISSING),
        ({"thinking": {"type": "between_tools"}}, "thinking.type", UNSUPPORTED),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", MISSING),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1023}},
            "thinking.budget_tokens",
            INVALID,
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5000}},
            "thinking.budget_tokens",
            INVALID,
        ),
        (
            {"thinking": {"type": "adaptive", "budget_tokens": 1024}},
            "thinking.budget_tokens",
            UNSUPPORTED,
        ),
        ({"thinking": {"type": "adaptive", "display": "full"}}, "thinking.display", INVALID),
        ({"thinking": {"type": "disabled", "display": "omitted"}}, "thinking.display", UNSUPPORTED),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            "thinking",
            UNSUPPORTED,
        ),
        ({"output_config": {"effort": "minimal"}}, "output_config.effort", UNSUPPORTED),
        ({"output_config": {"effort": 1}}, "output_config.effort", INVALID_TYPE),
        ({"output_config": {"task_budget": 1}}, "output_config.task_budget", UNSUPPORTED),
        ({"output_config": {"format": {"type": "text"}}}, "output_config.format.type", UNSUPPORTED),
        (
            {"output_config": {"format": {"type": "json_schema"}}},
            "output_config.format.schema",
            MISSING,
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {}, "name": "x"}}},
            "output_config.format.name",
            UNSUPPORTED,
        ),
    ],
)
def test_each_option_is_named_exactly(
    refused_at: "RefusedAt", fields: dict[str, Any], path: str, code: str
) -> None:
    """Every option has its own path."""
    assert refused_at(**{"max_tokens": 5000, "tools": [TOOL], **fields}) == (path, code)
