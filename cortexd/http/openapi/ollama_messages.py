"""The messages and tools of POST /api/chat, as the readers in `cortexd.wire.ollama` take them."""

from typing import Any, Final

from cortexd.http.openapi.json_schema import (
    Schema,
    array,
    closed,
    either,
    integer,
    kind,
    nothing,
    optional,
    optionals,
    reference,
    text,
    word,
)
from cortexd.http.openapi.shared_requests import ARGUMENTS, FUNCTION_NAME
from cortexd.wire.ollama.read_tools import INDEX_MAX
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX
from cortexd.wire.parsed_image import IMAGES_MAX
from cortexd.wire.parsed_tools import (
    CALL_ID_CHARACTERS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    TOOL_CALLS_MAX,
)

_DIGIT: Final = "[A-Za-z0-9+/]"
# The beginnings by which `parsed_image` tells the types, filled up to whole groups of four.
_BEGINNINGS: Final = f"/9j/|iVBORw0KGgo{_DIGIT}|R0lGOD{_DIGIT}{{2}}|UklGR{_DIGIT}{{3}}"

IMAGES: Final = optional(
    array(
        {
            "type": "string",
            "description": "A JPEG, PNG, GIF or WebP picture in base64. Line ends are forgiven.",
            "pattern": f"^(?:{_BEGINNINGS})(?:{_DIGIT}{{4}})*"
            f"(?:{_DIGIT}{{2}}(?:==)?|{_DIGIT}{{3}}=?)?$",
        },
        "Pictures.",
        count_max=IMAGES_MAX,
    )
)

_SAID: Final = text("The text.", characters_max=MESSAGE_CHARACTERS_MAX)
_MEMBERS: Final = ("images", "thinking", "tool_calls", "tool_name", "tool_call_id")
_HAS_TEXT: Final[Schema] = {
    "properties": {"content": {"type": "string"}},
    "required": ["content"],
}


def _has_elements(name: str) -> Schema:
    return {"properties": {name: {"type": "array", "minItems": 1}}, "required": [name]}


def _message(about: str, role: str, members: dict[str, Schema], *instead_of_text: Schema) -> Schema:
    """A message; what other roles have in it is no mistake while it is empty.

    `instead_of_text`: what must be there where no text is.
    """
    rules: dict[str, Any] = {"anyOf": [_HAS_TEXT, *instead_of_text]}
    return closed(
        about,
        {
            **{name: nothing() for name in _MEMBERS},
            "role": kind(role),
            "content": optional(_SAID),
            **members,
        },
        required=["role"],
        **rules,
    )


_KIND: Final = word("The only kind there is.", "function", "", None)

_CALL: Final = closed(
    "A call that the assistant wanted made.",
    {
        "id": optional(text("Its id.", characters_max=CALL_ID_CHARACTERS_MAX)),
        "type": _KIND,
        "function": closed(
            "The function.",
            {
                "name": FUNCTION_NAME,
                "arguments": optional(ARGUMENTS),
                "index": optional(integer("Taken without effect.", 0, INDEX_MAX)),
            },
            required=["name"],
        ),
    },
    required=["function"],
)

_TOOL: Final = closed(
    "A function that the model may ask to have called.",
    {
        "type": _KIND,
        "function": closed(
            "The function.",
            {
                "name": FUNCTION_NAME,
                "description": optional(
                    text(
                        "What it does, in words for the model.",
                        characters_max=DESCRIPTION_CHARACTERS_MAX,
                    )
                ),
                "parameters": optional(reference("JsonSchema")),
                "strict": nothing(False),
            },
            required=["name"],
        ),
        "items": nothing(),
    },
    required=["function"],
)

_MESSAGES: Final = (
    _message("Instructions to the model.", "system", {}),
    _message("What the user says.", "user", {"images": IMAGES}, _has_elements("images")),
    _message(
        "An earlier answer.",
        "assistant",
        optionals(
            {
                "thinking": _SAID | {"description": "What the model thought."},
                "tool_calls": array(_CALL, count_max=TOOL_CALLS_MAX),
            }
        ),
        _has_elements("tool_calls"),
        {
            "properties": {"thinking": {"type": "string", "minLength": 1}},
            "required": ["thinking"],
        },
    ),
    _message(
        "What a call brought. It is the call of that id or name, else the next one.",
        "tool",
        {
            "images": IMAGES,
            **optionals(
                {
                    "tool_name": text(
                        "The name of the function.", characters_max=NAME_CHARACTERS_MAX
                    ),
                    "tool_call_id": text(
                        "The id of the call.", characters_max=CALL_ID_CHARACTERS_MAX
                    ),
                }
            ),
        },
        _has_elements("images"),
    ),
)

OLLAMA_MESSAGE_SCHEMAS: Final[dict[str, Schema]] = {
    "OllamaMessage": either(*_MESSAGES, about="A message of a chat."),
    "OllamaTool": _TOOL,
}
