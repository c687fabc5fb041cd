"""What clients send, to copy from: a few requests to each endpoint that takes any."""

from typing import Any, Final

_QUESTION: Final = "What is the weather in Paris?"
_ASKED: Final = [{"role": "user", "content": "What is the capital of France?"}]
_DOT: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
_CITY: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_FUNCTION: Final = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": _CITY,
}
_TOOLS: Final = [{"type": "function", "function": _FUNCTION}]

_OPENAI_CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
_ANTHROPIC_CALL: Final = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "get_weather",
    "input": {"city": "Paris"},
}
_ANTHROPIC_PROMPT: Final = {"model": "auto", "max_tokens": 1024}

REQUEST_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "OpenAiChatRequest": {
        "plain": {"model": "auto", "messages": _ASKED},
        "stream": {
            "model": "auto",
            "messages": _ASKED,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        "tools": {
            "model": "auto",
            "messages": [
                {"role": "user", "content": _QUESTION},
                {"role": "assistant", "content": None, "tool_calls": [_OPENAI_CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
            ],
            "tools": _TOOLS,
            "tool_choice": "auto",
        },
        "picture": {
            "model": "auto",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {
                            "type": "image_url",
                            "image_url": {"url": f"data:image/png;base64,{_DOT}", "detail": "low"},
                        },
                    ],
                }
            ],
        },
        "json": {
            "model": "auto",
            "messages": _ASKED,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": _CITY, "strict": True},
            },
        },
    },
    "OpenAiEmbeddingRequest": {
        "text": {"model": "auto", "input": "Paris is the capital of France."},
        "texts": {"model": "auto", "input": ["Paris", "Rome"], "encoding_format": "base64"},
    },
    "AnthropicMessagesRequest": {
        "plain": {**_ANTHROPIC_PROMPT, "messages": _ASKED},
        "stream": {**_ANTHROPIC_PROMPT, "messages": _ASKED, "stream": True},
        "tools": {
            **_ANTHROPIC_PROMPT,
            "messages": [
                {"role": "user", "content": _QUESTION},
                {"role": "assistant", "content": [_ANTHROPIC_CALL]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 degrees"}
                    ],
                },
            ],
            "tools": [{"name": "get_weather", "input_schema": _CITY}],
            "tool_choice": {"type": "auto"},
        },
        "picture": {
            **_ANTHROPIC_PROMPT,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": _DOT},
                        },
                        {"type": "text", "text": "What is this?"},
                    ],
                }
            ],
        },
        "json": {
            **_ANTHROPIC_PROMPT,
            "messages": _ASKED,
            "output_config": {"format": {"type": "json_schema", "schema": _CITY}},
        },
    },
    "AnthropicTokenCountRequest": {"plain": {"model": "auto", "messages": _ASKED}},
    "OllamaChatRequest": {
        "stream": {"messages": _ASKED},
        "whole": {"model": "auto", "messages": _ASKED, "stream": False},
        "tools": {
            "messages": [
                {"role": "user", "content": _QUESTION},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
                    ],
                },
                {"role": "tool", "tool_name": "get_weather", "content": "18 degrees"},
            ],
            "tools": _TOOLS,
        },
        "picture": {"messages": [{"role": "user", "content": "What is this?", "images": [_DOT]}]},
        "json": {"messages": _ASKED, "format": _CITY, "options": {"temperature": 0}},
    },
    "OllamaGenerateRequest": {
        "question": {"prompt": "What is the capital of France?", "stream": False},
        "load": {"model": "auto"},
    },
    "OllamaEmbedRequest": {
        "text": {"input": "Paris is the capital of France."},
        "texts": {"model": "auto", "input": ["Paris", "Rome"]},
    },
    "OllamaShowRequest": {"model": {"model": "auto"}},
}
