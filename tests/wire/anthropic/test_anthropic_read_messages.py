from typing import TYPE_CHECKING

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
from cortexd.domain.feature import Feature

if TYPE_CHECKING:
    from tests.wire.anthropic.conftest import Read, RefusedAt

INVALID_TYPE = "invalid_type"
INVALID = "invalid_value"
MISSING = "missing_required_parameter"
UNSUPPORTED = "unsupported_parameter"
HELLO: dict[str, object] = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "weather", "input_schema": SCHEMA}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
CALLED = {"role": "assistant", "content": [CALL]}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def test_a_whole_conversation(read: "Read") -> None:
    """Results of calls become messages of their own, before the rest of the user's message."""
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    "transformations": {},
                },
                {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "thinking", "thinking": "Oh", "signature": ""},
                {"type": "text", "text": "Wait", "citations": None},
                {**CALL, "caller": {"type": "direct"}, "toolset_name": None},
                {**CALL, "id": "toolu_2", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": "dark",
                    "is_error": True,
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [
                        {"type": "text", "text": "sun"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                        },
                    ],
                    **CACHED,
                },
                {"type": "text", "text": "So?"},
            ],
        },
        {"role": "system", "content": "Be quick"},
    ]
    request = read(messages=messages)
    assert request.messages == (
        Message(Role.USER, (Text("Look"), Image("image/png", PNG), ImageUrl("https://x/y.png"))),
        Message(
            Role.ASSISTANT,
            (
                Thought("Hm", "sig"),
                Thought("", "redacted:xyz"),
                Thought("Oh"),
                Text("Wait"),
                ToolCall("toolu_1", "weather", '{"city":"Rome"}'),
                ToolCall("toolu_2", "weather", "{}"),
            ),
        ),
        Message(Role.TOOL, (ToolResult("toolu_1", (Text("dark"),), is_error=True),)),
        Message(Role.TOOL, (ToolResult("toolu_2", (Text("sun"), Image("image/png", PNG))),)),
        text_message(Role.USER, "So?"),
        text_message(Role.SYSTEM, "Be quick"),
    )
    assert request.needs == {
        Feature.IMAGES: "messages[0].content[1]",
        Feature.IMAGE_URLS: "messages[0].content[2]",
        Feature.TOOLS: "messages[1].content[4]",
        Feature.FAILED_TOOL_RESULTS: "messages[2].content[0].is_error",
        Feature.TOOL_RESULT_IMAGES: "messages[2].content[1].content[1]",
    }


def test_results_alone_and_results_of_nothing(read: "Read") -> None:
    """A message may hold results and nothing else, and a result need not say anything."""
    results = [{"type": "tool_result", "tool_use_id": "toolu_1"}]
    request = read(messages=[HELLO, CALLED, {"role": "user", "content": results}])
    assert request.messages[2:] == (Message(Role.TOOL, (ToolResult("toolu_1", ()),)),)


def test_a_prefill_is_a_need(read: "Read") -> None:
    """An assistant's message at the end is to be continued, which few workers do."""
    prefill = {"role": "assistant", "content": "The answer is ("}
    request = read(messages=[HELLO, prefill])
    assert request.messages[-1] == text_message(Role.ASSISTANT, "The answer is (")
    assert request.needs == {Feature.PREFILL: "messages[1]"}
    assert read(messages=[HELLO, prefill, HELLO]).needs == {}


@pytest.mark.parametrize("system", ["be brief", [{"type": "text", "text": "be brief"}]])
def test_the_system_prompt_comes_first(read: "Read", system: object) -> None:
    """As text or as blocks."""
    assert read(system=system).messages == (
        text_message(Role.SYSTEM, "be brief"),
        text_message(Role.USER, "hi"),
    )


@pytest.mark.parametrize("system", ["", [], None, [{"type": "text", "text": ""}]])
def test_an_empty_system_prompt_is_none(read: "Read", system: object) -> None:
    """Nobody is told nothing."""
    assert read(system=system).messages == (text_message(Role.USER, "hi"),)


def _user(*blocks: object) -> dict[str, object]:
    return {"role": "user", "content": list(blocks)}


def _assistant(*blocks: object) -> dict[str, object]:
    return {"role": "assistant", "content": list(blocks)}


def _image(**source: object) -> dict[str, object]:
    return _user({"type": "image", "source": source})


@pytest.mark.parametrize(
    ("message", "below", "code"),
    [
        ("text", "", INVALID_TYPE),
        (None, "", INVALID_TYPE),
        ({"content": "x"}, ".role", MISSING),
        ({"role": 1, "content": "x"}, ".role", INVALID_TYPE),
        ({"role": "root", "content": "x"}, ".role", INVALID),
        ({"role": "tool", "content": "x"}, ".role", INVALID),
        ({"role": "user"}, ".content", MISSING),
        ({"role": "user", "content": []}, ".content", MISSING),
        ({"role": "user", "content": None}, ".content", MISSING),
        ({"role": "user", "content": 0}, ".content", INVALID_TYPE),
        ({"role": "user", "content": {}}, ".content", INVALID_TYPE),
        ({"role": "user", "content": "x", "name": "n"}, ".name", UNSUPPORTED),
        (_user("x"), ".content[0]", INVALID_TYPE),
        (_user({"text": "x"}), ".content[0].type", MISSING),
        (_user({"type": "document"}), ".content[0].type", UNSUPPORTED),
        (_user({"type": "search_result"}), ".content[0].type", UNSUPPORTED),
        (_user(CALL), ".content[0].type", UNSUPPORTED),
        (_user({"type": "thinking", "thinking": "x"}), ".content[0].type", UNSUPPORTED),
        (_user({"type": "text"}), ".content[0].text", MISSING),
        (_user({"type": "text", "text": 1}), ".content[0].text", INVALID_TYPE),
        (_user({"type": "text", "text": "x", "a": 1}), ".content[0].a", UNSUPPORTED),
        (
            _user({"type": "text", "text": "x", "citations": [1]}),
            ".content[0].citations",
            UNSUPPORTED,
        ),
        (
            _user({"type": "text", "text": "x", "cache_control": {"type": "for ever"}}),
            ".content[0].cache_control.type",
            UNSUPPORTED,
        ),
        (
            _user(
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "9"}}
            ),
            ".content[0].cache_control.ttl",
            INVALID,
        ),
        (
            _user({"type": "text", "text": "x", "cache_control": {"scope": 1}}),
            ".content[0].cache_control.scope",
            UNSUPPORTED,
        ),
        (_user({"type": "image"}), ".content[0].source", MISSING),
        (_image(), ".content[0].source.type", MISSING),
        (_image(type="file", file_id="f"), ".content[0].source.type", UNSUPPORTED),
        (_image(type="base64", data=PNG), ".content[0].source.media_type", MISSING),
        (
            _image(type="base64", media_type="image/bmp", data=PNG),
            ".content[0].source.media_type",
            UNSUPPORTED,
        ),
        (_image(type="base64", media_type="image/png"), ".content[0].source.data", MISSING),
        (
            _image(type="base64", media_type="image/png", data="?"),
            ".content[0].source.data",
            INVALID,
        ),
        (_image(type="url"), ".content[0].source.url", MISSING),
        (_image(type="url", url="file:///etc/passwd"), ".content[0].source.url", INVALID),
        (_image(type="url", url="https://x", a=1), ".content[0].source.a", UNSUPPORTED),
        (
            _user({"type": "image", "source": {}, "transformations": {"oversized_image": "error"}}),
            ".content[0].transformations",
            UNSUPPORTED,
        ),
        (_assistant({"type": "image", "source": {}}), ".content[0].type", UNSUPPORTED),
        (_assistant({"type": "server_tool_use"}), ".content[0].type", UNSUPPORTED),
        (_assistant({"type": "thinking"}), ".content[0].thinking", MISSING),
        (_assistant({"type": "redacted_thinking"}), ".content[0].data", MISSING),
        (
            _assistant({"type": "thinking", "thinking": "", "signature": 1}),
            ".content[0].signature",
            INVALID_TYPE,
        ),
        (_assistant({**CALL, "id": None}), ".content[0].id", MISSING),
        (_assistant({**CALL, "id": ""}), ".content[0].id", INVALID),
        (_assistant({**CALL, "name": "a b"}), ".content[0].name", INVALID),
        (_assistant({**CALL, "input": None}), ".content[0].input", MISSING),
        (_assistant({**CALL, "input": "{}"}), ".content[0].input", INVALID_TYPE),
        (
            _assistant({**CALL, "caller": {"type": "code_execution_20260120"}}),
            ".content[0].caller",
            UNSUPPORTED,
        ),
        (_assistant({**CALL, "input": {"a": "x" * 2**20}}), ".content[0].input", INVALID),
        ({"role": "system", "content": [CALL]}, ".content[0].type", UNSUPPORTED),
    ],
)
def test_each_field_of_a_message_is_named_exactly(
    refused_at: "RefusedAt", message: object, below: str, code: str
) -> None:
    """K6: what is wrong with the second message is said with its path."""
    assert refused_at(messages=[HELLO, message]) == (f"messages[1]{below}", code)


def _result(**fields: object) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", **fields}


@pytest.mark.parametrize(
    ("message", "path", "code"),
    [
        (_user(_result(tool_use_id=None)), "messages[2].content[0].tool_use_id", MISSING),
        (_user(_result(tool_use_id="other")), "messages[2]", INVALID),
        (_user(_result(), _result()), "messages[2]", INVALID),
        (HELLO, "messages[2]", INVALID),
        (_user(_result(is_error="no")), "messages[2].content[0].is_error", INVALID_TYPE),
        (_user(_result(content=1)), "messages[2].content[0].content", INVALID_TYPE),
        (
            _user(_result(content=[{"type": "document"}])),
            "messages[2].content[0].content[0].type",
            UNSUPPORTED,
        ),
        (
            _user(_result(content=[_result()])),
            "messages[2].content[0].content[0].type",
            UNSUPPORTED,
        ),
        (
            _user(
                _result(
                    content=[
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "x", "data": PNG},
                        }
                    ]
                )
            ),
            "messages[2].content[0].content[0].source.media_type",
            UNSUPPORTED,
        ),
        (_user({"type": "text", "text": "x"}, _result()), "messages[2].content[1]", INVALID),
    ],
)
def test_results_of_calls_are_checked(
    refused_at: "RefusedAt", message: object, path: str, code: str
) -> None:
    """K8: a result answers a call just made, once, and comes before everything else."""
    assert refused_at(messages=[HELLO, CALLED, message]) == (path, code)


def test_a_call_id_twice_is_refused(refused_at: "RefusedAt") -> None:
    """Nobody could tell the results apart."""
    assert refused_at(messages=[HELLO, _assistant(CALL, CALL)]) == ("messages[1]", INVALID)


def test_calls_and_images_are_counted(refused_at: "RefusedAt") -> None:
    """However they are spread over the messages."""
    images = [{"type": "image", "source": {"type": "url", "url": "https://x"}}] * 60
    assert refused_at(messages=[_user(*images), _user(*images)]) == (
        "messages[1].content[40]",
        INVALID,
    )
    calls = [{**CALL, "id": f"c{n}"} for n in range(129)]
    assert refused_at(messages=[HELLO, _assistant(*calls)]) == (
        "messages[1].content",
        INVALID,
    )
