"""The schemas of requests against the readers: the same members in every object, and no others.

What a reader takes is what it says to `Fields.only` while it reads; documents that have every kind
of object in them bring it to say all of it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from cortexd.domain.errors import RequestRefused
from cortexd.http.openapi.json_schema import nothing
from cortexd.http.openapi.request_examples import REQUEST_EXAMPLES
from cortexd.wire.anthropic import read_request as anthropic
from cortexd.wire.anthropic import read_thinking
from cortexd.wire.fields import Fields
from cortexd.wire.ollama import embeddings as ollama_embeddings
from cortexd.wire.ollama import read_generate, read_generation, read_show
from cortexd.wire.ollama import read_request as ollama
from cortexd.wire.openai import embeddings as openai_embeddings
from cortexd.wire.openai import read_request as openai

READERS: Final[dict[str, Callable[[dict[str, object]], object]]] = {
    "OpenAiChatRequest": openai.read_chat_request,
    "OpenAiEmbeddingRequest": openai_embeddings.read_embedding_request,
    "AnthropicMessagesRequest": anthropic.read_chat_request,
    "AnthropicTokenCountRequest": anthropic.read_token_count_request,
    "OllamaChatRequest": ollama.read_chat_request,
    "OllamaGenerateRequest": read_generate.read_generate_request,
    "OllamaEmbedRequest": ollama_embeddings.read_embedding_request,
    "OllamaShowRequest": read_show.read_show_request,
}

USER: Final = {"role": "user", "content": "Hello"}
HINT: Final = {"mode": "implicit", "ttl": "30m"}
EPHEMERAL: Final = {"type": "ephemeral", "ttl": "5m"}
FUNCTION: Final = {"name": "f", "parameters": {}}
OPENAI_TOOLS: Final = [{"type": "function", "function": FUNCTION}]
ANTHROPIC_TOOLS: Final = [{"name": "f", "input_schema": {}, "cache_control": EPHEMERAL}]
ADDRESS: Final = "https://pictures.test/a.png"


def _anthropic(**members: object) -> dict[str, object]:
    return {"model": "auto", "messages": [USER], "max_tokens": 2000} | members


MORE: Final[dict[str, list[dict[str, object]]]] = {
    "OpenAiChatRequest": [
        {
            "model": "auto",
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hello", "prompt_cache_breakpoint": HINT},
                        {"type": "image_url", "image_url": {"url": ADDRESS}},
                    ],
                },
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            ],
            "tools": OPENAI_TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "response_format": {"type": "json_object"},
        }
    ],
    "AnthropicMessagesRequest": [
        _anthropic(
            system=[{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}],
            messages=[
                {"role": "system", "content": "Be kind."},
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "url", "url": ADDRESS}}],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                        {"type": "redacted_thinking", "data": "d"},
                        {"type": "text", "text": "Hello"},
                    ],
                },
                USER,
            ],
            tools=ANTHROPIC_TOOLS,
            tool_choice={"type": "tool", "name": "f"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            metadata={"user_id": "u"},
        ),
        _anthropic(tools=ANTHROPIC_TOOLS, tool_choice={"type": "none"}),
        _anthropic(thinking={"type": "adaptive"}),
        _anthropic(thinking={"type": "disabled"}),
    ],
    "OllamaGenerateRequest": [{"prompt": "Hello", "options": {"seed": 1}}],
    "OllamaChatRequest": [{"messages": [{"role": "system", "content": "Be brief."}, USER]}],
    "OllamaEmbedRequest": [{"input": "Hello", "options": {}}],
}

NOT_COUNTED: Final = {"max_tokens", "metadata", "stream"}
MORE["AnthropicTokenCountRequest"] = [
    {name: one for name, one in value.items() if name not in NOT_COUNTED}
    for value in (
        *REQUEST_EXAMPLES["AnthropicMessagesRequest"].values(),
        *MORE["AnthropicMessagesRequest"],
    )
]


WRONG: Final = [
    ("OpenAiChatRequest", {"stream_options": {"include_usage": True}}),
    ("OpenAiChatRequest", {"top_logprobs": 2}),
    ("OpenAiChatRequest", {"tool_choice": "required"}),
    ("OpenAiChatRequest", {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ("OpenAiChatRequest", {"messages": [{"role": "assistant"}]}),
    ("OpenAiChatRequest", {"messages": [{"role": "assistant", "content": []}]}),
    ("AnthropicMessagesRequest", {"tool_choice": {"type": "auto"}}),
    ("OllamaChatRequest", {"top_logprobs": 2}),
    ("OllamaChatRequest", {"messages": [{"role": "user", "images": []}]}),
    ("OllamaChatRequest", {"messages": [{"role": "assistant", "thinking": ""}]}),
    ("OllamaChatRequest", {"options": {"num_predict": 0}}),
    ("OllamaGenerateRequest", {"logprobs": None, "top_logprobs": 1}),
    ("OllamaShowRequest", {"model": "", "name": None}),
]


@attrs.frozen
class Said:
    """What a reader takes in the object at `path`."""

    path: str
    taken: frozenset[str]
    harmless: Mapping[str, Collection[object]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Said]:
    """All that readers say."""
    told: list[Said] = []
    only = Fields.only

    def listen(
        self: Fields, taken: Collection[str], asks_for_nothing: Mapping[str, Collection[object]]
    ) -> None:
        told.append(Said(self.path, frozenset(taken), dict(asks_for_nothing)))
        only(self, taken, asks_for_nothing)

    monkeypatch.setattr(Fields, "only", listen)
    return told


@attrs.frozen
class Schemas:
    """The schemas of the document."""

    document: dict[str, Any]
    complaints: Callable[[dict[str, Any], object], list[str]]

    def named(self, reference: str) -> dict[str, Any]:
        """The schema that a reference leads to."""
        name = reference.removeprefix("#/components/schemas/")
        schema: dict[str, Any] = self.document["components"]["schemas"][name]
        return schema

    def fitting(self, schema: dict[str, Any], value: object) -> dict[str, Any]:
        """Of the alternatives in a schema, the one that the value fits."""
        if "$ref" in schema:
            return self.fitting(self.named(schema["$ref"]), value)
        if "properties" in schema or "anyOf" not in schema:
            return schema
        fits = [one for one in schema["anyOf"] if not self.complaints(one, value)]
        return self.fitting(fits[0], value)

    def at(self, path: str, schema: dict[str, Any], value: Any) -> dict[str, Any]:
        """The schema of what stands at a path."""
        schema = self.fitting(schema, value)
        for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
            inner = schema["properties"][name] if name else schema["items"]
            value = value[name] if name else value[int(index)]
            schema = self.fitting(inner, value)
        return schema

    def closed(self, schema: Any) -> Iterator[dict[str, Any]]:
        """All objects in a schema that take what they name and nothing else."""
        if isinstance(schema, dict):
            if "$ref" in schema and schema["$ref"] not in {
                "#/components/schemas/AnyJson",
                "#/components/schemas/JsonSchema",
            }:
                yield from self.closed(self.named(schema["$ref"]))
            if schema.get("additionalProperties") is False:
                yield schema
            schema = list(schema.values())
        if isinstance(schema, list):
            for one in schema:
                yield from self.closed(one)


@pytest.fixture
def schemas(document: dict[str, Any], complaints: Any) -> Schemas:
    """The schemas."""
    return Schemas(document, complaints)


@pytest.mark.parametrize("name", READERS)
def test_an_object_takes_the_members_that_its_reader_takes(
    name: str, schemas: Schemas, said: list[Said]
) -> None:
    """In every object: those that have an effect, and those that may only ask for nothing."""
    root = {"$ref": f"#/components/schemas/{name}"}
    seen: set[int] = set()
    for value in [*REQUEST_EXAMPLES[name].values(), *MORE.get(name, [])]:
        assert schemas.complaints(root, value) == []
        said.clear()
        READERS[name](value)
        for one in said:
            if _is_empty(one.path, value):
                continue
            schema = schemas.at(one.path, root, value)
            seen.add(id(schema))
            assert schema["additionalProperties"] is False
            assert set(schema["properties"]) == one.taken | one.harmless.keys(), one.path
            for member in one.harmless.keys() - one.taken:
                wanted = nothing(*one.harmless[member])
                assert schema["properties"][member] == wanted, f"{one.path}.{member}"
    unread = [one["description"] for one in schemas.closed(root) if id(one) not in seen]
    assert unread == []


def _is_empty(path: str, value: dict[str, Any]) -> bool:
    """Whether a reader speaks of an object that is not there."""
    return bool(path) and path.partition("[")[0].partition(".")[0] not in value


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_what_one_member_asks_of_another(
    name: str, wrong: dict[str, object], complaints: Any
) -> None:
    """Schemathesis does not break such rules by itself; schema and reader both see it."""
    value = next(iter(REQUEST_EXAMPLES[name].values())) | wrong
    assert complaints({"$ref": f"#/components/schemas/{name}"}, value)
    with pytest.raises(RequestRefused):
        READERS[name](value)


def test_words_are_those_of_the_readers(document: dict[str, Any]) -> None:
    """They stand in tables there."""
    schemas = document["components"]["schemas"]
    config = schemas["AnthropicMessagesRequest"]["properties"]["output_config"]
    assert config["properties"]["effort"]["enum"] == [*read_thinking._EFFORTS, None]
    think = schemas["OllamaChatRequest"]["properties"]["think"]
    assert think["enum"] == [*read_generation._EFFORTS, "", None]
    form = schemas["OpenAiChatRequest"]["properties"]["response_format"]
    kinds = [one["properties"]["type"] for one in form["anyOf"] if "properties" in one]
    words = [word for kind in kinds for word in kind.get("enum", [kind.get("const")])]
    assert words == [*openai._OUTPUT_MEMBERS]
