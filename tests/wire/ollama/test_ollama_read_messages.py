from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import Client, Tool
from ollama._types import ChatRequest as OfficialRequest
from ollama._types import Message as OfficialMessage

from cortexd.domain.chat import (
    Image,
    Message,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    text_message,
)
from cortexd.domain.chat import Tool as DomainTool
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.ollama.read_request import read_chat_request

PNG = "iVBORw0KGgoAAAAN"
HELLO: dict[str, object] = {"role": "user", "content": "hi"}


def _call(name: str, **arguments: object) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


CALLS: dict[str, object] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [_call("a", x=1), _call("b"), _call("a", x=2)],
}


def _messages(*messages: object) -> tuple[Message, ...]:
    return read_chat_request({"messages": list(messages)}).request.messages


def _refusal(*messages: object, **fields: object) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_chat_request({"messages": list(messages) or [HELLO], **fields})
    assert caught.value.status == 400
    return caught.value


def _answered(*results: dict[str, object]) -> list[str]:
    """The ids of the calls that these results are taken to answer."""
    _, _, *told = _messages(HELLO, CALLS, *({"role": "tool", **result} for result in results))
    return [
        part.call_id for message in told for part in message.parts if isinstance(part, ToolResult)
    ]


def test_a_conversation_with_everything() -> None:
    """Texts, thoughts, calls, results and pictures find their places."""
    request = read_chat_request(
        {
            "messages": [
                {"role": "system", "content": "be kind", "images": [], "tool_calls": None},
                {"role": "user", "content": "what is this?", "images": [PNG]},
                {
                    "role": "assistant",
                    "content": "let me see",
                    "thinking": "hm",
                    "tool_calls": [
                        {
                            "id": "mine",
                            "type": "function",
                            "function": {"index": 0, "name": "see", "arguments": {"é": [1]}},
                        }
                    ],
                },
                {"role": "tool", "content": "a cat", "tool_name": "see", "tool_call_id": "mine"},
                {"role": "assistant", "content": "a cat"},
            ]
        }
    ).request
    assert request.messages == (
        text_message(Role.SYSTEM, "be kind"),
        Message(Role.USER, (Image("image/png", PNG), Text("what is this?"))),
        Message(
            Role.ASSISTANT,
            (Thought("hm"), Text("let me see"), ToolCall("mine", "see", '{"é":[1]}')),
        ),
        Message(Role.TOOL, (ToolResult("mine", (Text("a cat"),)),)),
        text_message(Role.ASSISTANT, "a cat"),
    )
    assert request.needs == {
        Feature.IMAGES: "messages[1].images",
        Feature.TOOLS: "messages[2].tool_calls",
    }


def test_what_may_stand_without_text() -> None:
    """A picture, a call or a thought says something by itself; an empty text is none beside it."""
    assert _messages(
        {"role": "user", "images": [PNG]},
        {"role": "assistant", "content": "", "thinking": "hm"},
        {"role": "assistant", "tool_calls": [_call("a")]},
        {"role": "tool", "content": ""},
    ) == (
        Message(Role.USER, (Image("image/png", PNG),)),
        Message(Role.ASSISTANT, (Thought("hm"),)),
        Message(Role.ASSISTANT, (ToolCall("call_2_0", "a", "{}"),)),
        Message(Role.TOOL, (ToolResult("call_2_0", (Text(""),)),)),
    )


def test_pictures_in_results() -> None:
    """They have a feature of their own."""
    request = read_chat_request(
        {"messages": [HELLO, CALLS, *[{"role": "tool", "content": "x", "images": [PNG]}] * 3]}
    ).request
    assert request.messages[2].parts == (
        ToolResult("call_1_0", (Text("x"), Image("image/png", PNG))),
    )
    assert request.needs == {
        Feature.TOOLS: "messages[1].tool_calls",
        Feature.TOOL_RESULT_IMAGES: "messages[2].images",
    }


@pytest.mark.parametrize(
    ("results", "ids"),
    [
        ([{}, {}, {}], ["call_1_0", "call_1_1", "call_1_2"]),
        (
            [{"tool_name": "b"}, {"tool_name": "a"}, {"tool_name": "a"}],
            ["call_1_1", "call_1_0", "call_1_2"],
        ),
        (
            [{"tool_call_id": "call_1_2"}, {"tool_call_id": "call_1_1"}, {"tool_call_id": ""}],
            ["call_1_2", "call_1_1", "call_1_0"],
        ),
        ([{"tool_name": "b"}, {}, {"tool_name": ""}], ["call_1_1", "call_1_0", "call_1_2"]),
    ],
)
def test_results_find_their_calls(results: list[dict[str, object]], ids: list[str]) -> None:
    """By id, else by name, else one after the other."""
    assert _answered(*({"content": "x", **result} for result in results)) == ids


RESULT: dict[str, object] = {"role": "tool", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([HELLO, RESULT], "messages[1]"),
        ([HELLO, CALLS, RESULT, RESULT, RESULT, RESULT], "messages[5]"),
        ([HELLO, CALLS, {**RESULT, "tool_name": "c"}], "messages[2]"),
        ([HELLO, CALLS, {**RESULT, "tool_call_id": "c"}], "messages[2]"),
        (
            [HELLO, CALLS, {**RESULT, "tool_call_id": "call_1_0", "tool_name": "b"}],
            "messages[2]",
        ),
        ([HELLO, CALLS, HELLO], "messages[2]"),
        (
            [
                HELLO,
                {"role": "assistant", "tool_calls": [{"id": "x", **_call("a")}] * 2},
            ],
            "messages[1]",
        ),
    ],
)
def test_a_flow_of_tools_that_does_not_fit(messages: list[object], path: str) -> None:
    """K8: results without calls, calls without results, ids used twice."""
    refusal = _refusal(*messages)
    assert (refusal.param, refusal.code) == (path, "invalid_value")


@pytest.mark.parametrize(
    ("message", "path", "code"),
    [
        ("text", "", "invalid_type"),
        ({"content": "x"}, ".role", "missing_required_parameter"),
        ({"role": "developer", "content": "x"}, ".role", "invalid_value"),
        ({"role": "function", "content": "x"}, ".role", "invalid_value"),
        ({"role": 1, "content": "x"}, ".role", "invalid_type"),
        ({"role": "user"}, ".content", "missing_required_parameter"),
        ({"role": "assistant"}, ".content", "missing_required_parameter"),
        ({"role": "tool"}, ".content", "missing_required_parameter"),
        ({"role": "user", "content": ["x"]}, ".content", "invalid_type"),
        ({**HELLO, "thinking": "hm"}, ".thinking", "unsupported_parameter"),
        ({**HELLO, "tool_calls": [_call("a")]}, ".tool_calls", "unsupported_parameter"),
        ({**HELLO, "tool_name": "a"}, ".tool_name", "unsupported_parameter"),
        ({**HELLO, "api_key": "x"}, ".api_key", "unsupported_parameter"),
        ({**HELLO, "images": [1]}, ".images[0]", "invalid_type"),
        ({**HELLO, "images": ["aGk="]}, ".images[0]", "unsupported_parameter"),
        ({**HELLO, "images": [PNG, "?"]}, ".images[1]", "invalid_value"),
        ({**HELLO, "images": [PNG] * 101}, ".images", "invalid_value"),
        ({**HELLO, "role": "system", "images": [PNG]}, ".images", "unsupported_parameter"),
        ({**HELLO, "role": "assistant", "images": [PNG]}, ".images", "unsupported_parameter"),
    ],
)
def test_a_wrong_message_is_refused_by_its_path(message: object, path: str, code: str) -> None:
    """K6: the path leads to the exact place."""
    refusal = _refusal(HELLO, message)
    assert (refusal.param, refusal.code) == (f"messages[1]{path}", code)


def test_pictures_are_counted_over_all_messages() -> None:
    """The limit is the request's."""
    fifty: dict[str, object] = {**HELLO, "images": [PNG] * 50}
    assert len(_messages(fifty, fifty)) == 2
    assert _refusal(fifty, fifty, {**HELLO, "images": [PNG]}).param == "messages[2].images"


@pytest.mark.parametrize(
    ("call", "path", "code"),
    [
        ("a", "", "invalid_type"),
        ({}, ".function", "missing_required_parameter"),
        ({"type": "custom", **_call("a")}, ".type", "unsupported_parameter"),
        ({"api_key": "x", **_call("a")}, ".api_key", "unsupported_parameter"),
        ({"id": 1, **_call("a")}, ".id", "invalid_type"),
        ({"function": {"arguments": {}}}, ".function.name", "missing_required_parameter"),
        (_call("a.b"), ".function.name", "invalid_value"),
        (
            {"function": {"name": "a", "arguments": "{}"}},
            ".function.arguments",
            "invalid_type",
        ),
        (
            {"function": {"name": "a", "arguments": {"x": "y" * 1024 * 1024}}},
            ".function.arguments",
            "invalid_value",
        ),
        ({"function": {"name": "a", "index": "0"}}, ".function.index", "invalid_type"),
        ({"function": {"name": "a", "url": "x"}}, ".function.url", "unsupported_parameter"),
    ],
)
def test_a_wrong_call_is_refused_by_its_path(call: object, path: str, code: str) -> None:
    """K9, K18: names and shapes inside a call, too."""
    refusal = _refusal(HELLO, {"role": "assistant", "tool_calls": [call]})
    assert (refusal.param, refusal.code) == (f"messages[1].tool_calls[0]{path}", code)


TOOL: dict[str, Any] = {"type": "function", "function": {"name": "a"}}


def test_tools() -> None:
    """A function with what it takes; its kind may be left out."""
    schema = {"type": "object", "properties": {"x": {"type": "integer", "pattern": "(a+)+$"}}}
    told = {"name": "b", "description": "does b", "parameters": schema, "strict": False}
    request = read_chat_request({"messages": [HELLO], "tools": [TOOL, {"function": told}]}).request
    assert request.tools == (DomainTool("a"), DomainTool("b", "does b", schema))
    assert request.needs == {Feature.TOOLS: "tools"}


@pytest.mark.parametrize(
    ("tool", "path", "code"),
    [
        ({}, ".function", "missing_required_parameter"),
        ({"type": "web_search"}, ".type", "unsupported_parameter"),
        ({**TOOL, "server_url": "x"}, ".server_url", "unsupported_parameter"),
        ({"function": {}}, ".function.name", "missing_required_parameter"),
        ({"function": {"name": "a b"}}, ".function.name", "invalid_value"),
        ({"function": {"name": "a" * 1024}}, ".function.name", "invalid_value"),
        ({"function": {"name": "a", "strict": True}}, ".function.strict", "unsupported_parameter"),
        (
            {"function": {"name": "a", "parameters": {"$ref": "https://evil"}}},
            ".function.parameters",
            "unsupported_parameter",
        ),
        (
            {"function": {"name": "a", "parameters": {"$ref": "#"}}},
            ".function.parameters",
            "invalid_value",
        ),
        ({"function": {"name": "a", "parameters": []}}, ".function.parameters", "invalid_type"),
    ],
)
def test_a_wrong_tool_is_refused_by_its_path(tool: object, path: str, code: str) -> None:
    """K8, K9: names and schemas; references are never followed."""
    refusal = _refusal(tools=[TOOL, tool])
    assert (refusal.param, refusal.code) == (f"tools[1]{path}", code)


def test_too_many_tools() -> None:
    """K8: there is a limit."""
    assert _refusal(tools=[TOOL] * 129).param == "tools"


class _Sent(Exception):
    """Brings out what the official client would have sent."""


def _sent_by_official_client(messages: list[Any], tools: list[Any]) -> dict[str, object]:
    class Recording(Client):
        def _request(self, *_: Any, **more: Any) -> Any:
            raise _Sent(more["json"])

    with pytest.raises(_Sent) as caught:
        Recording().chat(model="m", messages=messages, tools=tools)
    document: dict[str, object] = caught.value.args[0]
    return document


def test_a_conversation_that_the_official_client_continues() -> None:
    """It forgets the ids of calls and knows results by their name, and is understood anyway."""

    def see(what: str) -> str:
        """Look at something.

        Args:
          what: The thing to look at.
        """
        return what

    answer = OfficialMessage(
        role="assistant",
        thinking="hm",
        tool_calls=[
            OfficialMessage.ToolCall(
                function=OfficialMessage.ToolCall.Function(name="see", arguments={"what": "it"})
            )
        ],
    )
    result = {"role": "tool", "content": "a cat", "tool_name": "see"}
    sent = _sent_by_official_client([HELLO, answer, result], [see])
    request = read_chat_request(sent).request
    assert request.messages == (
        text_message(Role.USER, "hi"),
        Message(Role.ASSISTANT, (Thought("hm"), ToolCall("call_1_0", "see", '{"what":"it"}'))),
        Message(Role.TOOL, (ToolResult("call_1_0", (Text("a cat"),)),)),
    )
    [tool] = request.tools
    assert (tool.name, tool.description) == ("see", "Look at something.")
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["what"]


def test_each_tool_that_the_official_client_can_describe() -> None:
    """Definitions go out under their own name, `$defs`."""
    tool = Tool.model_validate(
        {"function": {"name": "a", "parameters": {"type": "object", "$defs": {"x": {}}}}}
    )
    sent = OfficialRequest(
        model="m", messages=[OfficialMessage(role="user", content="hi")], tools=[tool]
    ).model_dump(exclude_none=True)
    [told] = read_chat_request(sent).request.tools
    assert told.parameters is not None
    assert told.parameters["$defs"] == {"x": {}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(PNG),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "function", "name", "arguments"]), inner)
    ),
    max_leaves=8,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
        optional={
            "content": st.text(max_size=3) | json_values,
            "images": json_values,
            "thinking": json_values,
            "tool_calls": json_values | st.just([_call("a")]),
            "tool_name": json_values,
            "tool_call_id": json_values,
        },
    ),
    min_size=1,
    max_size=4,
)


@given(messages)
def test_no_messages_crash_the_parser(messages: list[object]) -> None:
    """Whatever they hold, they are understood or refused with a path into them."""
    try:
        read_chat_request({"messages": messages})
    except RequestRefused as refusal:
        if not (refusal.param or "").startswith("messages["):
            raise
