"""Messages and their blocks in the Anthropic dialect, as `cortexd.wire.anthropic` takes them."""

from typing import Final

from cortexd.http.openapi.json_schema import (
    Schema,
    array,
    closed,
    either,
    flag,
    kind,
    nothing,
    optional,
    optionals,
    text,
    word,
)
from cortexd.http.openapi.shared_requests import (
    ARGUMENTS,
    BASE64,
    CALL_ID,
    FUNCTION_NAME,
    WEB_ADDRESS,
)
from cortexd.wire.anthropic.read_blocks import (
    BLOCKS_MAX,
    IMAGE_CHARACTERS_MAX,
    SIGNATURE_CHARACTERS_MAX,
)
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX
from cortexd.wire.parsed_image import MEDIA_TYPES
from cortexd.wire.parsed_tools import TOOL_CALLS_MAX

CACHE_CONTROL: Final = optional(
    closed(
        "A hint what to remember. It changes no answer, and is taken without effect.",
        {"type": kind("ephemeral"), "ttl": word("For how long.", "5m", "1h", None)},
        required=["type"],
    )
)

_SAID: Final = text("The text.", characters_max=MESSAGE_CHARACTERS_MAX)

_TEXT: Final = closed(
    "A text.",
    {
        "type": kind("text"),
        "text": _SAID,
        "cache_control": CACHE_CONTROL,
        "citations": nothing(),
    },
    required=["type", "text"],
)

_IMAGE: Final = closed(
    "A picture.",
    {
        "type": kind("image"),
        "source": either(
            closed(
                "The picture itself.",
                {
                    "type": kind("base64"),
                    "media_type": word("", *sorted(MEDIA_TYPES)),
                    "data": text(
                        "Its bytes in base64. Line ends are forgiven.",
                        characters_max=IMAGE_CHARACTERS_MAX,
                        pattern=f"^{BASE64}$",
                    ),
                },
                required=["type", "media_type", "data"],
            ),
            closed(
                "Where the picture is.",
                {"type": kind("url"), "url": WEB_ADDRESS},
                required=["type", "url"],
            ),
        ),
        "cache_control": CACHE_CONTROL,
        "transformations": nothing({"oversized_image": "downsize"}),
    },
    required=["type", "source"],
)

_THINKING: Final = closed(
    "A thought that an earlier answer came with, and its seal.",
    {
        "type": kind("thinking"),
        "thinking": _SAID,
        "signature": optional(text("The seal.", characters_max=SIGNATURE_CHARACTERS_MAX)),
    },
    required=["type", "thinking"],
)

_REDACTED: Final = closed(
    "A thought that nobody can read.",
    {
        "type": kind("redacted_thinking"),
        "data": text("The thought, encrypted.", characters_max=SIGNATURE_CHARACTERS_MAX),
    },
    required=["type", "data"],
)

_TOOL_USE: Final = closed(
    "A call that the assistant wanted made.",
    {
        "type": kind("tool_use"),
        "id": CALL_ID,
        "name": FUNCTION_NAME,
        "input": ARGUMENTS,
        "cache_control": CACHE_CONTROL,
        "caller": nothing({"type": "direct"}),
        "toolset_name": nothing(),
    },
    required=["type", "id", "name", "input"],
)


def _content(*blocks: Schema, count_min: int = 0) -> Schema:
    """What is said: a text, or blocks."""
    one = either(*blocks) if len(blocks) > 1 else blocks[0]
    return either(_SAID, array(one, count_min=count_min, count_max=BLOCKS_MAX))


_TOOL_RESULT: Final = closed(
    "What a call brought. It stands before all blocks of other types.",
    {
        "type": kind("tool_result"),
        "tool_use_id": CALL_ID,
        **optionals(
            {
                "content": _content(_TEXT, _IMAGE),
                "is_error": flag("Whether the call has failed."),
            }
        ),
        "cache_control": CACHE_CONTROL,
        "toolset_name": nothing(),
    },
    required=["type", "tool_use_id"],
)

SYSTEM_CONTENT: Final = optional(_content(_TEXT)) | {"description": "Instructions to the model."}


def _message(about: str, role: str, *blocks: Schema) -> Schema:
    return closed(
        about,
        {"role": kind(role), "content": _content(*blocks, count_min=1)},
        required=["role", "content"],
    )


ANTHROPIC_BLOCK_SCHEMAS: Final[dict[str, Schema]] = {
    "AnthropicMessage": either(
        _message("What the user says.", "user", _TEXT, _IMAGE, _TOOL_RESULT),
        _message(
            f"An earlier answer, with at most {TOOL_CALLS_MAX} tool uses.",
            "assistant",
            _TEXT,
            _THINKING,
            _REDACTED,
            _TOOL_USE,
        ),
        _message("Instructions in the course of the conversation.", "system", _TEXT),
        about="A message of a chat.",
    )
}
