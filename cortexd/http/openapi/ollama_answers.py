"""What clients of the Ollama dialect are answered: by `cortexd.wire.ollama`, and the listings."""

from typing import Final

from cortexd.http.openapi.json_schema import Schema, growing, kind

_TEXT: Final[Schema] = {"type": "string"}
_NS: Final[Schema] = {"type": "integer", "minimum": 0, "description": "Nanoseconds."}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "description": "Tokens."}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}

_PROBABILITY: Final[dict[str, Schema]] = {
    "token": _TEXT,
    "logprob": {"type": "number"},
    "bytes": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
}

_LINE: Final[dict[str, Schema]] = {
    "model": {"type": "string", "description": "The model that answers."},
    "created_at": _TIME,
    "done": {"type": "boolean", "description": "Whether the answer is whole."},
    "done_reason": {"type": "string", "description": "Why it ended; with `done` alone."},
    "logprobs": {
        "type": "array",
        "items": growing(
            "A token.",
            {
                **_PROBABILITY,
                "top_logprobs": {
                    "type": "array",
                    "items": growing(
                        "An alternative.", _PROBABILITY, required=["token", "logprob"]
                    ),
                },
            },
            required=["token", "logprob"],
        ),
    },
    "total_duration": _NS,
    "load_duration": _NS,
    "prompt_eval_duration": _NS,
    "eval_duration": _NS,
    "prompt_eval_count": _COUNT,
    "prompt_eval_cached_count": _COUNT,
    "eval_count": _COUNT,
}
_HEAD: Final = ("model", "created_at", "done")

_MESSAGE: Final = growing(
    "What the model says.",
    {
        "role": kind("assistant"),
        "content": _TEXT,
        "thinking": {"type": "string", "description": "What it thought, where it tells."},
        "tool_calls": {
            "type": "array",
            "minItems": 1,
            "items": growing(
                "A call to make.",
                {
                    "id": _TEXT,
                    "function": growing(
                        "The function.",
                        {
                            "index": {"type": "integer", "minimum": 0},
                            "name": _TEXT,
                            "arguments": {"type": "object"},
                        },
                        required=["index", "name", "arguments"],
                    ),
                },
                required=["id", "function"],
            ),
        },
    },
    required=["role", "content"],
)

_DETAILS: Final = growing(
    "What is not known is empty.",
    {
        "parent_model": _TEXT,
        "format": _TEXT,
        "family": _TEXT,
        "families": {"type": "array", "items": _TEXT},
        "parameter_size": _TEXT,
        "quantization_level": _TEXT,
    },
)

_LISTED: Final[dict[str, Schema]] = {
    "name": _TEXT,
    "model": _TEXT,
    "size": {"type": "integer", "minimum": 0},
    "digest": _TEXT,
    "details": _DETAILS,
}
_CAPABILITIES: Final[Schema] = {
    "type": "array",
    "items": _TEXT,
    "description": "What the workers that serve it can carry.",
}


def _list(about: str, model: Schema) -> Schema:
    members: dict[str, Schema] = {"models": {"type": "array", "items": model}}
    return growing(about, members, required=["models"])


OLLAMA_ANSWER_SCHEMAS: Final[dict[str, Schema]] = {
    "OllamaChatAnswer": growing(
        "An answer: the whole, or a line of a stream, whose last line has `done`.",
        {**_LINE, "message": _MESSAGE},
        required=[*_HEAD, "message"],
    ),
    "OllamaGenerateAnswer": growing(
        "An answer: the whole, or a line of a stream, whose last line has `done`.",
        {**_LINE, "response": _TEXT, "thinking": _TEXT},
        required=[*_HEAD, "response"],
    ),
    "OllamaEmbeddings": growing(
        "Vectors, in the order of the texts.",
        {
            "model": _TEXT,
            "embeddings": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "items": {"type": "number"}, "minItems": 1},
            },
            "total_duration": _NS,
            "load_duration": _NS,
            "prompt_eval_count": _COUNT,
        },
        required=["model", "embeddings", "total_duration", "load_duration"],
    ),
    "OllamaModelDescription": growing(
        "What is known of a model.",
        {
            "modelfile": _TEXT,
            "parameters": _TEXT,
            "template": _TEXT,
            "details": _DETAILS,
            "model_info": {"type": "object"},
            "capabilities": _CAPABILITIES,
            "modified_at": _TIME,
        },
        required=["details", "model_info", "capabilities", "modified_at"],
    ),
    "OllamaModelList": _list(
        "All models.",
        growing(
            "A model.",
            {**_LISTED, "modified_at": _TIME, "capabilities": _CAPABILITIES},
            required=[*_LISTED, "modified_at"],
        ),
    ),
    "OllamaLoadedModelList": _list(
        "All models: any of them answers when it is asked.",
        growing(
            "A model.",
            {**_LISTED, "expires_at": _TIME, "size_vram": {"type": "integer", "minimum": 0}},
            required=[*_LISTED, "expires_at", "size_vram"],
        ),
    ),
    "OllamaVersion": growing("Which cortexd this is.", {"version": _TEXT}, required=["version"]),
}
