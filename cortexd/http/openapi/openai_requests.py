"""What clients of the OpenAI dialect may send: what the readers in `cortexd.wire.openai` take."""

from typing import Final

from cortexd.domain.chat import Effort, ToolUse
from cortexd.http.openapi.json_schema import (
    Schema,
    array,
    closed,
    either,
    flag,
    integer,
    kind,
    nothing,
    number,
    optional,
    optionals,
    reference,
    text,
    when,
    word,
)
from cortexd.http.openapi.openai_messages import OPENAI_MESSAGE_SCHEMAS
from cortexd.http.openapi.shared_requests import FUNCTION_NAME, MODEL, STOP_SEQUENCE
from cortexd.wire.openai import embeddings, read_request
from cortexd.wire.parsed_chat import (
    MESSAGE_CHARACTERS_MAX,
    MESSAGES_MAX,
    OUTPUT_TOKENS_MAX,
    SEED_MAX,
    STOP_CHARACTERS_MAX,
    STOPS_MAX,
)
from cortexd.wire.parsed_tools import DESCRIPTION_CHARACTERS_MAX, TOOLS_MAX

_DESCRIPTION: Final = optional(
    text("What it is, in words for the model.", characters_max=DESCRIPTION_CHARACTERS_MAX)
)
_STRICT: Final = optional(flag("Whether the model must keep to the schema."))

_TOOL: Final = closed(
    "A function that the model may ask to have called.",
    {
        "type": kind("function"),
        "function": closed(
            "The function.",
            {
                "name": FUNCTION_NAME,
                "description": _DESCRIPTION,
                "parameters": optional(reference("JsonSchema")),
                "strict": _STRICT,
            },
            required=["name"],
        ),
    },
    required=["type", "function"],
)

_TOOL_CHOICE: Final = either(
    word(
        "`required`, which needs tools: the model must call one.", *(use.value for use in ToolUse)
    ),
    closed(
        "The model must call this one, which must be among the tools.",
        {
            "type": kind("function"),
            "function": closed("The function.", {"name": FUNCTION_NAME}, required=["name"]),
        },
        required=["type", "function"],
    ),
    {"type": "null"},
    about="How tools may be used.",
)

_RESPONSE_FORMAT: Final = either(
    closed("The answer is text.", {"type": word("", "text", "json_object")}, required=["type"]),
    closed(
        "The answer is JSON that fits a schema.",
        {
            "type": kind("json_schema"),
            "json_schema": closed(
                "The schema.",
                {
                    "name": FUNCTION_NAME | {"description": "The name of the schema."},
                    "description": _DESCRIPTION,
                    "schema": reference("JsonSchema"),
                    "strict": _STRICT,
                },
                required=["name", "schema"],
            ),
        },
        required=["type", "json_schema"],
    ),
    {"type": ["object", "null"], "maxProperties": 0},
    about="In what form to answer: `text`, `json_object` for any JSON object, or `json_schema`.",
)


def _label(about: str) -> Schema:
    """A text for the provider; it changes no answer."""
    return text(f"{about} Taken without effect.", characters_max=read_request.NAME_CHARACTERS_MAX)


_TOKENS: Final = integer("How long the answer may become, in tokens.", 1, OUTPUT_TOKENS_MAX)

_CHAT: Final = closed(
    "A chat. `max_tokens` and `max_completion_tokens` mean the same and may not differ; a member "
    "of `null` counts as left out. What no worker of the model supports is refused with the name "
    "of the member, and never dropped.",
    {
        "model": MODEL,
        "messages": array(
            reference("OpenAiMessage"),
            "The conversation so far. Each tool call must be followed by its result.",
            count_min=1,
            count_max=MESSAGES_MAX,
        ),
        **optionals(
            {
                "stream": flag("Whether the answer is wanted as it comes, as server-sent events."),
                "stream_options": closed(
                    "Only for streams.",
                    {
                        "include_usage": optional(
                            flag("Whether the last chunk before `[DONE]` is to tell the usage.")
                        ),
                        "include_obfuscation": nothing(False),
                    },
                ),
                "temperature": number("How much chance there is in the answer.", 0, 2),
                "top_p": number("Out of which share of the likeliest tokens to choose.", 0, 1),
                "max_tokens": _TOKENS,
                "max_completion_tokens": _TOKENS,
                "stop": either(
                    text("A text that ends the answer.", characters_max=STOP_CHARACTERS_MAX),
                    array(STOP_SEQUENCE, count_max=STOPS_MAX),
                ),
                "seed": integer("Makes answers repeatable where it can.", -SEED_MAX, SEED_MAX),
                "frequency_penalty": number("Against words that came often.", -2, 2),
                "presence_penalty": number("Against words that came at all.", -2, 2),
                "logprobs": flag("Whether to tell the probability of each token."),
                "top_logprobs": integer(
                    "How many alternatives to tell with each token; needs `logprobs`.",
                    0,
                    read_request.TOP_LOGPROBS_MAX,
                ),
                "tools": array(
                    _TOOL,
                    "What the model may ask to have called, each under a name of its own.",
                    count_max=TOOLS_MAX,
                ),
                "parallel_tool_calls": flag("Whether several calls may be made at once."),
                "reasoning_effort": word(
                    "How much to think before answering.",
                    *(effort.value for effort in Effort),
                    "",
                ),
                "n": word("How many answers: one.", 1),
                "user": _label("The end user."),
                "safety_identifier": _label("The end user."),
                "prompt_cache_key": _label("A hint to a prompt cache."),
                "prompt_cache_retention": _label("A hint to a prompt cache."),
                "prompt_cache_options": reference("OpenAiCacheHint"),
            }
        ),
        "tool_choice": _TOOL_CHOICE,
        "response_format": _RESPONSE_FORMAT,
        "audio": nothing(),
        "function_call": nothing("none"),
        "functions": nothing(),
        "logit_bias": nothing(),
        "metadata": nothing(),
        "modalities": nothing(["text"]),
        "moderation": nothing(),
        "prediction": nothing(),
        "service_tier": nothing("auto", "default"),
        "store": nothing(False),
        "verbosity": nothing(),
        "web_search_options": nothing(),
    },
    required=["model", "messages"],
    dependentSchemas={
        **when(
            "stream_options", {"type": "object", "minProperties": 1}, {"stream": {"const": True}}
        ),
        **when("top_logprobs", {"type": "integer", "minimum": 1}, {"logprobs": {"const": True}}),
        **when(
            "tool_choice",
            {"not": {"enum": ["auto", "none", None]}},
            {"tools": {"type": "array", "minItems": 1}},
        ),
    },
)

_EMBEDDED_TEXT: Final = text("A text.", characters_min=1, characters_max=MESSAGE_CHARACTERS_MAX)

_EMBEDDING: Final = closed(
    "Texts to turn into vectors. Arrays of tokens are not supported: they belong to one model, and "
    "which one answers is not known yet.",
    {
        "model": MODEL,
        "input": either(
            _EMBEDDED_TEXT,
            array(_EMBEDDED_TEXT, count_min=1, count_max=embeddings.INPUTS_MAX),
        ),
        "dimensions": optional(
            integer("How long the vectors are to be.", 1, embeddings.DIMENSIONS_MAX)
        ),
        "encoding_format": word(
            "`base64`: 32-bit floats, little end first. Else numbers.", "float", "base64", "", None
        ),
        "user": optional(
            text(
                "The end user. Taken without effect.",
                characters_max=embeddings.WORD_CHARACTERS_MAX,
            )
        ),
    },
    required=["model", "input"],
)

OPENAI_REQUEST_SCHEMAS: Final[dict[str, Schema]] = {
    **OPENAI_MESSAGE_SCHEMAS,
    "OpenAiChatRequest": _CHAT,
    "OpenAiEmbeddingRequest": _EMBEDDING,
}
