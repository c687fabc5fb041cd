"""How a conversation is put to an Anthropic worker: turns of blocks, the system prompt apart.

Source of the shapes: `types/*_block_param.py` of the official Python client (anthropic); that empty
texts are refused and which call ids are taken, the API's own errors.
"""

import re
from collections.abc import Sequence
from typing import Final

import attrs

from cortexd.domain.chat import Image, ImageUrl, Message, Part, Role, Text, Thought, ToolCall
from cortexd.wire.anthropic.redaction import redacted_data
from cortexd.wire.tool_arguments import as_object

_CALL_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


@attrs.frozen
class Turn:
    """What one side says until the other side does; `blocks` is never empty."""

    role: str
    blocks: list[dict[str, object]]

    @property
    def brings_results(self) -> bool:
        """Whether the assistant goes on where it had called tools."""
        return any(block["type"] == "tool_result" for block in self.blocks)

    @property
    def begins_with_thought(self) -> bool:
        """Whether it is the answer of a model that thought first."""
        return self.blocks[0]["type"] in {"thinking", "redacted_thinking"}

    def write(self) -> dict[str, object]:
        """The message."""
        return {"role": self.role, "content": self.blocks}


def write_system(messages: Sequence[Message]) -> str:
    """All system messages, wherever they stand, with a blank line between."""
    texts = (message.text for message in messages if message.role is Role.SYSTEM)
    return "\n\n".join(text for text in texts if text)


def write_turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The other messages; those that one side wrote in a row become one turn.

    What has nothing to say is left out: the API refuses it.
    """
    turns: list[Turn] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _write_parts(message.parts)
        if not blocks:
            continue
        if turns and turns[-1].role == role:
            turns[-1].blocks.extend(blocks)
        else:
            turns.append(Turn(role, blocks))
    return tuple(turns)


def _write_parts(parts: Sequence[Part]) -> list[dict[str, object]]:
    blocks = (_write_part(part) for part in parts)
    return [block for block in blocks if block is not None]


def _write_part(part: Part) -> dict[str, object] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text} if text else None
        case Image() | ImageUrl():
            return {"type": "image", "source": _write_source(part)}
        case Thought():
            return _write_thought(part)
        case ToolCall(call_id, name, arguments):
            return {
                "type": "tool_use",
                "id": _write_call_id(call_id),
                "name": name,
                "input": as_object(arguments, tool=name),
            }
    block: dict[str, object] = {
        "type": "tool_result",
        "tool_use_id": _write_call_id(part.call_id),
    }
    if content := _write_parts(part.parts):
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return block


def _write_source(image: Image | ImageUrl) -> dict[str, object]:
    if isinstance(image, ImageUrl):
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.media_type, "data": image.data}


def _write_thought(thought: Thought) -> dict[str, object] | None:
    """The API takes back its own thoughts alone, which it knows by their signatures."""
    if thought.signature is None:
        return None
    data = redacted_data(thought.signature)
    if data is not None:
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _write_call_id(call_id: str) -> str:
    """The id, spelt in characters that the API takes; two of them never become one."""
    return call_id if _CALL_ID.fullmatch(call_id) else f"hex_{call_id.encode().hex()}"
