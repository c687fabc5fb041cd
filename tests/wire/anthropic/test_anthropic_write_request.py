from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from pydantic import TypeAdapter

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    ImageUrl,
    JsonOutput,
    Message,
    Role,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    text_message,
)
from cortexd.wire.anthropic.read_request import read_chat_request, read_token_count_request
from cortexd.wire.anthropic.write_request import write_chat_request, write_token_count_request
from cortexd.wire.anthropic.write_thinking import MAX_TOKENS_DEFAULT

PNG = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
HELLO = text_message(Role.USER, "hi")
REQUEST = ChatRequest(model="anything", messages=(HELLO,))
NEW = "claude-opus-4-6"
OLD = "claude-haiku-4-5"
CALL = ToolCall("toolu_1", "weather", '{"city":"Rome"}')
RESULT = ToolResult("toolu_1", (Text("sun"),))
SENT = TypeAdapter(MessageCreateParamsStreaming)
COUNTED = TypeAdapter(MessageCountTokensParams)


def _write(request: ChatRequest = REQUEST, /, *, model: str = NEW, **fields: Any) -> dict[str, Any]:
    """The body, which the official client could have sent, but for what it has dropped."""
    written = write_chat_request(attrs.evolve(request, **fields), model=model)
    dropped = {"temperature", "top_p", "top_k"}
    _exhaust(SENT.validate_python({k: v for k, v in written.items() if k not in dropped}))
    return written


def _exhaust(validated: object) -> None:
    """Pydantic checks what is iterable only when it is iterated."""
    if isinstance(validated, dict):
        validated = validated.values()
    if isinstance(validated, Iterable) and not isinstance(validated, str):
        for inner in validated:
            _exhaust(inner)


def _turns(*messages: Message, **fields: Any) -> Any:
    return _write(messages=messages, **fields)["messages"]


def test_the_smallest_request() -> None:
    """Nothing but model, messages, the limit that the API wants, and the wish for a stream."""
    assert _write() == {
        "model": NEW,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "max_tokens": MAX_TOKENS_DEFAULT,
        "stream": True,
    }


def test_every_sampling_field_goes_out() -> None:
    """Each field that the API has."""
    sampling = Sampling(temperature=0.0, top_p=0.5, top_k=3, max_output_tokens=7, stop=("a", "b"))
    written = _write(sampling=sampling)
    assert {name: written[name] for name in written.keys() - {"model", "messages", "stream"}} == {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 3,
        "max_tokens": 7,
        "stop_sequences": ["a", "b"],
    }


def test_system_messages_stand_apart() -> None:
    """All of them, wherever they stood, with a blank line between; an empty one is none."""
    written = _write(
        messages=(
            text_message(Role.SYSTEM, "a"),
            HELLO,
            text_message(Role.SYSTEM, ""),
            text_message(Role.SYSTEM, "b"),
        )
    )
    assert written["system"] == "a\n\nb"
    assert [turn["role"] for turn in written["messages"]] == ["user"]


def test_turns_alternate() -> None:
    """What one side says in a row is one turn, the results of calls first."""
    turns = _turns(
        HELLO,
        text_message(Role.USER, ""),
        Message(Role.USER, (Image("image/png", PNG), ImageUrl("https://x"))),
        text_message(Role.ASSISTANT, "Wait"),
        Message(Role.ASSISTANT, (CALL, ToolCall("toolu_2", "now", ""))),
        Message(Role.TOOL, (RESULT,)),
        Message(
            Role.TOOL,
            (ToolResult("toolu_2", (Text(""), Image("image/png", PNG)), is_error=True),),
        ),
        text_message(Role.USER, "So?"),
    )
    png = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert turns == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": png},
                {"type": "image", "source": {"type": "url", "url": "https://x"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Wait"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "weather",
                    "input": {"city": "Rome"},
                },
                {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "sun"}],
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "image", "source": png}],
                    "is_error": True,
                },
                {"type": "text", "text": "So?"},
            ],
        },
    ]


def test_only_sealed_thoughts_go_back() -> None:
    """The API knows its own thoughts by their signature, and takes no others."""
    thoughts = (Thought("a", "sig"), Thought("b"), Thought("", "redacted:xyz"), Text("c"))
    turns = _turns(HELLO, Message(Role.ASSISTANT, thoughts), HELLO)
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "c"},
    ]


def test_ids_of_other_workers_are_spelt_out() -> None:
    """Call and result still have the same id, and no two ids become one."""
    ids = ["functions.now:0", "functions_now_0", "call-1", "ü"]
    turns = _turns(
        HELLO,
        Message(Role.ASSISTANT, tuple(ToolCall(call_id, "now", "{}") for call_id in ids)),
        Message(Role.TOOL, tuple(ToolResult(call_id, ()) for call_id in ids)),
    )
    called = [block["id"] for block in turns[1]["content"]]
    assert called == [block["tool_use_id"] for block in turns[2]["content"]]
    assert len(set(called)) == len(ids)
    assert all(call_id.replace("_", "").replace("-", "").isalnum() for call_id in called)
    assert all(call_id.isascii() for call_id in called)
    assert called[1:3] == ids[1:3]


def test_tools() -> None:
    """The API demands a schema of an object, also where the client wrote none."""
    tools = (Tool("a", "d", SCHEMA, strict=True), Tool("b"), Tool("c", parameters={}, strict=False))
    assert _write(tools=tools)["tools"] == [
        {"name": "a", "input_schema": SCHEMA, "description": "d", "strict": True},
        {"name": "b", "input_schema": {"type": "object"}},
        {"name": "c", "input_schema": {"type": "object"}, "strict": False},
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(ToolUse.AUTO), None, None),
        (ToolChoice(ToolUse.REQUIRED), None, {"type": "any"}),
        (
            ToolChoice(ToolUse.REQUIRED, "a"),
            False,
            {"type": "tool", "name": "a", "disable_parallel_tool_use": True},
        ),
        (ToolChoice(ToolUse.NONE), False, {"type": "none"}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, *, parallel: bool | None, written: object) -> None:
    """The API's words for it; it refuses a choice without tools."""
    fields: dict[str, Any] = {"tool_choice": choice, "parallel_tool_calls": parallel}
    assert _write(tools=(Tool("a"),), **fields).get("tool_choice") == written
    assert "tool_choice" not in _write(**fields)


def test_a_schema_for_the_answer() -> None:
    """Its name has no place here."""
    output = JsonOutput(schema=SCHEMA, name="n", strict=True)
    assert _write(output=output)["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA}
    }


@pytest.mark.parametrize(
    "model",
    ["claude-opus-4-6", "claude-opus-4-10", "claude-sonnet-5", "claude-haiku-5-5", "any-name"],
)
@pytest.mark.parametrize(
    ("effort", "word"),
    [
        (Effort.MINIMAL, "low"),
        (Effort.LOW, "low"),
        (Effort.MEDIUM, "medium"),
        (Effort.HIGH, "high"),
        (Effort.XHIGH, "xhigh"),
        (Effort.MAX, "max"),
    ],
)
def test_newer_models_take_an_effort(model: str, effort: Effort, word: str) -> None:
    """They decide for themselves, and are asked to show what they thought."""
    written = _write(model=model, effort=effort, sampling=Sampling(max_output_tokens=10))
    assert written["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert written["output_config"] == {"effort": word}
    assert written["max_tokens"] == 10


@pytest.mark.parametrize(
    "model",
    [
        "claude-3-7-sonnet-20250219",
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-4-sonnet-20250514",
        "claude-opus-4-1-20250805",
        "claude-sonnet-4-5",
        "claude-haiku-4-5-20251001",
    ],
)
@pytest.mark.parametrize(
    ("effort", "limit", "budget", "max_tokens"),
    [
        (Effort.LOW, None, 1024, MAX_TOKENS_DEFAULT + 1024),
        (Effort.HIGH, None, 24_576, MAX_TOKENS_DEFAULT + 24_576),
        (Effort.MEDIUM, 20_000, 8192, 20_000),
        (Effort.XHIGH, 20_000, 19_999, 20_000),
        (Effort.MAX, None, 24_576, MAX_TOKENS_DEFAULT + 24_576),
        (Effort.HIGH, 1025, 1024, 1025),
        (Effort.LOW, 1024, None, 1024),
    ],
)
def test_older_models_take_a_budget(
    model: str, effort: Effort, limit: int | None, budget: int | None, max_tokens: int
) -> None:
    """It is a part of the limit, which is the client's if it set one, and then never raised."""
    written = _write(model=model, effort=effort, sampling=Sampling(max_output_tokens=limit))
    thinking = None if budget is None else {"type": "enabled", "budget_tokens": budget}
    assert written.get("thinking") == thinking
    assert written["max_tokens"] == max_tokens
    assert "output_config" not in written


@pytest.mark.parametrize("model", [OLD, NEW])
def test_a_budget_of_the_client_goes_out_as_it_is(model: str) -> None:
    """To any model, and with the effort, if there is one, beside it."""
    sampling = Sampling(max_output_tokens=3000)
    written = _write(model=model, thinking_tokens_max=2000, sampling=sampling)
    assert written["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert (written["max_tokens"], written.get("output_config")) == (3000, None)
    written = _write(model=model, thinking_tokens_max=2000, effort=Effort.LOW)
    assert written["output_config"] == {"effort": "low"}
    assert written["max_tokens"] == MAX_TOKENS_DEFAULT + 2000


@pytest.mark.parametrize("model", [OLD, NEW])
def test_no_effort_turns_thinking_off(model: str) -> None:
    """Some models think unless they are told not to."""
    assert _write(model=model, effort=Effort.NONE)["thinking"] == {"type": "disabled"}


THOUGHT = Thought("Hm", "sig")
ANSWERED = Message(Role.TOOL, (RESULT,))


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        ((HELLO, Message(Role.ASSISTANT, (THOUGHT, CALL)), ANSWERED), True),
        ((HELLO, Message(Role.ASSISTANT, (Thought("", "redacted:x"), CALL)), ANSWERED), True),
        ((HELLO, Message(Role.ASSISTANT, (CALL,)), ANSWERED), False),
        ((HELLO, Message(Role.ASSISTANT, (Thought("Hm"), CALL)), ANSWERED), False),
        ((HELLO, Message(Role.ASSISTANT, (CALL,)), ANSWERED, HELLO), False),
        (
            (
                HELLO,
                Message(Role.ASSISTANT, (THOUGHT, CALL)),
                ANSWERED,
                Message(Role.ASSISTANT, (CALL,)),
                ANSWERED,
            ),
            True,
        ),
        (
            (
                HELLO,
                Message(Role.ASSISTANT, (CALL,)),
                ANSWERED,
                Message(Role.ASSISTANT, (THOUGHT, CALL)),
                ANSWERED,
            ),
            False,
        ),
        (
            (
                HELLO,
                Message(Role.ASSISTANT, (CALL,)),
                ANSWERED,
                text_message(Role.ASSISTANT, "x"),
                HELLO,
            ),
            True,
        ),
        ((HELLO, text_message(Role.ASSISTANT, "x")), False),
    ],
)
def test_a_turn_that_began_without_a_thought_goes_on_without(
    messages: tuple[Message, ...], *, thinks: bool
) -> None:
    """The API refuses a budget there; another worker may have begun the turn."""
    written = _write(messages=messages, model=OLD, effort=Effort.LOW)
    assert ("thinking" in written) is thinks
    # A model that decides for itself has no such rule.
    assert _write(messages=messages, effort=Effort.LOW)["thinking"]["type"] == "adaptive"


def test_a_count_has_the_prompt_alone() -> None:
    """The same prompt, without what says how to answer."""
    request = attrs.evolve(
        REQUEST,
        messages=(text_message(Role.SYSTEM, "s"), HELLO),
        tools=(Tool("a"),),
        sampling=Sampling(temperature=0.5, max_output_tokens=9, stop=("x",)),
        effort=Effort.LOW,
    )
    counted = write_token_count_request(request, model=NEW)
    _exhaust(COUNTED.validate_python(counted))
    assert counted.keys() == {"model", "messages", "system", "tools", "thinking", "output_config"}


def test_our_own_reader_reads_it_back() -> None:
    """What the adapter writes is what the door of another node reads: the same request."""
    request = ChatRequest(
        model=NEW,
        messages=(
            text_message(Role.SYSTEM, "s"),
            Message(Role.USER, (Text("a"), Image("image/png", PNG), ImageUrl("https://x"))),
            Message(Role.ASSISTANT, (THOUGHT, Thought("", "redacted:x"), Text("b"), CALL)),
            Message(Role.TOOL, (attrs.evolve(RESULT, is_error=True),)),
            text_message(Role.USER, "c"),
        ),
        sampling=Sampling(temperature=0.5, top_p=0.5, top_k=2, max_output_tokens=4000, stop=("x",)),
        tools=(Tool("weather", "d", SCHEMA, strict=True),),
        tool_choice=ToolChoice(ToolUse.REQUIRED, "weather"),
        parallel_tool_calls=False,
        output=JsonOutput(schema=SCHEMA, strict=True),
        effort=Effort.HIGH,
    )
    parsed = read_chat_request(_write(request, model=NEW))
    assert attrs.evolve(parsed.request, needs={}) == request
    assert parsed.stream
    counted = read_token_count_request(write_token_count_request(request, model=NEW))
    assert attrs.evolve(counted.chat, needs={}) == attrs.evolve(request, sampling=Sampling())
