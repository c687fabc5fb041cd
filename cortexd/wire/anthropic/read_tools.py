"""The tools that a client offers, and how it wants them used.

Source of the shapes: `types/tool_param.py` and `types/tool_choice_*_param.py` of the official
Python client (anthropic). Tools that run at Anthropic's have a `type` of their own and are refused.
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import Tool, ToolChoice, ToolUse
from cortexd.domain.feature import Feature
from cortexd.wire.anthropic.read_blocks import KIND_CHARACTERS_MAX, check_cache_control, read_kind
from cortexd.wire.fields import INVALID_VALUE, MISSING, UNSUPPORTED, Fields, as_object, refuse
from cortexd.wire.parsed_tools import (
    DESCRIPTION_CHARACTERS_MAX,
    TOOLS_MAX,
    read_schema,
    read_tool_name,
)
from cortexd.wire.quotation import quoted

_CUSTOM: Final = "custom"

_TOOL_TAKEN: Final = frozenset(
    {
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        # In what pieces the arguments come changes nothing of what they say.
        "eager_input_streaming",
    }
)
_TOOL_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "allowed_callers": (["direct"],),
    "defer_loading": (False,),
    "input_examples": (),
}

_USES: Final = {
    "auto": ToolUse.AUTO,
    "any": ToolUse.REQUIRED,
    "tool": ToolUse.REQUIRED,
    "none": ToolUse.NONE,
}


def read_tools(body: Fields, needs: dict[Feature, str]) -> tuple[Tool, ...]:
    """The tools, each under a name of its own."""
    tools: list[Tool] = []
    names: set[str] = set()
    for place, element in body.items("tools", count_max=TOOLS_MAX):
        fields = as_object(element, place)
        tool = _read_tool(fields)
        if tool.name in names:
            refuse(
                fields.at("name"), f"is the name of two tools: {quoted(tool.name)}", INVALID_VALUE
            )
        names.add(tool.name)
        tools.append(tool)
        needs.setdefault(Feature.TOOLS, body.at("tools"))
        if tool.strict:
            needs.setdefault(Feature.STRICT_TOOLS, fields.at("strict"))
    return tuple(tools)


def read_tool_choice(
    body: Fields, tools: tuple[Tool, ...], needs: dict[Feature, str]
) -> tuple[ToolChoice | None, bool | None]:
    """How tools may be used, and whether several may be called at once; `None`: not said."""
    choice = body.nested("tool_choice")
    if choice is None:
        return None, None
    if not tools:
        refuse(choice.path, "needs tools to choose from", INVALID_VALUE)
    kind = read_kind(choice, tuple(_USES))
    # What may not be called at all is not called twice.
    for_nothing = {"disable_parallel_tool_use": (True, False)} if kind == "none" else {}
    named = {"name"} if kind == "tool" else set[str]()
    choice.only({"type", "disable_parallel_tool_use", *named} - for_nothing.keys(), for_nothing)
    name = _read_chosen(choice, tools, needs) if named else None
    if kind == "any":
        needs.setdefault(Feature.REQUIRED_TOOLS, choice.at("type"))
    if kind == "none":
        needs.setdefault(Feature.NO_TOOL_USE, choice.at("type"))
        return ToolChoice(ToolUse.NONE), None
    is_serial = choice.flag("disable_parallel_tool_use", default=False)
    if is_serial:
        needs.setdefault(Feature.SERIAL_TOOL_CALLS, choice.at("disable_parallel_tool_use"))
    return ToolChoice(_USES[kind], name), False if is_serial else None


def _read_chosen(choice: Fields, tools: tuple[Tool, ...], needs: dict[Feature, str]) -> str:
    name = read_tool_name(choice)
    if name not in {tool.name for tool in tools}:
        refuse(choice.at("name"), f"is no tool of this request: {quoted(name)}", INVALID_VALUE)
    needs.setdefault(Feature.CHOSEN_TOOL, choice.at("name"))
    return name


def _read_tool(tool: Fields) -> Tool:
    kind = tool.text("type", characters_max=KIND_CHARACTERS_MAX)
    if kind not in {None, _CUSTOM}:
        problem = f"is supported only as {_CUSTOM}, not {quoted(kind or '')}"
        refuse(tool.at("type"), problem, UNSUPPORTED)
    tool.only(_TOOL_TAKEN, _TOOL_FOR_NOTHING)
    check_cache_control(tool)
    tool.flag("eager_input_streaming", default=False)
    schema = read_schema(tool, "input_schema")
    if schema is None:
        refuse(tool.at("input_schema"), "is missing; it must be a JSON Schema", MISSING)
    return Tool(
        name=read_tool_name(tool),
        description=tool.text("description", characters_max=DESCRIPTION_CHARACTERS_MAX),
        parameters=schema,
        strict=tool.flag("strict", default=False) or None,
    )
