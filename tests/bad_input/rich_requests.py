"""Good requests that say all there is to say, so that there is much in them to spoil."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""The way from the document to a value in it."""

MODEL: Final = "actor/scripted"
PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
)
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/place"}},
    "$defs": {"place": {"type": "string", "pattern": "^(a+)+$"}},
}
ARGUMENTS: Final = {"city": "Oslo"}

OPENAI_CHAT: Final = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "Hello", "prompt_cache_breakpoint": {"mode": "auto"}},
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather.",
                "parameters": SCHEMA,
                "strict": False,
            },
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
    },
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 100,
    "stop": ["\n", "END"],
    "seed": 7,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "user": "ann",
    "prompt_cache_options": {"mode": "auto"},
}

_BLOCKS: Final = [
    {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral", "ttl": "5m"}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
    {"type": "image", "source": {"type": "url", "url": "https://pictures.example/1.png"}},
]
ANTHROPIC_COUNT: Final = {
    "model": MODEL,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": _BLOCKS},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "abc"},
                {"type": "redacted_thinking", "data": "abc"},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": ARGUMENTS},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "rain"}],
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ],
    "tools": [
        {
            "type": "custom",
            "name": "weather",
            "description": "The weather.",
            "input_schema": SCHEMA,
            "strict": True,
        }
    ],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "cache_control": {"type": "ephemeral"},
}

_OLLAMA: Final = {
    "model": MODEL,
    "format": SCHEMA,
    "keep_alive": "5m",
    "options": {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "num_predict": 100,
        "seed": 7,
        "stop": ["END"],
        "frequency_penalty": 0.5,
        "presence_penalty": 0,
    },
    "stream": True,
    "think": "low",
    "logprobs": True,
    "top_logprobs": 2,
    "max_tokens": 100,
}

RICH: Final[Mapping[str, dict[str, Any]]] = {
    "/v1/chat/completions": OPENAI_CHAT,
    "/v1/embeddings": {
        "model": MODEL,
        "input": ["Hello", "world"],
        "dimensions": 4,
        "encoding_format": "base64",
        "user": "ann",
    },
    "/v1/messages": {
        **ANTHROPIC_COUNT,
        "max_tokens": 2000,
        "stream": True,
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "metadata": {"user_id": "ann"},
        "service_tier": "auto",
    },
    "/v1/messages/count_tokens": ANTHROPIC_COUNT,
    "/api/chat": {
        **_OLLAMA,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello", "images": [PIXEL]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "Hm.",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "weather", "arguments": ARGUMENTS}}
                ],
            },
            {"role": "tool", "tool_name": "weather", "content": "rain"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "description": "d", "parameters": SCHEMA},
            }
        ],
    },
    "/api/generate": {**_OLLAMA, "prompt": "Hello", "system": "Be brief.", "images": [PIXEL]},
    "/api/embed": {
        "model": MODEL,
        "input": ["Hello", "world"],
        "dimensions": 4,
        "keep_alive": 0,
        "options": {},
        "truncate": True,
    },
    "/api/show": {"model": MODEL, "verbose": True},
}

DATA: Final = frozenset({"parameters", "schema", "input_schema", "format", "arguments"})
"""Members whose objects belong to the client: any name may stand in them."""


def places(value: object, at: Place = ()) -> Iterator[tuple[Place, object]]:
    """Each value inside a document, the document itself first."""
    yield at, value
    members = value.items() if isinstance(value, dict) else ()
    elements = enumerate(value) if isinstance(value, list) else ()
    for step, inner in (*members, *elements):
        yield from places(inner, (*at, step))


def is_data(place: Place, value: object) -> bool:
    """Whether an object at this place is not the dialect's, but the client's own."""
    # What `format` of the Anthropic dialect holds is not a schema, but tells where it is.
    is_schema_inside = isinstance(value, dict) and "schema" in value
    names = [step for step in place if step in DATA | {"input"}]
    return bool(names) and not (names == ["format"] and is_schema_inside)


def spelt(place: Place) -> str:
    """The place in the words of a refusal."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]
