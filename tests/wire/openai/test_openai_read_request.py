from typing import get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.shared import ReasoningEffort

from cortexd.domain.chat import ChatRequest, Effort, Message, Role, Sampling, Text, text_message
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.openai.read_request import read_chat_request
from cortexd.wire.parsed_chat import ParsedChat

HELLO: dict[str, object] = {"role": "user", "content": "hi"}
SMALLEST: dict[str, object] = {"model": "m", "messages": [HELLO]}
ABSENT = object()


def _refusal(**fields: object) -> RequestRefused:
    document = {**SMALLEST, **fields}
    with pytest.raises(RequestRefused) as caught:
        read_chat_request({name: value for name, value in document.items() if value is not ABSENT})
    assert caught.value.status == 400
    return caught.value


def test_the_smallest_request() -> None:
    """Model and messages are enough; nothing else is made up."""
    assert read_chat_request(SMALLEST) == ParsedChat(
        request=ChatRequest(model="m", messages=(text_message(Role.USER, "hi"),)), stream=False
    )


def test_everything_that_is_served() -> None:
    """Each field of the allow-list reaches its place in the domain."""
    document: dict[str, object] = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": "b"},
            {"role": "assistant", "content": "", "refusal": None, "tool_calls": []},
            {
                "role": "user",
                "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}],
            },
        ],
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "temperature": 0,
        "top_p": 1,
        "max_tokens": 7,
        "max_completion_tokens": 7,
        "stop": ["x", "y"],
        "seed": -1,
        "frequency_penalty": -2,
        "presence_penalty": 2.0,
        "n": 1,
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    }
    assert read_chat_request(document) == ParsedChat(
        request=ChatRequest(
            model="m",
            messages=(
                text_message(Role.SYSTEM, "a"),
                text_message(Role.SYSTEM, "b"),
                text_message(Role.ASSISTANT, ""),
                Message(Role.USER, (Text("c"), Text("d"))),
            ),
            sampling=Sampling(
                temperature=0.0,
                top_p=1.0,
                max_output_tokens=7,
                stop=("x", "y"),
                seed=-1,
                frequency_penalty=-2.0,
                presence_penalty=2.0,
            ),
            needs={
                Feature.STOP: "stop",
                Feature.SEED: "seed",
                Feature.PENALTIES: "frequency_penalty",
            },
        ),
        stream=True,
        include_usage=True,
    )


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({"stop": "x"}, Sampling(stop=("x",))),
        ({"stop": ""}, Sampling()),
        ({"stop": []}, Sampling()),
        ({"max_completion_tokens": 3}, Sampling(max_output_tokens=3)),
        ({"max_tokens": 2**31 - 1}, Sampling(max_output_tokens=2**31 - 1)),
    ],
)
def test_other_ways_to_say_it(fields: dict[str, object], sampling: Sampling) -> None:
    """A single stop text, an empty one, and the newer name of the token limit are understood."""
    assert read_chat_request({**SMALLEST, **fields}).request.sampling == sampling


@pytest.mark.parametrize("name", sorted(CompletionCreateParamsBase.__annotations__))
def test_null_counts_as_absent(name: str) -> None:
    """The official client may send null for each field it knows; only two are required."""
    if name in {"model", "messages"}:
        assert _refusal(**{name: None}).param == name
    else:
        assert read_chat_request({**SMALLEST, name: None}) == read_chat_request(SMALLEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", []),
        ("functions", []),
        ("logit_bias", {}),
        ("metadata", {}),
        ("stream_options", {}),
        ("response_format", {"type": "text"}),
        ("tool_choice", "none"),
        ("logprobs", False),
        ("top_logprobs", 0),
        ("store", False),
        ("modalities", ["text"]),
        ("service_tier", "auto"),
        ("tool_choice", "auto"),
        ("parallel_tool_calls", True),
        ("parallel_tool_calls", False),
        ("frequency_penalty", 0),
        ("presence_penalty", 0.0),
        ("prompt_cache_key", "x"),
    ],
)
def test_what_asks_for_nothing_is_taken(name: str, value: object) -> None:
    """A field that is empty, or says what happens anyway, is no reason to refuse."""
    parsed = read_chat_request({**SMALLEST, name: value})
    assert attrs.evolve(parsed.request, tool_choice=None) == read_chat_request(SMALLEST).request


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("functions", [{}]),
        ("logit_bias", {"1": 1}),
        ("store", True),
        ("metadata", {"api_base": "http://evil"}),
        ("metadata", {"a": "b"}),
        ("verbosity", "low"),
        ("prediction", {"type": "content", "content": "x"}),
        ("function_call", "auto"),
        ("service_tier", "flex"),
        ("audio", {"voice": "x"}),
        ("modalities", ["text", "audio"]),
        ("n", 2),
        ("api_base", "http://evil"),
        ("api_base", None),
        ("base_url", "x"),
        ("api_key", "x"),
        ("headers", {}),
        ("extra_body", {"a": 1}),
        ("provider", "x"),
        ("callbacks", []),
        ("mock_response", "x"),
        ("timeout", 1),
        ("priority", 1),
        ("criticality", "premium"),
        ("top_k", 1),
        ("Model", "x"),
        ("", "x"),
        ("model\0", "x"),
    ],
)
def test_what_is_not_served_is_refused_by_name(name: str, value: object) -> None:
    """K18, K19: an allow-list decides; nothing is dropped in silence and nothing passed on."""
    refusal = _refusal(**{name: value})
    assert refusal.code == "unsupported_parameter"
    assert refusal.param == name.replace("\0", "\\x00")
    assert refusal.param in refusal.message


WRONG: dict[str, list[object]] = {
    "model": [ABSENT, None, 42, True, "", [], {}, "m\r\n", "m\0", "m\u202e", "\x1b[0m", "x" * 257],
    "messages": [ABSENT, None, {}, "", [], 1, [HELLO] * 10_001],
    "stream": ["true", 1, 0, 1.0, [], {}],
    "temperature": [-1, 3, 2.01, "1", True, False, [], {}],
    "top_p": [-0.1, 1.1, "1", True, []],
    "max_tokens": [0, -1, 2**31, 1.5, 1.0, "1", True, []],
    "max_completion_tokens": [0, -1, 2**31, 1.5, True],
    "n": [0, -1, 10**6, "1", True, 1.0],
    "stop": [1, True, {}, ["a"] * 5, "x" * 1025],
    "seed": [1.5, "1", True, []],
    "frequency_penalty": [-2.1, 2.1, "1", True],
    "presence_penalty": [-2.1, 2.1, "1", False],
    "user": [1, {}, [], "x" * 513, "x" * 10_000_000],
    "safety_identifier": [1, "x" * 513],
    "logprobs": [0, "true", {}],
    "top_logprobs": [-1, 21, 1.0, True, "1", 3],
    "tools": ["x", {}, 1, [{"type": "function"}] * 129],
    "tool_choice": ["required", "any", 1, [], True, ""],
    "parallel_tool_calls": ["true", 1, {}],
    "response_format": ["text", 1, []],
    "reasoning_effort": ["most", "LOW", 1, True, {}],
    "prompt_cache_key": [1, "x" * 513],
    "prompt_cache_options": [1, "explicit"],
    "stream_options": [1, "x", [1], {"include_usage": True}],
}


def test_each_effort_of_the_official_client_is_known() -> None:
    """By its own word."""
    words = get_args(get_args(ReasoningEffort)[0])
    assert "max" in words
    for word in words:
        request = read_chat_request({**SMALLEST, "reasoning_effort": word}).request
        assert request.effort is Effort(word)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_by_name(name: str) -> None:
    """K1, K4, K10-K12, K16, K17: wrong types and ranges; a boolean is no number."""
    for value in WRONG[name]:
        refusal = _refusal(**{name: value})
        assert refusal.param == name, value
        assert refusal.code in {"invalid_type", "invalid_value", "missing_required_parameter"}
        assert len(refusal.message) < 250


UNSUPPORTED = "unsupported_parameter"
TEXT_PART = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("message", "path", "code"),
    [
        ("text", "messages[1]", "invalid_type"),
        (None, "messages[1]", "invalid_type"),
        ({"content": "x"}, "messages[1].role", "missing_required_parameter"),
        ({"role": None, "content": "x"}, "messages[1].role", "missing_required_parameter"),
        ({"role": 1, "content": "x"}, "messages[1].role", "invalid_type"),
        ({"role": "root", "content": "x"}, "messages[1].role", "invalid_value"),
        ({"role": "", "content": "x"}, "messages[1].role", "invalid_value"),
        ({"role": "function", "content": "x"}, "messages[1].role", "invalid_value"),
        (
            {"role": "tool", "content": "x"},
            "messages[1].tool_call_id",
            "missing_required_parameter",
        ),
        ({"role": "user"}, "messages[1].content", "missing_required_parameter"),
        (
            {"role": "assistant", "content": None},
            "messages[1].content",
            "missing_required_parameter",
        ),
        ({"role": "user", "content": []}, "messages[1].content", "missing_required_parameter"),
        ({"role": "user", "content": 0}, "messages[1].content", "invalid_type"),
        ({"role": "user", "content": {}}, "messages[1].content", "invalid_type"),
        ({"role": "user", "content": ["x"]}, "messages[1].content[0]", "invalid_type"),
        (
            {"role": "user", "content": [TEXT_PART, {"type": "input_audio", "input_audio": {}}]},
            "messages[1].content[1].type",
            "unsupported_parameter",
        ),
        (
            {"role": "user", "content": [{"text": "x"}]},
            "messages[1].content[0].type",
            "missing_required_parameter",
        ),
        (
            {"role": "user", "content": [{"type": "text"}]},
            "messages[1].content[0].text",
            "missing_required_parameter",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 1}]},
            "messages[1].content[0].text",
            "invalid_type",
        ),
        (
            {"role": "user", "content": [{**TEXT_PART, "cache_control": {}}]},
            "messages[1].content[0].cache_control",
            "unsupported_parameter",
        ),
        ({**HELLO, "name": 7}, "messages[1].name", "invalid_type"),
        ({**HELLO, "name": "x" * 65}, "messages[1].name", "invalid_value"),
        ({**HELLO, "reasoning_content": "x"}, "messages[1].reasoning_content", UNSUPPORTED),
        ({**HELLO, "tool_calls": [{}]}, "messages[1].tool_calls", "unsupported_parameter"),
        ({**HELLO, "api_key": "x"}, "messages[1].api_key", "unsupported_parameter"),
        ({"role": "user", "content": "x" * 10_000_000}, "messages[1].content", "invalid_value"),
    ],
)
def test_a_wrong_message_is_refused_by_its_path(message: object, path: str, code: str) -> None:
    """K5, K6: the path leads to the exact place, down to a part of a message."""
    refusal = _refusal(messages=[HELLO, message])
    assert (refusal.param, refusal.code) == (path, code)
    assert refusal.message.startswith(path)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a", 1]}, "stop[1]"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            "stream_options.include_obfuscation",
        ),
    ],
)
def test_contradictions_and_inner_fields(fields: dict[str, object], path: str) -> None:
    """Two names with two values, and wrong inner fields, are refused at their own path."""
    assert _refusal(**fields).param == path


def test_an_echo_is_short_and_printable() -> None:
    """What the client wrote comes back with controls escaped and cut to 100 characters."""
    message = _refusal(messages=[{"role": "\x1b]0;" + "x" * 5000, "content": "x"}]).message
    assert "\\x1b]0;xx" in message
    assert message.isprintable()
    assert len(message) < 250
    assert len(_refusal(**{"x" * 5000: 1}).message) < 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CompletionCreateParamsBase.__annotations__)), json_values)
def test_no_value_crashes_the_parser(name: str, value: object) -> None:
    """Any JSON in any field is understood or refused with a path that starts with its name."""
    try:
        read_chat_request({**SMALLEST, "stream": True, name: value})
    except RequestRefused as refusal:
        if not (refusal.param or "").startswith(name):
            raise
