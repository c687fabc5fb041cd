"""What clients of the Anthropic dialect are answered: what `cortexd.wire.anthropic` writes."""

from typing import Final

from cortexd.http.openapi.json_schema import Schema, either, growing, kind, reference, word

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_INDEX: Final[dict[str, Schema]] = {"index": _COUNT}

_USAGE: Final = growing(
    "What the worker counted. At the start of a stream, the input is not known yet.",
    {
        "input_tokens": _COUNT,
        "output_tokens": _COUNT,
        "cache_creation_input_tokens": _COUNT,
        "cache_read_input_tokens": _COUNT,
        "output_tokens_details": growing("Of the output.", {"thinking_tokens": _COUNT}),
    },
    required=["output_tokens"],
)


def _typed(name: str, about: str, members: dict[str, Schema]) -> Schema:
    """An object that says in `type` what it is, and has all of its members."""
    return growing(about, {"type": kind(name), **members}, required=["type", *members])


_BLOCK: Final = either(
    _typed("text", "A text.", {"text": _TEXT}),
    _typed(
        "thinking",
        "A thought; its seal is empty where the worker gives none.",
        {"thinking": _TEXT, "signature": _TEXT},
    ),
    _typed("redacted_thinking", "A thought that nobody can read.", {"data": _TEXT}),
    _typed(
        "tool_use", "A call to make.", {"id": _TEXT, "name": _TEXT, "input": {"type": "object"}}
    ),
)

_ENDING: Final[dict[str, Schema]] = {
    "stop_reason": word(
        "Why the answer ended; `null` while it has not.",
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "refusal",
        None,
    ),
    "stop_sequence": {"type": ["string", "null"]},
}

_DELTA: Final = either(
    _typed("text_delta", "Of a text.", {"text": _TEXT}),
    _typed("thinking_delta", "Of a thought.", {"thinking": _TEXT}),
    _typed("signature_delta", "The seal of a thought.", {"signature": _TEXT}),
    _typed("input_json_delta", "Of the JSON of a call's input.", {"partial_json": _TEXT}),
)

ANTHROPIC_ANSWER_SCHEMAS: Final[dict[str, Schema]] = {
    "AnthropicAnswer": _typed(
        "message",
        "A whole answer, or the start of a stream.",
        {
            "id": _TEXT,
            "role": kind("assistant"),
            "model": {"type": "string", "description": "The model that answered."},
            "content": {"type": "array", "items": _BLOCK},
            **_ENDING,
            "usage": _USAGE,
        },
    ),
    "AnthropicEvent": either(
        _typed("message_start", "The first.", {"message": reference("AnthropicAnswer")}),
        _typed("content_block_start", "A block begins.", {**_INDEX, "content_block": _BLOCK}),
        _typed("content_block_delta", "A block grows.", {**_INDEX, "delta": _DELTA}),
        _typed("content_block_stop", "A block is whole.", _INDEX),
        _typed(
            "message_delta",
            "The answer ends.",
            {"delta": growing("Why.", _ENDING, required=[*_ENDING]), "usage": _USAGE},
        ),
        _typed("message_stop", "The answer is whole.", {}),
        about="The data of an event of a stream, which is named after its type.",
    ),
    "AnthropicTokenCount": growing(
        "The number, which is an estimate where nobody who knows could be asked.",
        {"input_tokens": _COUNT},
        required=["input_tokens"],
    ),
    "AnthropicModel": _typed(
        "model",
        "A model that some worker lists, or an alias of one.",
        {
            "id": _TEXT,
            "display_name": _TEXT,
            "created_at": {"type": "string", "format": "date-time"},
            "lifecycle": kind("active"),
        },
    ),
    "AnthropicModelList": growing(
        "All models, on one page.",
        {
            "data": {"type": "array", "items": reference("AnthropicModel")},
            "has_more": {"const": False},
            "first_id": {"type": ["string", "null"]},
            "last_id": {"type": ["string", "null"]},
        },
        required=["data", "has_more", "first_id", "last_id"],
    ),
}
