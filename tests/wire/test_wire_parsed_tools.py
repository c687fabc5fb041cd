"""What all doors demand of tools, schemas and the order of calls and results."""

from typing import Any

import pytest

from cortexd.domain.chat import Message, Role, Text, ToolCall, ToolResult, text_message
from cortexd.domain.errors import RequestRefused
from cortexd.wire.fields import Fields
from cortexd.wire.parsed_tools import (
    SCHEMA_VALUES_MAX,
    check_tool_flow,
    read_schema,
    read_tool_name,
)


@pytest.mark.parametrize("name", ["f", "get_weather", "a-B_9", "x" * 64])
def test_names_that_every_provider_takes(name: str) -> None:
    """Letters, digits, underscores and dashes."""
    assert read_tool_name(Fields({"name": name}, "tools[0].function")) == name


@pytest.mark.parametrize(
    "name", [None, "", "a.b", "a b", "x" * 65, "ü", "a\n", 7, "x" * 5000, True, {}]
)
def test_other_names_are_refused(name: object) -> None:
    """With the exact path (K9)."""
    with pytest.raises(RequestRefused) as caught:
        read_tool_name(Fields({"name": name}, "tools[0].function"))
    assert caught.value.param == "tools[0].function.name"
    assert len(caught.value.message) < 300


GOOD_SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
    {"$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}},
    {"properties": {"a": {"$ref": "#"}}},
    {"$ref": "#/$defs/missing"},
    {"anyOf": [{"$ref": "#/anyOf/7"}, {"$ref": f"#/anyOf/{'9' * 5000}"}]},
    {"$defs": {"a/b": {}, "c": {"$ref": "#/$defs/a~1b"}}},
    {"properties": {"$ref": {"type": "string"}}},
]


@pytest.mark.parametrize("schema", GOOD_SCHEMAS)
def test_schemas_are_passed_on_as_they_are(schema: dict[str, Any]) -> None:
    """Patterns are never run, and a structure that holds itself is fine."""
    assert read_schema(Fields({"parameters": schema}, "f"), "parameters") is schema
    assert read_schema(Fields({}, "f"), "parameters") is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "https://evil.example/schema.json"}, "another document"),
        ({"properties": {"a": {"items": [{"$ref": "file:///etc/passwd"}]}}}, "another document"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "in circles"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "in circles"),
        ({"$ref": "#"}, "in circles"),
        ({"anyOf": [{"$ref": "#/anyOf/1"}, {"$ref": "#/anyOf/0"}]}, "in circles"),
        ({"enum": list(range(SCHEMA_VALUES_MAX))}, "more than"),
        ([], "an object"),
        ("{}", "an object"),
    ],
)
def test_schemas_that_lead_out_or_nowhere_are_refused(schema: object, words: str) -> None:
    """Nothing is ever fetched (K8)."""
    with pytest.raises(RequestRefused, match=words) as caught:
        read_schema(Fields({"parameters": schema}, "tools[0].function"), "parameters")
    assert caught.value.param == "tools[0].function.parameters"


def _calls(*ids: str) -> Message:
    return Message(Role.ASSISTANT, tuple(ToolCall(each, "f", "{}") for each in ids))


def _result(call_id: str) -> Message:
    return Message(Role.TOOL, (ToolResult(call_id, (Text("1"),)),))


ASKED = text_message(Role.USER, "hi")


@pytest.mark.parametrize(
    "messages",
    [
        (ASKED,),
        (ASKED, _calls("a", "b"), _result("b"), _result("a"), ASKED),
        (ASKED, _calls("a"), _result("a"), _calls("a"), _result("a")),
        (ASKED, _calls("a")),
    ],
)
def test_each_result_belongs_to_a_call_before_it(messages: tuple[Message, ...]) -> None:
    """In any order; an id may come again once its call is answered."""
    check_tool_flow(messages, [f"messages[{i}]" for i in range(len(messages))])


@pytest.mark.parametrize(
    ("messages", "at"),
    [
        ((ASKED, _result("a")), 1),
        ((ASKED, _calls("a"), _result("b")), 2),
        ((ASKED, _calls("a"), _result("a"), _result("a")), 3),
        ((ASKED, _calls("a", "a")), 1),
        ((ASKED, _calls("a"), ASKED), 2),
        ((ASKED, _calls("a", "b"), _result("a"), _calls("c")), 3),
    ],
)
def test_other_orders_are_refused(messages: tuple[Message, ...], at: int) -> None:
    """A result without its call, twice, or missing; an id used twice at once (K8)."""
    with pytest.raises(RequestRefused) as caught:
        check_tool_flow(messages, [f"messages[{i}]" for i in range(len(messages))])
    assert caught.value.param == f"messages[{at}]"
