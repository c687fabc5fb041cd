"""Messages of clients: tools in the history, pictures, refusals, names."""

import pytest

from cortexd.domain.chat import (
    Image,
    ImageUrl,
    Message,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    text_message,
)
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.openai.read_request import read_chat_request
from cortexd.wire.parsed_chat import ParsedChat

ASK: dict[str, object] = {"role": "user", "content": "weather?"}
PNG = "iVBORw0KGgo="


def _parse(*messages: object) -> ParsedChat:
    return read_chat_request({"model": "m", "messages": list(messages)})


def _call(call_id: object = "c1", name: object = "look", arguments: object = "{}") -> object:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def _calling(*calls: object, **fields: object) -> dict[str, object]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **fields}


def _result(call_id: str = "c1", content: object = "sunny", **fields: object) -> object:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}


def _image(url: object = f"data:image/png;base64,{PNG}", **fields: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def _user(*parts: object) -> dict[str, object]:
    return {"role": "user", "content": list(parts)}


def test_a_conversation_with_tools() -> None:
    """Calls and their results keep ids, names and arguments; a worker has to know tools for it."""
    parsed = _parse(
        ASK,
        _calling(_call(arguments='{"city": "Paris"}'), _call("c2", arguments=" ")),
        _result("c2", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        _result(name="look"),
    )
    assert parsed.request.messages[1:] == (
        Message(
            Role.ASSISTANT,
            (ToolCall("c1", "look", '{"city": "Paris"}'), ToolCall("c2", "look", "{}")),
        ),
        Message(Role.TOOL, (ToolResult("c2", (Text("a"), Text("b"))),)),
        Message(Role.TOOL, (ToolResult("c1", (Text("sunny"),)),)),
    )
    assert parsed.request.needs == {Feature.TOOLS: "messages[1].tool_calls"}


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"content": None, "refusal": "no"}, (Text("no"),)),
        ({"content": "x", "refusal": None}, (Text("x"),)),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, (Text("no"),)),
        ({"content": "x", "reasoning_content": "hm"}, (Thought("hm"), Text("x"))),
        ({"content": "x", "reasoning_content": ""}, (Text("x"),)),
        ({"content": "", "audio": None, "function_call": None, "annotations": []}, (Text(""),)),
    ],
)
def test_what_an_assistant_has_said(fields: dict[str, object], parts: tuple[object, ...]) -> None:
    """A refusal is text; reasoning, which our own answers carry, is a thought."""
    parsed = _parse({"role": "assistant", **fields})
    assert parsed.request.messages == (Message(Role.ASSISTANT, parts),)  # type: ignore[arg-type]
    assert parsed.request.needs == {}


@pytest.mark.parametrize("content", [None, "", []])
def test_no_text_beside_calls(content: object) -> None:
    """Beside calls, an empty text is none."""
    parsed = _parse(ASK, _calling(_call(), content=content), _result())
    assert parsed.request.messages[1].parts == (ToolCall("c1", "look", "{}"),)


def test_text_beside_calls() -> None:
    """What is said before the calls is kept before them."""
    parsed = _parse(ASK, _calling(_call(), content="hm"), _result())
    assert parsed.request.messages[1].parts == (Text("hm"), ToolCall("c1", "look", "{}"))


@pytest.mark.parametrize(
    ("url", "fields", "image", "needs"),
    [
        (f"data:image/png;base64,{PNG}", {}, Image("image/png", PNG), {}),
        (f"data:image/png;base64,{PNG}", {"detail": "auto"}, Image("image/png", PNG), {}),
        (
            f"data:image/png;base64,{PNG}",
            {"detail": "low"},
            Image("image/png", PNG, "low"),
            {Feature.IMAGE_DETAIL: "messages[0].content[1].image_url.detail"},
        ),
        (
            "https://example.org/a.png",
            {"detail": "high"},
            ImageUrl("https://example.org/a.png", "high"),
            {
                Feature.IMAGE_URLS: "messages[0].content[1].image_url.url",
                Feature.IMAGE_DETAIL: "messages[0].content[1].image_url.detail",
            },
        ),
    ],
)
def test_pictures(
    url: str, fields: dict[str, object], image: Image | ImageUrl, needs: dict[Feature, str]
) -> None:
    """A picture comes inside or by its address; each need names the field it comes from."""
    parsed = _parse(_user({"type": "text", "text": "what?"}, _image(url, **fields)))
    assert parsed.request.messages == (Message(Role.USER, (Text("what?"), image)),)
    assert parsed.request.needs == {Feature.IMAGES: "messages[0].content[1]"} | needs


def test_names_of_participants() -> None:
    """A name is kept, and needs a worker that knows names; an empty one is none."""
    parsed = _parse({**ASK, "name": ""}, {**ASK, "name": "bob"}, {**ASK, "name": "eve"})
    assert [message.name for message in parsed.request.messages] == [None, "bob", "eve"]
    assert parsed.request.needs == {Feature.PARTICIPANT_NAMES: "messages[1].name"}


def test_hints_to_a_prompt_cache_are_taken_without_effect() -> None:
    """Where a cache is to end changes no answer."""
    hint = {"mode": "explicit", "ttl": "30m"}
    parsed = _parse(_user({"type": "text", "text": "x", "prompt_cache_breakpoint": hint}))
    assert parsed.request.messages == (text_message(Role.USER, "x"),)
    assert parsed.request.needs == {}


@pytest.mark.parametrize(
    ("messages", "path", "code"),
    [
        ([_result()], "messages[1]", "invalid_value"),
        ([_calling(_call()), ASK], "messages[2]", "invalid_value"),
        ([_calling(_call(), _call())], "messages[1]", "invalid_value"),
        ([_calling(_call()), _result(), _result()], "messages[3]", "invalid_value"),
        ([_calling(_call()), _result(name="other")], "messages[2].name", "invalid_value"),
        ([_calling(_call()), _result(content=None)], "messages[2].content", None),
        (
            [_calling(_call()), _result(content=[_image()])],
            "messages[2].content[0].type",
            "unsupported_parameter",
        ),
        ([_calling("x")], "messages[1].tool_calls[0]", "invalid_type"),
        ([_calling(*[_call()] * 129)], "messages[1].tool_calls", "invalid_value"),
        ([_calling(_call(call_id=None))], "messages[1].tool_calls[0].id", None),
        ([_calling(_call(call_id=""))], "messages[1].tool_calls[0].id", None),
        ([_calling(_call(name="a.b"))], "messages[1].tool_calls[0].function.name", None),
        (
            [_calling(_call(arguments="[1]"))],
            "messages[1].tool_calls[0].function.arguments",
            "invalid_value",
        ),
        (
            [_calling(_call(arguments={"a": 1}))],
            "messages[1].tool_calls[0].function.arguments",
            "invalid_type",
        ),
        (
            [_calling({"id": "c", "type": "custom", "custom": {}})],
            "messages[1].tool_calls[0].type",
            "unsupported_parameter",
        ),
        (
            [_calling({**dict(_call()), "api_base": "x"})],  # type: ignore[call-overload]
            "messages[1].tool_calls[0].api_base",
            "unsupported_parameter",
        ),
        ([{**ASK, "tool_calls": [_call()]}], "messages[1].tool_calls", "unsupported_parameter"),
        ([_calling(content=None)], "messages[1].content", "missing_required_parameter"),
        ([_user(_image("ftp://x"))], "messages[1].content[0].image_url.url", "invalid_value"),
        ([_user(_image("data:image/png,x"))], "messages[1].content[0].image_url.url", None),
        ([_user(_image(7))], "messages[1].content[0].image_url.url", "invalid_type"),
        (
            [_user(_image(detail="original"))],
            "messages[1].content[0].image_url.detail",
            "unsupported_parameter",
        ),
        (
            [_user(_image(headers={}))],
            "messages[1].content[0].image_url.headers",
            "unsupported_parameter",
        ),
        ([_user({"type": "image_url"})], "messages[1].content[0].image_url", None),
        (
            [_user({"type": "image_url", "image_url": "x"})],
            "messages[1].content[0].image_url",
            None,
        ),
        ([_user(*[_image()] * 101)], "messages[1].content[100]", "invalid_value"),
        (
            [{"role": "system", "content": [_image()]}],
            "messages[1].content[0].type",
            "unsupported_parameter",
        ),
        (
            [_user({"type": "text", "text": "x", "prompt_cache_breakpoint": {"x": 1}})],
            "messages[1].content[0].prompt_cache_breakpoint.x",
            "unsupported_parameter",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(
    messages: list[object], path: str, code: str | None
) -> None:
    """K6, K8, K18: the path leads to the exact place; `None`: any code of a bad value."""
    with pytest.raises(RequestRefused) as caught:
        _parse(ASK, *messages)
    assert caught.value.param == path
    assert caught.value.status == 400
    if code is not None:
        assert caught.value.code == code
