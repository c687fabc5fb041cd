"""What clients say of tools, JSON output, reasoning and probabilities."""

import pytest

from cortexd.domain.chat import Effort, JsonOutput, Tool, ToolChoice, ToolUse
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.openai.read_request import read_chat_request
from cortexd.wire.parsed_chat import ParsedChat

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
LOOK = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
WAIT = {"type": "function", "function": {"name": "wait"}}
CHOSEN = {"type": "function", "function": {"name": "look"}}


def _parse(**fields: object) -> ParsedChat:
    messages = [{"role": "user", "content": "hi"}]
    return read_chat_request({"model": "m", "messages": messages, **fields})


def _function(**fields: object) -> list[object]:
    return [{"type": "function", "function": {"name": "look", **fields}}]


def test_tools_reach_the_domain() -> None:
    """Name, description, schema and strictness; each need names its field."""
    described = {"name": "look", "description": "d", "parameters": SCHEMA, "strict": True}
    parsed = _parse(
        tools=[WAIT, {"type": "function", "function": described}],
        tool_choice=CHOSEN,
        parallel_tool_calls=False,
    )
    assert parsed.request.tools == (Tool("wait"), Tool("look", "d", SCHEMA, strict=True))
    assert parsed.request.tool_choice == ToolChoice(ToolUse.REQUIRED, "look")
    assert parsed.request.parallel_tool_calls is False
    assert parsed.request.needs == {
        Feature.TOOLS: "tools",
        Feature.STRICT_TOOLS: "tools[1].function.strict",
        Feature.CHOSEN_TOOL: "tool_choice",
        Feature.SERIAL_TOOL_CALLS: "parallel_tool_calls",
    }


@pytest.mark.parametrize(
    ("choice", "read", "needs"),
    [
        (None, None, set()),
        ("auto", ToolChoice(ToolUse.AUTO), set()),
        ("none", ToolChoice(ToolUse.NONE), {Feature.NO_TOOL_USE}),
        ("required", ToolChoice(ToolUse.REQUIRED), {Feature.REQUIRED_TOOLS}),
        (CHOSEN, ToolChoice(ToolUse.REQUIRED, "look"), {Feature.CHOSEN_TOOL}),
    ],
)
def test_how_tools_are_used(choice: object, read: ToolChoice | None, needs: set[Feature]) -> None:
    """Leaving the choice to the model needs no more than tools do."""
    parsed = _parse(tools=[LOOK], tool_choice=choice, parallel_tool_calls=True)
    assert parsed.request.tool_choice == read
    assert parsed.request.parallel_tool_calls is True
    assert parsed.request.needs.keys() == {Feature.TOOLS} | needs


@pytest.mark.parametrize(
    ("form", "output", "needs"),
    [
        ({"type": "json_object"}, JsonOutput(), {Feature.JSON_OBJECT: "response_format"}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            JsonOutput(schema=SCHEMA, name="n"),
            {Feature.JSON_SCHEMA: "response_format"},
        ),
        (
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "schema": SCHEMA,
                    "description": "d",
                    "strict": False,
                },
            },
            JsonOutput(schema=SCHEMA, name="n", description="d", strict=False),
            {Feature.JSON_SCHEMA: "response_format"},
        ),
        ({}, None, {}),
        ({"type": "text"}, None, {}),
    ],
)
def test_json_output(
    form: dict[str, object], output: JsonOutput | None, needs: dict[Feature, str]
) -> None:
    """Any object, or one that fits a schema."""
    parsed = _parse(response_format=form)
    assert parsed.request.output == output
    assert parsed.request.needs == needs


@pytest.mark.parametrize("effort", Effort)
def test_effort(effort: Effort) -> None:
    """Each level is understood; asking for no reasoning needs nothing."""
    parsed = _parse(reasoning_effort=effort.value)
    assert parsed.request.effort is effort
    needs = {} if effort is Effort.NONE else {Feature.REASONING: "reasoning_effort"}
    assert parsed.request.needs == needs


@pytest.mark.parametrize(
    ("fields", "count", "needs"),
    [
        ({"logprobs": True}, 0, {Feature.LOGPROBS: "logprobs"}),
        ({"logprobs": True, "top_logprobs": 0}, 0, {Feature.LOGPROBS: "logprobs"}),
        (
            {"logprobs": True, "top_logprobs": 20},
            20,
            {Feature.LOGPROBS: "logprobs", Feature.TOP_LOGPROBS: "top_logprobs"},
        ),
        ({"logprobs": False, "top_logprobs": 0}, None, {}),
    ],
)
def test_probabilities(
    fields: dict[str, object], count: int | None, needs: dict[Feature, str]
) -> None:
    """With or without alternatives."""
    parsed = _parse(**fields)
    assert parsed.request.top_logprobs == count
    assert parsed.request.needs == needs


@pytest.mark.parametrize(
    ("fields", "feature", "path"),
    [
        ({"temperature": 1.01}, Feature.HIGH_TEMPERATURE, "temperature"),
        ({"seed": 0}, Feature.SEED, "seed"),
        ({"stop": "x"}, Feature.STOP, "stop"),
        ({"presence_penalty": -1}, Feature.PENALTIES, "presence_penalty"),
    ],
)
def test_sampling_needs(fields: dict[str, object], feature: Feature, path: str) -> None:
    """What not every worker samples by is a need."""
    assert _parse(**fields).request.needs == {feature: path}
    assert _parse(temperature=1, stop="", presence_penalty=0).request.needs == {}


def _schema(**fields: object) -> dict[str, object]:
    described = {"name": "n", "schema": SCHEMA, **fields}
    return {"type": "json_schema", "json_schema": described}


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter"),
        ({"tools": ["x"]}, "tools[0]", "invalid_type"),
        ({"tools": [{**LOOK, "headers": {}}]}, "tools[0].headers", "unsupported_parameter"),
        ({"tools": _function(api_key="x")}, "tools[0].function.api_key", "unsupported_parameter"),
        ({"tools": _function(name="a b")}, "tools[0].function.name", "invalid_value"),
        ({"tools": _function(name="a.b")}, "tools[0].function.name", "invalid_value"),
        ({"tools": _function(name="x" * 1024)}, "tools[0].function.name", "invalid_value"),
        ({"tools": _function(strict="yes")}, "tools[0].function.strict", "invalid_type"),
        ({"tools": _function(parameters=[])}, "tools[0].function.parameters", "invalid_type"),
        (
            {"tools": _function(parameters={"$ref": "http://evil/x"})},
            "tools[0].function.parameters",
            "unsupported_parameter",
        ),
        (
            {"tools": _function(parameters={"$ref": "#"})},
            "tools[0].function.parameters",
            "invalid_value",
        ),
        ({"tools": [LOOK, LOOK]}, "tools[1].function.name", "invalid_value"),
        ({"tools": [LOOK] * 129}, "tools", "invalid_value"),
        ({"tools": [LOOK], "tool_choice": "any"}, "tool_choice", "invalid_value"),
        (
            {"tools": [WAIT], "tool_choice": CHOSEN},
            "tool_choice.function.name",
            "invalid_value",
        ),
        (
            {"tools": [LOOK], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
            "tool_choice.type",
            "unsupported_parameter",
        ),
        (
            {"tools": [LOOK], "tool_choice": {**CHOSEN, "x": 1}},
            "tool_choice.x",
            "unsupported_parameter",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"json_schema": {}}},
            "response_format.type",
            "missing_required_parameter",
        ),
        (
            {"response_format": {"type": "json_object", "schema": {}}},
            "response_format.schema",
            "unsupported_parameter",
        ),
        (
            {"response_format": {"type": "text", "api_base": "x"}},
            "response_format.api_base",
            "unsupported_parameter",
        ),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        ({"response_format": _schema(name=None)}, "response_format.json_schema.name", None),
        ({"response_format": _schema(name="a b")}, "response_format.json_schema.name", None),
        ({"response_format": _schema(schema=None)}, "response_format.json_schema.schema", None),
        ({"response_format": _schema(strict=1)}, "response_format.json_schema.strict", None),
        (
            {"response_format": _schema(extra=1)},
            "response_format.json_schema.extra",
            "unsupported_parameter",
        ),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_value"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(
    fields: dict[str, object], path: str, code: str | None
) -> None:
    """K8, K9, K15, K18: no server-side tools, no references elsewhere, no unknown members."""
    with pytest.raises(RequestRefused) as caught:
        _parse(**fields)
    assert caught.value.param == path
    assert code is None or caught.value.code == code
    assert len(caught.value.message) < 300
