"""What clients of the Anthropic dialect may send: what `cortexd.wire.anthropic` takes."""

from typing import Final

from cortexd.http.openapi.anthropic_blocks import (
    ANTHROPIC_BLOCK_SCHEMAS,
    CACHE_CONTROL,
    SYSTEM_CONTENT,
)
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
from cortexd.http.openapi.shared_requests import FUNCTION_NAME, MODEL, STOP_SEQUENCE
from cortexd.wire.anthropic import read_request
from cortexd.wire.anthropic.read_thinking import BUDGET_TOKENS_MIN
from cortexd.wire.parsed_chat import MESSAGES_MAX, OUTPUT_TOKENS_MAX
from cortexd.wire.parsed_tools import DESCRIPTION_CHARACTERS_MAX, TOOLS_MAX

_TOOL: Final = closed(
    "A function that the model may ask to have called. Tools that run at Anthropic's are not "
    "supported.",
    {
        "name": FUNCTION_NAME,
        "input_schema": reference("JsonSchema"),
        **optionals(
            {
                "type": kind("custom"),
                "description": text(
                    "What it does, in words for the model.",
                    characters_max=DESCRIPTION_CHARACTERS_MAX,
                ),
                "strict": flag("Whether the model must keep to the schema."),
                "eager_input_streaming": flag("Taken without effect."),
            }
        ),
        "cache_control": CACHE_CONTROL,
        "allowed_callers": nothing(["direct"]),
        "defer_loading": nothing(False),
        "input_examples": nothing(),
    },
    required=["name", "input_schema"],
)

_SERIAL: Final = optional(flag("Whether calls must be made one at a time."))


def _choice(about: str, *kinds: str, **members: Schema) -> Schema:
    return closed(
        about, {"type": word("", *kinds), **members}, required=["type", *members.keys() & {"name"}]
    )


_TOOL_CHOICE: Final = either(
    _choice(
        "The model may call tools, or must call one.",
        "auto",
        "any",
        disable_parallel_tool_use=_SERIAL,
    ),
    _choice(
        "The model must call this one, which must be among the tools.",
        "tool",
        name=FUNCTION_NAME,
        disable_parallel_tool_use=_SERIAL,
    ),
    _choice("No tool may be called.", "none", disable_parallel_tool_use=nothing(True, False)),
    {"type": "null"},
    about="How tools may be used; needs tools.",
)

_DISPLAY: Final = word(
    "Whether the thoughts are to be read, or only their signatures kept.",
    "summarized",
    "omitted",
    None,
)

_THINKING: Final = either(
    closed("No thinking.", {"type": kind("disabled")}, required=["type"]),
    closed(
        "As much as the model finds right.",
        {"type": kind("adaptive"), "display": _DISPLAY},
        required=["type"],
    ),
    closed(
        "Up to a number of tokens, which must be less than `max_tokens`.",
        {
            "type": kind("enabled"),
            "budget_tokens": integer("The number.", BUDGET_TOKENS_MIN, OUTPUT_TOKENS_MAX),
            "display": _DISPLAY,
        },
        required=["type", "budget_tokens"],
    ),
    {"type": "null"},
    about="Whether and how much to think before answering.",
)

_OUTPUT_CONFIG: Final = closed(
    "How to answer.",
    {
        "effort": word(
            "How much to think; not together with disabled thinking.",
            "low",
            "medium",
            "high",
            "xhigh",
            "max",
            None,
        ),
        "format": optional(
            closed(
                "The answer is JSON that fits a schema.",
                {"type": kind("json_schema"), "schema": reference("JsonSchema")},
                required=["type", "schema"],
            )
        ),
    },
)

_PROMPT: Final[dict[str, Schema]] = {
    "model": MODEL,
    "messages": array(
        reference("AnthropicMessage"),
        "The conversation so far. Each tool use must be followed by its result. An assistant's "
        "message at the end is the beginning of the answer.",
        count_min=1,
        count_max=MESSAGES_MAX,
    ),
    "system": SYSTEM_CONTENT,
    "tools": optional(array(_TOOL, "What the model may ask to have called.", count_max=TOOLS_MAX)),
    "tool_choice": _TOOL_CHOICE,
    "thinking": _THINKING,
    "output_config": optional(_OUTPUT_CONFIG),
    "cache_control": CACHE_CONTROL,
    "container": nothing(),
    "context_management": nothing(),
    "diagnostics": nothing(),
    "inference_geo": nothing(),
    "mcp_servers": nothing(),
    "output_format": nothing(),
    "speed": nothing("standard"),
    "user_profile_id": nothing(),
    "workspace_id": nothing(),
}

_RULE: Final = when("tool_choice", {"type": "object"}, {"tools": {"type": "array", "minItems": 1}})

_MESSAGES: Final = closed(
    "A chat. A member of `null` counts as left out. What no worker of the model supports is "
    "refused with the name of the member, and never dropped.",
    {
        **_PROMPT,
        "max_tokens": integer("How long the answer may become, in tokens.", 1, OUTPUT_TOKENS_MAX),
        **optionals(
            {
                "stream": flag("Whether the answer is wanted as it comes, as server-sent events."),
                "stop_sequences": array(
                    STOP_SEQUENCE,
                    "What ends the answer.",
                    count_max=read_request.STOP_SEQUENCES_MAX,
                ),
                "temperature": number("How much chance there is in the answer.", 0, 1),
                "top_p": number("Out of which share of the likeliest tokens to choose.", 0, 1),
                "top_k": integer("Out of how many tokens to choose.", 1, read_request.TOP_K_MAX),
                "metadata": closed(
                    "For the provider. Taken without effect.",
                    {
                        "user_id": optional(
                            text("The end user.", characters_max=read_request.USER_CHARACTERS_MAX)
                        )
                    },
                ),
                "service_tier": word("Taken without effect.", "auto", "standard_only"),
            }
        ),
    },
    required=["model", "messages", "max_tokens"],
    dependentSchemas=_RULE,
)

_COUNT: Final = closed(
    "A prompt whose tokens are to be counted.",
    _PROMPT,
    required=["model", "messages"],
    dependentSchemas=_RULE,
)

ANTHROPIC_REQUEST_SCHEMAS: Final[dict[str, Schema]] = {
    **ANTHROPIC_BLOCK_SCHEMAS,
    "AnthropicMessagesRequest": _MESSAGES,
    "AnthropicTokenCountRequest": _COUNT,
}
