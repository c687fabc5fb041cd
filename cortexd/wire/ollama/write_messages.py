"""How a conversation looks to an Ollama worker.

Source of the field names: `Message` in `api/types.go` of ollama/ollama.
"""

from collections.abc import Iterator

from cortexd.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Part,
    Thought,
    ToolCall,
    ToolResult,
    joined_text,
)
from cortexd.wire.tool_arguments import as_object


def write_messages(request: ChatRequest) -> list[dict[str, object]]:
    """The messages; each result of a call is one of its own."""
    return [written for message in request.messages for written in _write(message, request)]


def _write(message: Message, request: ChatRequest) -> Iterator[dict[str, object]]:
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    for result in results:
        yield _write_result(result, request)
    if results:
        return
    written: dict[str, object] = {"role": message.role.value, "content": message.text}
    if thinking := _thinking(message.parts):
        written["thinking"] = thinking
    if images := [part.data for part in message.parts if isinstance(part, Image)]:
        written["images"] = images
    if calls := [_write_call(part) for part in message.parts if isinstance(part, ToolCall)]:
        written["tool_calls"] = calls
    yield written


def _write_result(result: ToolResult, request: ChatRequest) -> dict[str, object]:
    written: dict[str, object] = {"role": "tool", "content": joined_text(result.parts)}
    # Newer servers tell results apart by the id, older ones by the name.
    if name := request.tool_name(result.call_id):
        written["tool_name"] = name
    return written | {"tool_call_id": result.call_id}


def _write_call(call: ToolCall) -> dict[str, object]:
    arguments = as_object(call.arguments, tool=call.name)
    return {"id": call.call_id, "function": {"name": call.name, "arguments": arguments}}


def _thinking(parts: tuple[Part, ...]) -> str:
    """The thoughts as one; a seal of another provider on them means nothing here."""
    return "\n".join(part.text for part in parts if isinstance(part, Thought) and part.text)
