"""Group K of the catalogue of bad input: what a chat may not hold, and the place that is named.

K21 and K23 are missing: there are no idempotency keys and no tenants yet.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pytest

pytestmark = pytest.mark.real_time

OPENAI: Final = "/v1/chat/completions"
OLLAMA: Final = "/api/chat"
ANTHROPIC: Final = "/v1/messages"
EMBEDDINGS: Final = "/v1/embeddings"

Row: TypeAlias = tuple[str, Mapping[str, object], str]
"""The endpoint, what is different from a good request, and the place of it that is at fault."""

USER: Final = {"role": "user", "content": "Hello"}
NO_FLAGS: Final[tuple[object, ...]] = ("true", 1, 0, "", [])


def _openai(*messages: object) -> Mapping[str, object]:
    return {"messages": [USER, *messages]}


K6: Final[Mapping[str, Row]] = {
    "K6 a message is a text": (OPENAI, _openai("Hello"), "messages[1]"),
    "K6 a message is null": (OPENAI, _openai(None), "messages[1]"),
    "K6 no role": (OPENAI, _openai(USER, USER, {"content": "x"}), "messages[3].role"),
    "K6 the role is root": (
        OPENAI,
        _openai(USER, USER, {"role": "root", "content": "x"}),
        "messages[3].role",
    ),
    "K6 the role is 1": (OPENAI, _openai({"role": 1, "content": "x"}), "messages[1].role"),
    "K6 content is a number": (
        OPENAI,
        _openai({"role": "user", "content": 1}),
        "messages[1].content",
    ),
    "K6 no content": (OPENAI, _openai({"role": "user"}), "messages[1].content"),
    "K6 null without calls": (
        OPENAI,
        _openai({"role": "assistant", "content": None}),
        "messages[1].content",
    ),
    "K6 null beside no calls": (
        OPENAI,
        _openai({"role": "assistant", "content": None, "tool_calls": []}),
        "messages[1].content",
    ),
    "K6 a part is a text": (
        OPENAI,
        _openai({"role": "user", "content": ["x"]}),
        "messages[1].content[0]",
    ),
    "K6 a part of no kind": (
        OPENAI,
        _openai({"role": "user", "content": [{"text": "x"}]}),
        "messages[1].content[0].type",
    ),
    "K6 a text part without text": (
        OPENAI,
        _openai({"role": "user", "content": [{"type": "text", "text": None}]}),
        "messages[1].content[0].text",
    ),
    "K6 an image that is a file": (
        OPENAI,
        _openai(
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}],
            }
        ),
        "messages[1].content[0].image_url.url",
    ),
    "K6 Ollama, the role is root": (
        OLLAMA,
        {"messages": [USER, {"role": "root", "content": "x"}]},
        "messages[1].role",
    ),
    "K6 Ollama, content is a list": (
        OLLAMA,
        {"messages": [{"role": "user", "content": []}]},
        "messages[0].content",
    ),
    "K6 Ollama, an image is no picture": (
        OLLAMA,
        {"messages": [{"role": "user", "content": "x", "images": ["eA=="]}]},
        "messages[0].images[0]",
    ),
    "K6 Anthropic, the role is root": (
        ANTHROPIC,
        {"messages": [USER, {"role": "root", "content": "x"}]},
        "messages[1].role",
    ),
    "K6 Anthropic, content is a number": (
        ANTHROPIC,
        {"messages": [{"role": "user", "content": 1}]},
        "messages[0].content",
    ),
    "K6 Anthropic, a block is null": (
        ANTHROPIC,
        {"messages": [{"role": "user", "content": [None]}]},
        "messages[0].content[0]",
    ),
    "K6 Anthropic, a block of no kind": (
        ANTHROPIC,
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages[0].content[0].type",
    ),
}

K10_TO_K20: Final[Mapping[str, Row]] = {
    **{
        f"K10 temperature {value!r} at {path}": (path, {"temperature": value}, "temperature")
        for path in (OPENAI, OLLAMA, ANTHROPIC)
        for value in (-1, 3, "1", True, -0.001, 2**53)
    },
    "K10 Anthropic has a temperature of 1 at most": (
        ANTHROPIC,
        {"temperature": 1.001},
        "temperature",
    ),
    **{
        f"K10 Ollama, the option temperature {value!r}": (
            OLLAMA,
            {"options": {"temperature": value}},
            "options.temperature",
        )
        for value in (-1, 3, "1", True)
    },
    **{
        f"K11 {field} {value!r}": (OPENAI, {field: value}, field)
        for field, values in {
            "top_p": (-0.1, 1.1),
            "n": (0, -1, 10**6, 2, True),
            "max_tokens": (0, -1, 1.5, 1.0, 2**31, True),
            "max_completion_tokens": (0, -1, 1.5),
        }.items()
        for value in values
    },
    **{
        f"K11 Anthropic, {field} {value!r}": (ANTHROPIC, {field: value}, field)
        for field, values in {"top_p": (-0.1, 1.1), "max_tokens": (0, -1, 1.5, 2**31)}.items()
        for value in values
    },
    **{
        f"K11 Ollama, the option {field} {value!r}": (
            OLLAMA,
            {"options": {field: value}},
            f"options.{field}",
        )
        for field, values in {"top_p": (-0.1, 1.1), "num_predict": (0, -2, 1.5, 2**31)}.items()
        for value in values
    },
    "K11 two limits that differ": (
        OPENAI,
        {"max_tokens": 1, "max_completion_tokens": 2},
        "max_completion_tokens",
    ),
    **{
        f"K12 stream {value!r} at {path}": (path, {"stream": value}, "stream")
        for path in (OPENAI, OLLAMA, ANTHROPIC, "/api/generate")
        for value in NO_FLAGS
    },
    "K12 stream_options without stream": (
        OPENAI,
        {"stream_options": {"include_usage": True}},
        "stream_options",
    ),
    "K12 include_usage is a text": (
        OPENAI,
        {"stream": True, "stream_options": {"include_usage": "true"}},
        "stream_options.include_usage",
    ),
    "K14 many biases": (
        OPENAI,
        {"logit_bias": dict.fromkeys(map(str, range(10_000)), 1)},
        "logit_bias",
    ),
    "K14 a bias for a word": (OPENAI, {"logit_bias": {"word": 1}}, "logit_bias"),
    "K15 a format nobody knows": (
        OPENAI,
        {"response_format": {"type": "xml"}},
        "response_format.type",
    ),
    "K15 a format of no kind": (
        OPENAI,
        {"response_format": {"json_schema": {}}},
        "response_format.type",
    ),
    "K15 no schema": (
        OPENAI,
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
    ),
    "K15 a large schema": (
        OPENAI,
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"enum": [0] * 20_000}},
            }
        },
        "response_format.json_schema.schema",
    ),
    "K15 Ollama, a format nobody knows": (OLLAMA, {"format": "xml"}, "format"),
    "K15 Anthropic, a format nobody knows": (
        ANTHROPIC,
        {"output_config": {"format": {"type": "xml"}}},
        "output_config.format.type",
    ),
    "K16 a long user": (OPENAI, {"user": "u" * 100_000}, "user"),
    "K16 metadata": (OPENAI, {"metadata": {"a": {"b": "c"}}}, "metadata"),
    "K16 Anthropic, a long user": (
        ANTHROPIC,
        {"metadata": {"user_id": "u" * 100_000}},
        "metadata.user_id",
    ),
    "K16 Anthropic, a nested user": (
        ANTHROPIC,
        {"metadata": {"user_id": {"a": "b"}}},
        "metadata.user_id",
    ),
    "K17 a seed with a fraction": (OPENAI, {"seed": 1.5}, "seed"),
    "K17 Ollama, a seed with a fraction": (OLLAMA, {"options": {"seed": 1.5}}, "options.seed"),
    **{
        f"K17 {field} at {path}": (path, {field: value}, field)
        for path in (OPENAI, OLLAMA, ANTHROPIC, EMBEDDINGS)
        for field, value in {"timeout": 1, "priority": 9, "criticality": "premium"}.items()
    },
    "K20 an embedding's body": (OPENAI, {"input": "Hello"}, "input"),
    "K20 a chat's body": (EMBEDDINGS, {"messages": [USER]}, "messages"),
}

ROWS: Final[Mapping[str, Row]] = {**K6, **K10_TO_K20}


@pytest.mark.parametrize("name", ROWS)
def test_the_place_is_named(refused: Any, documents: Any, name: str) -> None:
    """Exactly, in `param` or at the beginning of the message."""
    path, different, place = ROWS[name]
    told = refused(path, documents[path] | different)
    assert told.names(place), told


def test_k16_who_the_user_is_stays_out_of_the_log(node: Any, documents: Any) -> None:
    """Neither of a request that is served, nor of one that is refused."""
    for user in ("somebody@example.org", "somebody@example.org" * 50):
        node.post(OPENAI, json.dumps(documents[OPENAI] | {"user": user}).encode())
        metadata = {"user_id": user}
        node.post(ANTHROPIC, json.dumps(documents[ANTHROPIC] | {"metadata": metadata}).encode())
    assert "somebody" not in node.log
