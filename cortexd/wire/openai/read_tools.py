"""What clients of the OpenAI dialect say of tools: which there are, and how they may be used.

Source of the field names: `types/chat/chat_completion_function_tool_param.py` and
`chat_completion_tool_choice_option_param.py` of the official Python client.
"""

from typing import Final

import attrs

from cortexd.domain.chat import Tool, ToolChoice, ToolUse
from cortexd.domain.feature import Feature
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_object,
    as_text,
    refuse,
)
from cortexd.wire.parsed_tools import (
    DESCRIPTION_CHARACTERS_MAX,
    TOOLS_MAX,
    read_schema,
    read_tool_name,
)
from cortexd.wire.quotation import quoted

KIND_CHARACTERS_MAX: Final = 4096

_NEEDED: Final = {
    ToolUse.NONE: Feature.NO_TOOL_USE,
    ToolUse.REQUIRED: Feature.REQUIRED_TOOLS,
}


@attrs.frozen
class ParsedTools:
    """The tools of a request. Without any, nothing is said of how they are used."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    parallel_calls: bool | None = None


def read_tools(body: Fields, needs: dict[Feature, str]) -> ParsedTools:
    """What the body says of tools; `needs` is added to."""
    parallel_calls = read_optional_flag(body, "parallel_tool_calls")
    tools = tuple(
        _read_tool(as_object(element, path), needs)
        for path, element in body.items("tools", count_max=TOOLS_MAX)
    )
    choice = _read_choice(body, tools, needs)
    if not tools:
        # No tools, no calls: how many of them there may be at once makes no difference.
        return ParsedTools()
    needs.setdefault(Feature.TOOLS, body.at("tools"))
    if parallel_calls is False:
        needs.setdefault(Feature.SERIAL_TOOL_CALLS, body.at("parallel_tool_calls"))
    return ParsedTools(tools, choice, parallel_calls)


def read_function(fields: Fields) -> Fields:
    """The member `function` of an object whose `type` says that it has one."""
    kind = fields.text("type", characters_max=KIND_CHARACTERS_MAX)
    if kind is None:
        refuse(fields.at("type"), "is missing; it must be function", MISSING)
    if kind != "function":
        refuse(fields.at("type"), "is supported only as function", UNSUPPORTED)
    function = fields.nested("function")
    if function is None:
        refuse(fields.at("function"), "is missing; it must be an object", MISSING)
    return function


def read_optional_flag(fields: Fields, name: str) -> bool | None:
    """A boolean, `None` where it is absent."""
    return None if fields.members.get(name) is None else fields.flag(name, default=False)


def _read_tool(tool: Fields, needs: dict[Feature, str]) -> Tool:
    function = read_function(tool)
    tool.only({"type", "function"}, {})
    function.only({"name", "description", "parameters", "strict"}, {})
    strict = read_optional_flag(function, "strict")
    if strict:
        needs.setdefault(Feature.STRICT_TOOLS, function.at("strict"))
    return Tool(
        name=read_tool_name(function),
        description=function.text("description", characters_max=DESCRIPTION_CHARACTERS_MAX),
        parameters=read_schema(function, "parameters"),
        strict=strict,
    )


def _read_choice(
    body: Fields, tools: tuple[Tool, ...], needs: dict[Feature, str]
) -> ToolChoice | None:
    value = body.members.get("tool_choice")
    path = body.at("tool_choice")
    names = [tool.name for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            problem = f"is the name of two tools: {quoted(name)}"
            refuse(f"{body.at('tools')}[{index}].function.name", problem, INVALID_VALUE)
    if value is None:
        return None
    if isinstance(value, dict):
        name = _read_chosen(Fields(value, path), names)
        needs.setdefault(Feature.CHOSEN_TOOL, path)
        return ToolChoice(ToolUse.REQUIRED, name)
    word = as_text(value, path, characters_max=KIND_CHARACTERS_MAX)
    try:
        use = ToolUse(word)
    except ValueError:
        known = ", ".join(use.value for use in ToolUse)
        refuse(
            path, f"must be one of {known}, or name a function, not {quoted(word)}", INVALID_VALUE
        )
    if use is ToolUse.REQUIRED and not tools:
        refuse(path, "needs tools", INVALID_VALUE)
    if tools and use in _NEEDED:
        needs.setdefault(_NEEDED[use], path)
    return ToolChoice(use)


def _read_chosen(choice: Fields, names: list[str]) -> str:
    function = read_function(choice)
    choice.only({"type", "function"}, {})
    function.only({"name"}, {})
    name = read_tool_name(function)
    if name not in names:
        refuse(function.at("name"), f"is not the name of a tool: {quoted(name)}", INVALID_VALUE)
    return name
