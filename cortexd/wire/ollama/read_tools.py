"""The tools that a client of the Ollama dialect offers, and the calls in its history.

Source of the shapes: `Tool` and `ToolCall` in `api/types.go` of ollama/ollama.
"""

from typing import Final

from cortexd.domain.chat import Tool, ToolCall
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_object,
    refuse,
    refuse_type,
)
from cortexd.wire.parsed_tools import (
    ARGUMENTS_CHARACTERS_MAX,
    CALL_ID_CHARACTERS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    TOOL_CALLS_MAX,
    TOOLS_MAX,
    read_schema,
    read_tool_name,
)
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import dumps

_KIND: Final = "function"
_KIND_CHARACTERS_MAX: Final = 64
INDEX_MAX: Final = 2**31 - 1


def read_tools(body: Fields) -> tuple[Tool, ...]:
    """The functions in `tools`."""
    return tuple(
        _read_tool(as_object(element, place))
        for place, element in body.items("tools", count_max=TOOLS_MAX)
    )


def read_tool_calls(message: Fields, *, message_index: int) -> tuple[ToolCall, ...]:
    """The calls that an assistant's message made.

    The official client forgets the ids of calls, so each without one gets one made of its place.
    """
    return tuple(
        _read_tool_call(as_object(element, place), made_id=f"call_{message_index}_{position}")
        for position, (place, element) in enumerate(
            message.items("tool_calls", count_max=TOOL_CALLS_MAX)
        )
    )


def _read_tool(tool: Fields) -> Tool:
    tool.only({"type", "function"}, {"items": ()})
    function = _read_function(tool)
    # Other dialects can ask for strict arguments; here it would be ignored.
    function.only({"name", "description", "parameters"}, {"strict": (False,)})
    return Tool(
        name=read_tool_name(function),
        description=function.text("description", characters_max=DESCRIPTION_CHARACTERS_MAX),
        parameters=read_schema(function, "parameters"),
    )


def _read_tool_call(call: Fields, *, made_id: str) -> ToolCall:
    call.only({"id", "type", "function"}, {})
    call_id = call.text("id", characters_max=CALL_ID_CHARACTERS_MAX)
    function = _read_function(call)
    # The order of the calls says what `index` does.
    function.only({"name", "arguments", "index"}, {})
    function.integer("index", low=0, high=INDEX_MAX)
    return ToolCall(call_id or made_id, read_tool_name(function), _read_arguments(function))


def _read_function(fields: Fields) -> Fields:
    """The function that a tool or a call is, which is the only kind there is."""
    kind = fields.text("type", characters_max=_KIND_CHARACTERS_MAX)
    if kind not in {None, "", _KIND}:
        refuse(fields.at("type"), f"is supported only as {_KIND}, not {quoted(kind)}", UNSUPPORTED)
    function = fields.nested("function")
    if function is None:
        refuse(fields.at("function"), "is missing; it must be an object", MISSING)
    return function


def _read_arguments(function: Fields) -> str:
    path = function.at("arguments")
    arguments = function.members.get("arguments")
    if arguments is None:
        return "{}"
    if not isinstance(arguments, dict):
        refuse_type(path, arguments, "an object")
    text = dumps(arguments).decode()
    if len(text) > ARGUMENTS_CHARACTERS_MAX:
        refuse(path, f"must have at most {ARGUMENTS_CHARACTERS_MAX} characters", INVALID_VALUE)
    return text
