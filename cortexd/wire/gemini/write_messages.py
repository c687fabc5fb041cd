"""The conversation as Gemini is sent it: turns of the user and of the model.

Source: `Content`, `Part`, `FunctionCall` and `FunctionResponse` in `types.py` of the official
Python client (google-genai), and Google's page on thought signatures.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final, TypeAlias

from cortexd.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    joined_text,
)
from cortexd.wire.gemini.call_ids import split_call_id
from cortexd.wire.tool_arguments import as_object

Written: TypeAlias = dict[str, object]

_USER: Final = "user"
_MODEL: Final = "model"

# What Google says to put where the calls of a turn are not Gemini's own.
_NO_SIGNATURE: Final = "skip_thought_signature_validator"
_MODELS_WITHOUT_CHECK: Final = ("gemini-1", "gemini-2")


def write_contents(request: ChatRequest, *, model: str) -> list[Written]:
    """The turns. Messages that follow each other in the same role are one turn.

    Thoughts stay here; what Gemini needs of its own comes back in the seals of its calls. A message
    that says nothing is left out; system texts have a place of their own.
    """
    messages = (message for message in request.messages if message.role is not Role.SYSTEM)
    turns: list[Written] = []
    for role, group in groupby(messages, _role_of):
        parts = [part for message in group for part in _write_parts(message, request)]
        if role == _MODEL and not model.startswith(_MODELS_WITHOUT_CHECK):
            _seal_first_call(parts)
        if parts:
            turns.append({"role": role, "parts": parts})
    return turns


def system_text(request: ChatRequest) -> str:
    """All system texts, wherever they stand, with a blank line between."""
    return "\n\n".join(m.text for m in request.messages if m.role is Role.SYSTEM)


def _role_of(message: Message) -> str:
    return _MODEL if message.role is Role.ASSISTANT else _USER


def _write_parts(message: Message, request: ChatRequest) -> Iterator[Written]:
    for part in message.parts:
        written = _write_part(part, request)
        if written is not None:
            yield written


def _write_part(part: Part, request: ChatRequest) -> Written | None:
    match part:
        case Text(text) if text:
            return {"text": text}
        case Image(media_type, data):
            return {"inlineData": {"mimeType": media_type, "data": data}}
        case ToolCall():
            return _write_call(part)
        case ToolResult():
            return _write_result(part, request)
    return None


def _write_call(call: ToolCall) -> Written:
    call_id, signature = split_call_id(call.call_id)
    arguments = as_object(call.arguments, tool=call.name)
    written: Written = {"functionCall": {"id": call_id, "name": call.name, "args": arguments}}
    return written if signature is None else written | {"thoughtSignature": signature}


def _write_result(result: ToolResult, request: ChatRequest) -> Written:
    """A result must be an object, whose members `output` and `error` Gemini knows."""
    response = {
        "id": split_call_id(result.call_id)[0],
        "name": request.tool_name(result.call_id),
        "response": {"error" if result.is_error else "output": joined_text(result.parts)},
    }
    return {"functionResponse": response}


def _seal_first_call(parts: list[Written]) -> None:
    """Of several calls, Gemini seals the first, and checks no other."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", _NO_SIGNATURE)
