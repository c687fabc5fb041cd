"""The messages of a chat in the OpenAI dialect, as `cortexd.wire.openai.read_messages` takes them.

The name of a message's schema is what OpenAI's own description calls it, as far as there is one.
"""

from typing import Any, Final

from cortexd.http.openapi.json_schema import (
    Schema,
    array,
    closed,
    either,
    kind,
    nothing,
    optional,
    reference,
    text,
    word,
)
from cortexd.http.openapi.shared_requests import (
    BASE64,
    CALL_ID,
    FUNCTION_NAME,
    WEB_ADDRESS,
)
from cortexd.wire.openai import read_messages
from cortexd.wire.openai.read_tools import KIND_CHARACTERS_MAX
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX
from cortexd.wire.parsed_image import MEDIA_TYPES
from cortexd.wire.parsed_tools import ARGUMENTS_CHARACTERS_MAX, TOOL_CALLS_MAX

_ANYTHING: Final[Schema] = {"description": "Not looked at.", **reference("AnyJson")}
_BREAKPOINT: Final = optional(reference("OpenAiCacheHint"))
_SAID: Final = text("The text.", characters_max=MESSAGE_CHARACTERS_MAX)


def _part(name: str, about: str, holds: Schema) -> Schema:
    """A part of a message, which is named after what it holds."""
    members = {"type": kind(name), name: holds, "prompt_cache_breakpoint": _BREAKPOINT}
    return closed(about, members, required=["type", name])


_TEXT: Final = _part("text", "A text.", _SAID)
_REFUSAL: Final = _part("refusal", "Words in which the model declined.", _SAID)
_IMAGE: Final = _part(
    "image_url",
    "A picture.",
    closed(
        "Where it is, and how closely to look at it.",
        {
            "url": either(
                {
                    "type": "string",
                    "description": "The picture itself. Line ends in the base64 are forgiven.",
                    "pattern": f"^data:(?:{'|'.join(sorted(MEDIA_TYPES))});base64,{BASE64}$",
                },
                WEB_ADDRESS,
            ),
            "detail": word("How closely.", "auto", "low", "high", None),
        },
        required=["url"],
    ),
)


def _content(*parts: Schema) -> Schema:
    """What a message says: a text, or parts."""
    several = array(
        either(*parts) if len(parts) > 1 else parts[0],
        count_min=1,
        count_max=read_messages.PARTS_MAX,
    )
    return either(_SAID, several, about="What is said.")


_ROLES_OWN: Final = ("refusal", "tool_call_id", "tool_calls")


def _message(
    about: str, role: Schema, members: dict[str, Schema], *, required: list[str], **rules: Any
) -> Schema:
    """A message; what other roles have in it is no mistake while it is empty."""
    empty = {name: nothing() for name in ("annotations", "audio", "function_call", *_ROLES_OWN)}
    return closed(about, {**empty, "role": role, **members}, required=["role", *required], **rules)


_NAME: Final = optional(
    text(
        "Which of several participants wrote it.",
        characters_max=read_messages.NAME_CHARACTERS_MAX,
    )
)

_CALL: Final = closed(
    "A call that the assistant wanted made.",
    {
        "id": CALL_ID,
        "type": kind("function"),
        "function": closed(
            "The function.",
            {
                "name": FUNCTION_NAME,
                "arguments": text(
                    "The JSON of an object; empty text stands for `{}`.",
                    characters_max=ARGUMENTS_CHARACTERS_MAX,
                    contentMediaType="application/json",
                    contentSchema={"type": "object"},
                    examples=['{"city": "Paris"}'],
                ),
            },
            required=["name", "arguments"],
        ),
    },
    required=["id", "type", "function"],
)

_SYSTEM: Final = _message(
    "Instructions to the model.",
    word("", "system", "developer"),
    {"content": _content(_TEXT), "name": _NAME},
    required=["content"],
)

_USER: Final = _message(
    "What the user says.",
    kind("user"),
    {"content": _content(_TEXT, _IMAGE), "name": _NAME},
    required=["content"],
)

_ANSWER_CONTENT: Final = _content(_TEXT, _REFUSAL)

_ASSISTANT: Final = _message(
    "An earlier answer. Beside calls or a refusal, its content may be left out or empty.",
    kind("assistant"),
    {
        "content": either(_ANSWER_CONTENT, {"type": "null"}, {"type": "array", "maxItems": 0}),
        "name": _NAME,
        "refusal": optional(_SAID | {"description": "Words in which the model declined."}),
        "reasoning_content": optional(_SAID | {"description": "What the model thought."}),
        "tool_calls": optional(array(_CALL, count_max=TOOL_CALLS_MAX)),
    },
    required=[],
    anyOf=[
        {
            "properties": {"content": {"type": ["string", "array"], "minItems": 1}},
            "required": ["content"],
        },
        {
            "properties": {"tool_calls": {"type": "array", "minItems": 1}},
            "required": ["tool_calls"],
        },
        {
            "properties": {"refusal": {"type": "string", "minLength": 1}},
            "required": ["refusal"],
        },
    ],
)

_TOOL: Final = _message(
    "What a call brought.",
    kind("tool"),
    {
        "content": _content(_TEXT),
        "tool_call_id": CALL_ID,
        "name": optional(
            text(
                "If it is given, the name of the function that was called.",
                characters_max=KIND_CHARACTERS_MAX,
            )
        ),
    },
    required=["content", "tool_call_id"],
)

OPENAI_MESSAGE_SCHEMAS: Final[dict[str, Schema]] = {
    "OpenAiMessage": either(_SYSTEM, _USER, _ASSISTANT, _TOOL, about="A message of a chat."),
    "OpenAiCacheHint": closed(
        "A hint to the provider's prompt cache. It changes no answer, and is taken without effect.",
        {"mode": _ANYTHING, "ttl": _ANYTHING},
    ),
}
