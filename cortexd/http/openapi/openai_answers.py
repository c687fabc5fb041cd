"""What clients of the OpenAI dialect are answered: what `cortexd.wire.openai` writes."""

from typing import Final

from cortexd.domain.answer import FinishReason
from cortexd.http.openapi.json_schema import Schema, either, growing, kind, reference, word

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}

_PROBABILITY: Final[dict[str, Schema]] = {
    "token": _TEXT,
    "logprob": {"type": "number"},
    "bytes": {
        "type": ["array", "null"],
        "items": {"type": "integer", "minimum": 0, "maximum": 255},
    },
}

_LOGPROBS: Final = either(
    growing(
        "The probability of each token.",
        {
            "content": {
                "type": "array",
                "items": growing(
                    "A token.",
                    {
                        **_PROBABILITY,
                        "top_logprobs": {
                            "type": "array",
                            "items": growing(
                                "An alternative.", _PROBABILITY, required=[*_PROBABILITY]
                            ),
                        },
                    },
                    required=[*_PROBABILITY, "top_logprobs"],
                ),
            },
            "refusal": {"type": "null"},
        },
        required=["content", "refusal"],
    ),
    {"type": "null"},
)

_USAGE: Final = growing(
    "What the worker counted.",
    {
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "total_tokens": _COUNT,
        "prompt_tokens_details": growing(
            "Of the prompt.", {"cached_tokens": _COUNT, "cache_write_tokens": _COUNT}
        ),
        "completion_tokens_details": growing("Of the answer.", {"reasoning_tokens": _COUNT}),
    },
    required=["prompt_tokens", "completion_tokens", "total_tokens"],
)

_REASONS: Final = tuple(reason.value for reason in FinishReason)

_COMPLETION: Final = growing(
    "A whole answer.",
    {
        "id": _TEXT,
        "object": kind("chat.completion"),
        "created": _COUNT,
        "model": {"type": "string", "description": "The model that answered."},
        "choices": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": growing(
                "The answer.",
                {
                    "index": {"const": 0},
                    "message": growing(
                        "What the model says.",
                        {
                            "role": kind("assistant"),
                            "content": _TEXT_OR_NULL,
                            "refusal": _TEXT_OR_NULL,
                            "reasoning_content": _TEXT
                            | {"description": "What it thought, where it tells."},
                            "tool_calls": {
                                "type": "array",
                                "minItems": 1,
                                "items": growing(
                                    "A call to make.",
                                    {
                                        "id": _TEXT,
                                        "type": kind("function"),
                                        "function": growing(
                                            "The function.",
                                            {"name": _TEXT, "arguments": _TEXT},
                                            required=["name", "arguments"],
                                        ),
                                    },
                                    required=["id", "type", "function"],
                                ),
                            },
                        },
                        required=["role", "content", "refusal"],
                    ),
                    "logprobs": _LOGPROBS,
                    "finish_reason": word("Why it ended.", *_REASONS),
                },
                required=["index", "message", "logprobs", "finish_reason"],
            ),
        },
        "usage": _USAGE,
    },
    required=["id", "object", "created", "model", "choices"],
)

_CHUNK: Final = growing(
    "The data of an event of a stream. The last event says `[DONE]` instead.",
    {
        "id": _TEXT,
        "object": kind("chat.completion.chunk"),
        "created": _COUNT,
        "model": _TEXT,
        "choices": {
            "type": "array",
            "maxItems": 1,
            "items": growing(
                "The next piece of the answer.",
                {
                    "index": {"const": 0},
                    "delta": growing(
                        "What is new.",
                        {
                            "role": kind("assistant"),
                            "content": _TEXT,
                            "refusal": _TEXT,
                            "reasoning_content": _TEXT,
                            "tool_calls": {"type": "array", "items": {"type": "object"}},
                        },
                    ),
                    "logprobs": _LOGPROBS,
                    "finish_reason": word("Why it ended, once it has.", *_REASONS, None),
                },
                required=["index", "delta", "logprobs", "finish_reason"],
            ),
        },
        "usage": either(_USAGE, {"type": "null"}),
    },
    required=["id", "object", "created", "model", "choices"],
)

_EMBEDDINGS: Final = growing(
    "Vectors, in the order of the texts.",
    {
        "object": kind("list"),
        "data": {
            "type": "array",
            "minItems": 1,
            "items": growing(
                "A vector.",
                {
                    "object": kind("embedding"),
                    "index": _COUNT,
                    "embedding": either(
                        {"type": "array", "items": {"type": "number"}, "minItems": 1},
                        {"type": "string", "contentEncoding": "base64"},
                    ),
                },
                required=["object", "index", "embedding"],
            ),
        },
        "model": _TEXT,
        "usage": growing(
            "Zero where it is not known.",
            {"prompt_tokens": _COUNT, "total_tokens": _COUNT},
            required=["prompt_tokens", "total_tokens"],
        ),
    },
    required=["object", "data", "model", "usage"],
)

_MODEL: Final = growing(
    "A model that some worker lists, or an alias of one.",
    {
        "id": _TEXT,
        "object": kind("model"),
        "created": _COUNT,
        "owned_by": {"type": "string", "description": "The workers that list it."},
    },
    required=["id", "object", "created", "owned_by"],
)

OPENAI_ANSWER_SCHEMAS: Final[dict[str, Schema]] = {
    "OpenAiChatCompletion": _COMPLETION,
    "OpenAiChatChunk": _CHUNK,
    "OpenAiEmbeddings": _EMBEDDINGS,
    "OpenAiModel": _MODEL,
    "OpenAiModelList": growing(
        "All models.",
        {"object": kind("list"), "data": {"type": "array", "items": reference("OpenAiModel")}},
        required=["object", "data"],
    ),
}
