"""Group K of the catalogue of bad input: K8 and K9, tools and their calls."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import pytest

pytestmark = pytest.mark.real_time

OPENAI: Final = "/v1/chat/completions"
OLLAMA: Final = "/api/chat"
ANTHROPIC: Final = "/v1/messages"

Row: TypeAlias = tuple[str, Mapping[str, object], str]
"""The endpoint, what is different from a good request, and the place of it that is at fault."""

USER: Final = {"role": "user", "content": "Hello"}
ADD: Final = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
ADDER: Final = {"name": "add", "input_schema": {"type": "object"}}
CALL: Final = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
OLLAMA_CALL: Final = {"id": "c1", "function": {"name": "add", "arguments": {}}}
USE: Final = {"type": "tool_use", "id": "c1", "name": "add", "input": {}}
RESULT: Final = {"type": "tool_result", "tool_use_id": "c1", "content": "3"}
NAMES: Final = {
    "dots": "a.b",
    "spaces": "a b",
    "1 KB": "a" * 1024,
    "nothing": "",
    "a line end": "a\n",
    "a letter of another script": "\u0430dd",
}


def _openai(*messages: object) -> Mapping[str, object]:
    return {"messages": [USER, *messages]}


def _calling(*calls: object) -> dict[str, object]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def _nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def _function(**members: object) -> Mapping[str, object]:
    return {"tools": [{"type": "function", "function": {"name": "add", **members}}]}


def _looping(schema: Mapping[str, object]) -> dict[str, Row]:
    """A schema at each place that takes one."""
    wanted = {"name": "n", "schema": schema}
    form = {"type": "json_schema", "schema": schema}
    return {
        "an OpenAI tool": (OPENAI, _function(parameters=schema), "tools[0].function.parameters"),
        "an OpenAI answer": (
            OPENAI,
            {"response_format": {"type": "json_schema", "json_schema": wanted}},
            "response_format.json_schema.schema",
        ),
        "an Ollama tool": (OLLAMA, _function(parameters=schema), "tools[0].function.parameters"),
        "an Ollama answer": (OLLAMA, {"format": schema}, "format"),
        "an Anthropic tool": (
            ANTHROPIC,
            {"tools": [{"name": "add", "input_schema": schema}]},
            "tools[0].input_schema",
        ),
        "an Anthropic answer": (
            ANTHROPIC,
            {"output_config": {"format": form}},
            "output_config.format.schema",
        ),
    }


LOOPS: Final[Mapping[str, Mapping[str, object]]] = {
    "to itself": {"$ref": "#"},
    "of two": {
        "properties": {"a": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "through an array": {"anyOf": [{"$ref": "#/anyOf/1"}, {"$ref": "#/anyOf/0"}]},
}

K8: Final[Mapping[str, Row]] = {
    "K8 a result without a call": (
        OPENAI,
        _openai({"role": "tool", "tool_call_id": "c1", "content": "3"}),
        "messages[1]",
    ),
    "K8 a result of no id": (
        OPENAI,
        _openai(_calling(CALL), {"role": "tool", "content": "3"}),
        "messages[2].tool_call_id",
    ),
    "K8 two results of one call": (
        OPENAI,
        _openai(_calling(CALL), *[{"role": "tool", "tool_call_id": "c1", "content": "3"}] * 2),
        "messages[3]",
    ),
    "K8 a call without a result": (OPENAI, _openai(_calling(CALL), USER), "messages[2]"),
    "K8 two calls of one id": (OPENAI, _openai(_calling(CALL, CALL)), "messages[1]"),
    "K8 arguments that are no object": (
        OPENAI,
        _openai(_calling({**CALL, "function": {"name": "add", "arguments": "[]"}})),
        "messages[1].tool_calls[0].function.arguments",
    ),
    **{
        f"K8 arguments of {depth} levels": (
            OPENAI,
            _openai(_calling({**CALL, "function": {"name": "add", "arguments": _nested(depth)}})),
            "messages[1].tool_calls[0].function.arguments",
        )
        for depth in (65, 950, 5000)
    },
    "K8 10,000 tools": (OPENAI, {"tools": [{}] * 10_000}, "tools"),
    "K8 10,000 calls": (OPENAI, _openai(_calling(*[{}] * 10_000)), "messages[1].tool_calls"),
    "K8 two tools of one name": (OPENAI, {"tools": [ADD, ADD]}, "tools[1].function.name"),
    "K8 a choice of no tool": (
        OPENAI,
        {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
        "tool_choice.function.name",
    ),
    "K8 a schema with too many values": (
        OPENAI,
        _function(parameters={"enum": [0] * 20_000}),
        "tools[0].function.parameters",
    ),
    "K8 Ollama, a result without a call": (
        OLLAMA,
        {"messages": [USER, {"role": "tool", "content": "3"}]},
        "messages[1]",
    ),
    "K8 Ollama, two calls of one id": (
        OLLAMA,
        {"messages": [USER, {"role": "assistant", "tool_calls": [OLLAMA_CALL] * 2}]},
        "messages[1]",
    ),
    "K8 Ollama, arguments as text": (
        OLLAMA,
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": CALL["function"]}]},
            ]
        },
        "messages[0].tool_calls[0].function.arguments",
    ),
    "K8 Ollama, 10,000 tools": (OLLAMA, {"tools": [{}] * 10_000}, "tools"),
    "K8 Anthropic, a result without a call": (
        ANTHROPIC,
        {"messages": [{"role": "user", "content": [RESULT]}]},
        "messages[0]",
    ),
    "K8 Anthropic, two calls of one id": (
        ANTHROPIC,
        {"messages": [USER, {"role": "assistant", "content": [USE, USE]}]},
        "messages[1]",
    ),
    "K8 Anthropic, two results of one call": (
        ANTHROPIC,
        {
            "messages": [
                USER,
                {"role": "assistant", "content": [USE]},
                {"role": "user", "content": [RESULT, RESULT]},
            ]
        },
        "messages[2]",
    ),
    "K8 Anthropic, 10,000 tools": (ANTHROPIC, {"tools": [{}] * 10_000}, "tools"),
    "K8 Anthropic, two tools of one name": (ANTHROPIC, {"tools": [ADDER] * 2}, "tools[1].name"),
    **{
        f"K8 a loop {kind}, in {place}": row
        for kind, schema in LOOPS.items()
        for place, row in _looping(schema).items()
    },
}

K9: Final[Mapping[str, Row]] = {
    f"K9 {kind} at {path}": (path, {"tools": [tool]}, place)
    for kind, name in NAMES.items()
    for path, tool, place in (
        (OPENAI, {"type": "function", "function": {"name": name}}, "tools[0].function.name"),
        (OLLAMA, {"type": "function", "function": {"name": name}}, "tools[0].function.name"),
        (ANTHROPIC, {**ADDER, "name": name}, "tools[0].name"),
    )
}

ROWS: Final[Mapping[str, Row]] = {**K8, **K9}


@pytest.mark.parametrize("name", ROWS)
def test_the_tool_at_fault_is_named(refused: Any, documents: Any, name: str) -> None:
    """Exactly, in `param` or at the beginning of the message."""
    path, different, place = ROWS[name]
    told = refused(path, documents[path] | different)
    assert told.names(place), told


@pytest.mark.parametrize("path", [OPENAI, OLLAMA, ANTHROPIC])
def test_k8_remote_references_are_refused_and_never_followed(
    recorder: Any, refused: Any, documents: Any, path: str
) -> None:
    """Whoever they point to hears nothing of it."""
    schema = {"properties": {"a": {"items": {"$ref": f"{recorder.url}/schema.json"}}}}
    for place, (at, different, where) in _looping(schema).items():
        if at == path:
            assert refused(path, documents[path] | different).names(where), place
    assert not [got for got in recorder.fetched if "schema" in got]


def test_k8_patterns_are_never_run(node: Any, documents: Any) -> None:
    """One that takes for ever to match is data like any other."""
    schema = {"properties": {"a": {"pattern": "^(a+)+$", "default": "a" * 5000 + "!"}}}
    bodies = [
        (path, json.dumps(documents[path] | different).encode())
        for path, different, _ in _looping(schema).values()
    ]
    assert [node.post(path, body)[0].status for path, body in bodies] == [200] * len(bodies)


def test_k8_long_chains_of_references_are_followed_once(roomy_node: Any, documents: Any) -> None:
    """Each link by itself, as far as it goes, would take minutes."""
    links = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(9_900)}
    body = json.dumps(documents[OLLAMA] | {"format": {"$defs": links}}).encode()
    [reply] = roomy_node.post(OLLAMA, body)
    assert reply.status == 200
