"""What may stand in a request to Gemini. Source: generative_service.proto, googleapis/python-genai.

The server reads JSON into protocol buffers, so that an unknown name at any depth is an error.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from tests.fakes.dialect import BadRequest, Strict

T = TypeVar("T")

# What is in there is the user's own.
OPAQUE = {
    "args",
    "response",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
}


class Camel(Strict, rename="camel"):
    """Names as JSON has them."""


class Blob(Camel):
    """Bytes in base64, of either alphabet."""

    mime_type: str
    data: str


class FileData(Camel):
    """Something that the server is to fetch."""

    file_uri: str
    mime_type: str | None = None


class FunctionCall(Camel):
    """A call; arguments are an object."""

    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class FunctionResponse(Camel):
    """A tool's result; it must be an object."""

    name: str
    response: dict[str, Any]
    id: str | None = None


class Part(Camel):
    """Exactly one of text, data and function."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class Content(Camel):
    """One turn; there are no roles for the system and for tools."""

    parts: Annotated[list[Part], Meta(min_length=1)]
    role: Literal["user", "model"] = "user"


class SystemInstruction(Camel):
    """What the model is told first; a role is allowed and means nothing."""

    parts: Annotated[list[Part], Meta(min_length=1)]
    role: str | None = None


class Schema(Camel):
    """The part of OpenAPI's schemas that Gemini knows; `…JsonSchema` members take all of JSON's."""

    type: str | None = None
    format: str | None = None
    title: str | None = None
    description: str | None = None
    nullable: bool | None = None
    enum: list[str] | None = None
    items: "Schema | None" = None
    properties: "dict[str, Schema] | None" = None
    required: list[str] | None = None
    any_of: "list[Schema] | None" = None
    property_ordering: list[str] | None = None
    default: Any = None
    example: Any = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_items: int | str | None = None
    max_items: int | str | None = None
    min_length: int | str | None = None
    max_length: int | str | None = None
    min_properties: int | str | None = None
    max_properties: int | str | None = None


class FunctionDeclaration(Camel):
    """What a tool does."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None


class Tool(Camel):
    """A set of tools."""

    function_declarations: Annotated[list[FunctionDeclaration], Meta(min_length=1)]


class FunctionCallingConfig(Camel):
    """How tools may be used."""

    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Camel):
    """How tools may be used."""

    function_calling_config: FunctionCallingConfig


class ThinkingConfig(Camel):
    """How much to think, and whether to show it."""

    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, Meta(ge=-1)] | None = None
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH"] | None = None


class GenerationConfig(Camel):
    """What shapes the answer."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=1)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=5)] | None = None
    candidate_count: Literal[1] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, lt=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, lt=2)] | None = None
    response_mime_type: Literal["text/plain", "application/json"] | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    thinking_config: ThinkingConfig | None = None


class SafetySetting(Camel):
    """How much harm is too much."""

    category: str
    threshold: str


class GenerateRequest(Camel):
    """POST …:generateContent and …:streamGenerateContent; the model stands in the path."""

    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: SystemInstruction | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig = msgspec.field(default_factory=GenerationConfig)
    safety_settings: list[SafetySetting] | None = None


class ModelGenerateRequest(GenerateRequest, kw_only=True):
    """The same, within a request to count its tokens."""

    model: str


class CountRequest(Camel):
    """POST …:countTokens: either of the two."""

    contents: list[Content] | None = None
    generate_content_request: ModelGenerateRequest | None = None


class OneEmbed(Camel):
    """One text to embed."""

    model: str
    content: Content
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: Annotated[int, Meta(ge=1)] | None = None


class EmbedRequest(Camel):
    """POST …:batchEmbedContents."""

    requests: Annotated[list[OneEmbed], Meta(min_length=1, max_length=100)]


def decode_either_name(body: bytes, kind: type[T]) -> T:
    """The request; each member may have its name in JSON or the one in the schema.

    The official client itself mixes them.
    """
    try:
        document = _camel(msgspec.json.decode(body))
        return msgspec.json.decode(msgspec.json.encode(document), type=kind)
    except msgspec.DecodeError as exc:
        raise BadRequest(f"Invalid JSON payload received: {exc}") from exc


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        # 3.0 is good for an integer.
        return int(value)
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_(\w)", lambda m: m[1].upper(), name): v for name, v in value.items()}
    return {name: v if name in OPAQUE else _camel(v) for name, v in named.items()}
