"""The conversation as Cohere is sent it.

Source: `types/*_chat_message_v2.py` and `types/content.py` of the official Python client (cohere).
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cortexd.domain.chat import (
    Image,
    ImageUrl,
    Message,
    Part,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    joined_text,
)

Written: TypeAlias = dict[str, object]


def write_messages(messages: Sequence[Message]) -> list[Written]:
    """The messages; each tool result is one of its own."""
    return [written for message in messages for written in _write(message)]


def _write(message: Message) -> Iterator[Written]:
    match message.role:
        case Role.TOOL:
            yield from (_write_result(p) for p in message.parts if isinstance(p, ToolResult))
        case Role.ASSISTANT:
            yield {"role": "assistant"} | _write_assistant(message.parts)
        case Role.SYSTEM | Role.USER:
            yield {"role": message.role.value, "content": _write_content(message.parts)}


def _write_result(result: ToolResult) -> Written:
    return {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": joined_text(result.parts),
    }


def _write_assistant(parts: Sequence[Part]) -> Written:
    """Thoughts that led to calls are what Cohere names the plan; all others are content."""
    calls = [_write_call(part) for part in parts if isinstance(part, ToolCall)]
    if not calls:
        return {"content": _write_content(parts)}
    optional: Written = {
        "tool_plan": "\n".join(part.text for part in parts if isinstance(part, Thought)),
        "content": joined_text(parts),
    }
    return {"tool_calls": calls} | {name: text for name, text in optional.items() if text}


def _write_content(parts: Sequence[Part]) -> str | list[Written]:
    """One text, or the parts where there are others than texts."""
    if all(isinstance(part, Text) for part in parts):
        return joined_text(parts)
    return [written for part in parts if (written := _write_part(part)) is not None]


def _write_part(part: Part) -> Written | None:
    match part:
        case Text(text) if text:
            return {"type": "text", "text": text}
        # What another provider has sealed may hold no words.
        case Thought(text) if text:
            return {"type": "thinking", "thinking": text}
        case Image(media_type, data, detail):
            return _write_image(f"data:{media_type};base64,{data}", detail)
        case ImageUrl(url, detail):
            return _write_image(url, detail)
    return None


def _write_image(url: str, detail: str | None) -> Written:
    image = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image}


def _write_call(call: ToolCall) -> Written:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}
