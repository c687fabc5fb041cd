"""What requests of all dialects have in common."""

from typing import Final

from cortexd.http.openapi.json_schema import Schema, either, reference, text
from cortexd.wire.parsed_chat import MODEL_CHARACTERS_MAX, STOP_CHARACTERS_MAX
from cortexd.wire.parsed_image import URL_CHARACTERS_MAX
from cortexd.wire.parsed_tools import (
    ARGUMENTS_CHARACTERS_MAX,
    CALL_ID_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
)
from cortexd.wire.strict_json import DEPTH_MAX, INTEGER_MAX

_QUAD: Final = "[A-Za-z0-9+/]{4}"
_TAIL: Final = "[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?"
BASE64: Final = f"(?:(?:{_QUAD})+(?:{_TAIL})?|{_TAIL})"
"""Base64 of the standard alphabet; its padding may be left out."""

_MODEL: Final = (
    "A model that some worker lists (`GET /v1/models`), `worker/model` for that of one worker, an "
    "alias of the configuration, or `auto` for any."
)

MODEL: Final = text(
    _MODEL, characters_min=1, characters_max=MODEL_CHARACTERS_MAX, examples=["auto"]
)
MODEL_OR_ANY: Final = text(
    f"{_MODEL} Left out or empty: any.", characters_max=MODEL_CHARACTERS_MAX, examples=["auto"]
)

FUNCTION_NAME: Final[Schema] = {
    "type": "string",
    "description": "The name of a function.",
    "pattern": f"^[A-Za-z0-9_-]{{1,{NAME_CHARACTERS_MAX}}}$",
    "examples": ["get_weather"],
}

CALL_ID: Final = text(
    "The id of a tool call.", characters_min=1, characters_max=CALL_ID_CHARACTERS_MAX
)

ARGUMENTS: Final[Schema] = {
    "type": "object",
    "description": f"What the function is called with; {ARGUMENTS_CHARACTERS_MAX} characters of "
    "JSON at most.",
    "additionalProperties": reference("AnyJson"),
}

STOP_SEQUENCE: Final = text(
    "A text that ends the answer.", characters_min=1, characters_max=STOP_CHARACTERS_MAX
)

WEB_ADDRESS: Final = text(
    "Where the worker is to fetch the picture; the gateway never does.",
    characters_max=URL_CHARACTERS_MAX,
    pattern="^https?://[!-~]*$",
)

SHARED_SCHEMAS: Final[dict[str, Schema]] = {
    "AnyJson": either(
        {"type": ["null", "boolean", "string"]},
        {"type": "number", "minimum": -INTEGER_MAX, "maximum": INTEGER_MAX},
        {"type": "array", "items": reference("AnyJson")},
        {"type": "object", "additionalProperties": reference("AnyJson")},
        about=f"Any JSON, nested at most {DEPTH_MAX} levels deep together with what it stands in. "
        "Integers beyond 2^53 are refused: readers differ in what they make of them.",
    ),
    "JsonSchema": {
        "type": "object",
        "description": "A JSON Schema. It is passed on to the worker and never interpreted here, "
        "but a `$ref` must point into the same schema, and not lead round in a circle.",
        "additionalProperties": reference("AnyJson"),
        "examples": [{"type": "object", "properties": {"city": {"type": "string"}}}],
    },
}
