"""Group K of the catalogue of bad input: each field of each endpoint, with each kind of value.

Whatever is not named here as fitting is refused, and the refusal names the field.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

import pytest

pytestmark = pytest.mark.real_time

VALUES: Final[Mapping[str, object]] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "seven": 7,
    "below zero": -1,
    "half": 0.5,
    "huge number": 2**53,
    "text": "x",
    "no text": "",
    "huge text": "x" * 70_000,
    "list": [1],
    "nested list": [[]],
    "no list": [],
    "object": {"a": 1},
    "no object": {},
}
SHOWS_BYTES_MAX: Final = 64 * 1024

NOTHING: Final = {"no text", "no list", "no object"}
"""What is empty asks for nothing."""
TEXT: Final = {"text", "no text", "huge text"}
SHORT_TEXT: Final = {"text", "no text"}
FLAG: Final = {"true", "false"}
NEVER: Final = set[str]()

# What each field takes, beside `null` and its absence.
OPENAI_CHAT: Final[Mapping[str, Collection[str]]] = {
    "model": NEVER,
    "messages": NEVER,
    "temperature": {"zero", "half"},
    "top_p": {"zero", "half"},
    "n": NEVER,
    "max_tokens": {"seven"},
    "max_completion_tokens": {"seven"},
    "stream": FLAG,
    "stream_options": {"no object"},
    "stop": {"text", "no text", "no list"},
    "seed": {"zero", "seven", "below zero", "huge number"},
    "frequency_penalty": {"zero", "half", "below zero"},
    "presence_penalty": {"zero", "half", "below zero"},
    "logprobs": FLAG,
    "top_logprobs": {"zero"},
    "tools": {"no list"},
    "tool_choice": NEVER,
    "parallel_tool_calls": FLAG,
    "response_format": {"no object"},
    "reasoning_effort": {"no text"},
    "user": SHORT_TEXT,
    "safety_identifier": SHORT_TEXT,
    "prompt_cache_key": SHORT_TEXT,
    "prompt_cache_retention": SHORT_TEXT,
    "prompt_cache_options": {"no object"},
    "logit_bias": NOTHING,
    "metadata": NOTHING,
    "functions": NOTHING,
    "function_call": NOTHING,
    "modalities": NOTHING,
    "audio": NOTHING,
    "prediction": NOTHING,
    "service_tier": NOTHING,
    "store": NOTHING | {"false"},
    "verbosity": NOTHING,
    "web_search_options": NOTHING,
}
OPENAI_EMBEDDINGS: Final[Mapping[str, Collection[str]]] = {
    "model": NEVER,
    "input": {"text", "huge text"},
    "dimensions": {"seven"},
    "encoding_format": {"no text"},
    "user": SHORT_TEXT,
}
ANTHROPIC_PROMPT: Final[Mapping[str, Collection[str]]] = {
    "model": NEVER,
    "messages": NEVER,
    "system": TEXT | {"no list"},
    "tools": {"no list"},
    "tool_choice": NEVER,
    "thinking": NEVER,
    "output_config": {"no object"},
    "cache_control": NEVER,
    "container": NOTHING,
    "mcp_servers": NOTHING,
}
ANTHROPIC_MESSAGES: Final[Mapping[str, Collection[str]]] = {
    **ANTHROPIC_PROMPT,
    "max_tokens": {"seven"},
    "stream": FLAG,
    "stop_sequences": {"no list"},
    "temperature": {"zero", "half"},
    "top_p": {"zero", "half"},
    "top_k": {"seven"},
    "metadata": {"no object"},
    "service_tier": NEVER,
}
OLLAMA_GENERATION: Final[Mapping[str, Collection[str]]] = {
    "model": {"no text"},
    "format": {"no text", "object", "no object"},
    "keep_alive": {"zero", "seven", "half", "below zero", "huge number", "text", "no text"},
    "logprobs": FLAG,
    "top_logprobs": {"zero"},
    "max_tokens": {"seven"},
    "temperature": {"zero", "half"},
    "options": {"no object"},
    "stream": FLAG,
    "think": {"no text", "true", "false"},
    "truncate": NOTHING | {"true"},
}
OLLAMA_CHAT: Final = {**OLLAMA_GENERATION, "messages": NEVER, "tools": {"no list"}}
OLLAMA_GENERATE: Final = {
    **OLLAMA_GENERATION,
    "prompt": TEXT,
    "system": TEXT,
    "images": {"no list"},
    "raw": NOTHING | {"false"},
    "suffix": NOTHING,
    "template": NOTHING,
    "context": NOTHING,
}
OLLAMA_EMBED: Final[Mapping[str, Collection[str]]] = {
    "model": {"no text"},
    "input": {"text", "huge text"},
    "dimensions": {"seven"},
    "keep_alive": OLLAMA_GENERATION["keep_alive"],
    "options": {"no object"},
    "truncate": NOTHING | {"true"},
}
OLLAMA_SHOW: Final[Mapping[str, Collection[str]]] = {
    "model": NEVER,
    "verbose": FLAG,
    "options": NOTHING,
    "system": NOTHING,
    "template": NOTHING,
}
FIELDS: Final[Mapping[str, Mapping[str, Collection[str]]]] = {
    "/v1/chat/completions": OPENAI_CHAT,
    "/v1/embeddings": OPENAI_EMBEDDINGS,
    "/v1/messages": ANTHROPIC_MESSAGES,
    "/v1/messages/count_tokens": ANTHROPIC_PROMPT,
    "/api/chat": OLLAMA_CHAT,
    "/api/generate": OLLAMA_GENERATE,
    "/api/embed": OLLAMA_EMBED,
    "/api/show": OLLAMA_SHOW,
}

# Here `null`, like absence, is no way to say nothing.
NEEDED: Final = {
    "/v1/chat/completions": {"model", "messages"},
    "/v1/embeddings": {"model", "input"},
    "/v1/messages": {"model", "messages", "max_tokens"},
    "/v1/messages/count_tokens": {"model", "messages"},
    "/api/chat": {"messages"},
    "/api/embed": {"input"},
    "/api/show": {"model"},
}


@pytest.mark.parametrize(
    ("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields]
)
def test_each_kind_of_value(node: Any, refusal: Any, documents: Any, path: str, field: str) -> None:
    """It is taken, or it is refused and the field named, or the very place inside it."""
    takes = {*FIELDS[path][field]} | (set() if field in NEEDED.get(path, ()) else {"null"})
    bodies = [json.dumps(documents[path] | {field: value}).encode() for value in VALUES.values()]
    replies = node.post(path, *bodies)
    assert len(replies) == len(VALUES)
    taken = {name for name, reply in zip(VALUES, replies, strict=True) if reply.status == 200}
    assert taken == takes
    for name, body, reply in zip(VALUES, bodies, replies, strict=True):
        if name in takes:
            continue
        told = refusal(reply, path, body)
        if path == "/api/show" and len(body) > SHOWS_BYTES_MAX:
            assert reply.status == 413
            continue
        # That nobody has a model of this name is found by routing, which knows no fields.
        if (field, name) == ("model", "text"):
            assert reply.status == 404
            assert told.param in {"model", None}
            continue
        assert reply.status == 400, name
        at = told.message.partition(" ")[0]
        assert at == field or at.startswith((f"{field}[", f"{field}.")), told.message
        assert told.names(at)


@pytest.mark.parametrize(
    ("path", "field"),
    [(path, field) for path, fields in NEEDED.items() for field in sorted(fields)],
)
def test_what_is_needed_is_missing(refused: Any, documents: Any, path: str, field: str) -> None:
    """It is named."""
    rest = {name: value for name, value in documents[path].items() if name != field}
    told = refused(path, rest)
    assert told.names(field)
    assert told.is_for("missing_required_parameter")
