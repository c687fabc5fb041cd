"""The messages of a chat as workers of the OpenAI dialect are sent them.

Each message goes out in the simplest form there is for it, since compatible servers differ in what
else they take: texts as one string, and a list of parts only where there are pictures. Thoughts
stay here: in this dialect, reasoning is no part of a conversation, and Groq refuses it.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from cortexd.domain.chat import (
    Image,
    ImageUrl,
    Message,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    joined_text,
)

CALL_ID_CHARACTERS_MAX: Final = 40
"""What OpenAI takes; it refuses longer ids by this number."""


def write_messages(messages: Sequence[Message]) -> list[dict[str, object]]:
    """The messages; each tool result is one of its own."""
    return [written for message in messages for written in _write(message)]


def write_call_id(call_id: str) -> str:
    """The id, or what stands for it: another provider's may be longer than OpenAI takes.

    A call and its result get the same, and so they do the next time the conversation is sent.
    """
    if len(call_id) <= CALL_ID_CHARACTERS_MAX:
        return call_id
    return f"call_{sha256(call_id.encode()).hexdigest()[: CALL_ID_CHARACTERS_MAX - 5]}"


def _write(message: Message) -> Iterator[dict[str, object]]:
    if message.role is Role.TOOL:
        for result in message.parts:
            if isinstance(result, ToolResult):
                yield {
                    "role": "tool",
                    "tool_call_id": write_call_id(result.call_id),
                    "content": joined_text(result.parts),
                }
        return
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    written: dict[str, object] = {
        "role": message.role.value,
        "content": _write_content(message.parts, or_null=bool(calls)),
    }
    if message.name is not None:
        written["name"] = message.name
    if calls:
        written["tool_calls"] = [_write_call(call) for call in calls]
    yield written


def _write_content(parts: Sequence[Part], *, or_null: bool) -> str | list[dict[str, object]] | None:
    if any(isinstance(part, Image | ImageUrl) for part in parts):
        return [_write_part(part) for part in parts if isinstance(part, Text | Image | ImageUrl)]
    if or_null and not any(isinstance(part, Text) for part in parts):
        return None
    return joined_text(parts)


def _write_part(part: Text | Image | ImageUrl) -> dict[str, object]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    url = part.url if isinstance(part, ImageUrl) else f"data:{part.media_type};base64,{part.data}"
    image = {"url": url}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _write_call(call: ToolCall) -> dict[str, object]:
    return {
        "id": write_call_id(call.call_id),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
