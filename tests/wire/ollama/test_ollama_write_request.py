import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatRequest as OfficialRequest

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
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
from cortexd.domain.feature import Feature
from cortexd.providers.ollama import FEATURES
from cortexd.wire.ollama.read_request import read_chat_request
from cortexd.wire.ollama.write_request import write_chat_request

PNG = "iVBORw0KGgoAAAAN"
HELLO = text_message(Role.USER, "hi")
REQUEST = ChatRequest(model="anything", messages=(HELLO,))
SCHEMA: dict[str, object] = {"type": "object", "properties": {"x": {"type": "integer"}}}
CONVERSATION = (
    text_message(Role.SYSTEM, "be kind"),
    Message(Role.USER, (Image("image/png", PNG), Text("what is this?"))),
    Message(
        Role.ASSISTANT,
        (
            Thought("hm", "sealed"),
            Thought("", "redacted:x"),
            Text("let me see"),
            ToolCall("1", "see", '{"x":1}'),
            ToolCall("2", "hear", ""),
        ),
    ),
    Message(Role.TOOL, (ToolResult("1", (Text("a"), Text("cat"))), ToolResult("2", ()))),
    text_message(Role.ASSISTANT, "a cat"),
)
EVERYTHING = ChatRequest(
    model="m",
    messages=CONVERSATION,
    sampling=Sampling(
        temperature=1.5,
        top_p=0.5,
        top_k=4,
        min_p=0.0,
        max_output_tokens=7,
        stop=("a",),
        seed=0,
        frequency_penalty=-1.0,
        presence_penalty=1.0,
        repeat_penalty=1.0,
        context_tokens=8192,
    ),
    tools=(Tool("see", "looks", SCHEMA), Tool("hear")),
    output=JsonOutput(schema=SCHEMA, name="n", strict=True),
    effort=Effort.HIGH,
    top_logprobs=3,
)


def test_everything_has_its_place() -> None:
    """Sampling goes into `options`; zero is a value, too."""
    assert write_chat_request(EVERYTHING, model="served") == {
        "model": "served",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "what is this?", "images": [PNG]},
            {
                "role": "assistant",
                "content": "let me see",
                "thinking": "hm",
                "tool_calls": [
                    {"id": "1", "function": {"name": "see", "arguments": {"x": 1}}},
                    {"id": "2", "function": {"name": "hear", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "a\ncat", "tool_name": "see", "tool_call_id": "1"},
            {"role": "tool", "content": "", "tool_name": "hear", "tool_call_id": "2"},
            {"role": "assistant", "content": "a cat"},
        ],
        "stream": True,
        "options": {
            "temperature": 1.5,
            "top_p": 0.5,
            "top_k": 4,
            "min_p": 0.0,
            "num_predict": 7,
            "stop": ["a"],
            "seed": 0,
            "frequency_penalty": -1.0,
            "presence_penalty": 1.0,
            "repeat_penalty": 1.0,
            "num_ctx": 8192,
        },
        "tools": [
            {
                "type": "function",
                "function": {"name": "see", "description": "looks", "parameters": SCHEMA},
            },
            {
                "type": "function",
                "function": {
                    "name": "hear",
                    "description": "",
                    "parameters": {"type": "object", "properties": {}},
                },
            },
        ],
        "format": SCHEMA,
        "think": "high",
        "logprobs": True,
        "top_logprobs": 3,
    }


def test_nothing_asked_is_nothing_sent() -> None:
    """What the client leaves to the worker stays the worker's."""
    assert write_chat_request(REQUEST, model="m") == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "options": {},
    }


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        (Effort.NONE, False),
        (Effort.MINIMAL, "low"),
        (Effort.LOW, "low"),
        (Effort.MEDIUM, True),
        (Effort.HIGH, "high"),
        (Effort.XHIGH, "max"),
        (Effort.MAX, "max"),
    ],
)
def test_each_effort_has_a_word(effort: Effort, think: object) -> None:
    """The nearest of the levels the server knows."""
    request = ChatRequest(model="m", messages=(HELLO,), effort=effort)
    assert write_chat_request(request, model="m")["think"] == think


def test_a_bound_on_thinking_is_thinking() -> None:
    """The bound itself has no word here; an effort beside it wins."""
    bounded = ChatRequest(model="m", messages=(HELLO,), thinking_tokens_max=1024)
    assert write_chat_request(bounded, model="m")["think"] is True
    lightly = ChatRequest(model="m", messages=(HELLO,), thinking_tokens_max=1024, effort=Effort.LOW)
    assert write_chat_request(lightly, model="m")["think"] == "low"


def test_any_object() -> None:
    """JSON without a schema is asked for by a word."""
    request = ChatRequest(model="m", messages=(HELLO,), output=JsonOutput())
    assert write_chat_request(request, model="m")["format"] == "json"


def test_probabilities_of_the_chosen_tokens_alone() -> None:
    """No alternatives are asked for where none are wanted."""
    request = ChatRequest(model="m", messages=(HELLO,), top_logprobs=0)
    document = write_chat_request(request, model="m")
    assert document["logprobs"] is True
    assert "top_logprobs" not in document


@pytest.mark.parametrize(("use", "told"), [(ToolUse.AUTO, True), (ToolUse.NONE, False)])
def test_tools_that_must_not_be_called_are_not_told(use: ToolUse, *, told: bool) -> None:
    """A model cannot call what it does not know."""
    request = ChatRequest(
        model="m", messages=(HELLO,), tools=(Tool("a"),), tool_choice=ToolChoice(use)
    )
    assert ("tools" in write_chat_request(request, model="m")) is told


def test_the_official_types_take_what_is_sent() -> None:
    """Each field is one that the official client could have sent."""
    document = write_chat_request(EVERYTHING, model="m")
    known = OfficialRequest.model_validate(document)
    assert known.model_fields_set == document.keys()


def test_our_own_door_reads_it_back() -> None:
    """What the adapter sends is what the door of another node reads: the same request."""
    request = read_chat_request(write_chat_request(EVERYTHING, model="m")).request
    assert request.sampling == EVERYTHING.sampling
    assert request.output == JsonOutput(schema=SCHEMA)
    assert (request.effort, request.top_logprobs) == (Effort.HIGH, 3)
    assert [tool.name for tool in request.tools] == ["see", "hear"]
    assert request.messages == (
        *CONVERSATION[:2],
        Message(
            Role.ASSISTANT,
            (
                Thought("hm"),
                Text("let me see"),
                ToolCall("1", "see", '{"x":1}'),
                ToolCall("2", "hear", "{}"),
            ),
        ),
        Message(Role.TOOL, (ToolResult("1", (Text("a\ncat"),)),)),
        Message(Role.TOOL, (ToolResult("2", (Text(""),)),)),
        CONVERSATION[-1],
    )
    assert request.needs.keys() <= FEATURES


def test_the_adapter_promises_nothing_without_words() -> None:
    """What the API cannot say is for other workers."""
    assert not FEATURES & {
        Feature.REQUIRED_TOOLS,
        Feature.CHOSEN_TOOL,
        Feature.SERIAL_TOOL_CALLS,
        Feature.STRICT_TOOLS,
        Feature.FAILED_TOOL_RESULTS,
        Feature.IMAGE_URLS,
        Feature.IMAGE_DETAIL,
        Feature.PARTICIPANT_NAMES,
    }


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
arguments = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=3), st.integers(-(2**53), 2**53), max_size=3
)


@given(st.lists(st.tuples(names, arguments), min_size=1, max_size=5))
def test_any_calls_come_back(calls: list[tuple[str, dict[str, int]]]) -> None:
    """Names, arguments and ids survive the way to another node."""
    document: dict[str, object] = {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": n, "arguments": a}} for n, a in calls],
            },
            *[{"role": "tool", "content": "x"} for _ in calls],
        ]
    }
    request = read_chat_request(document).request
    assert [(call.call_id, call.name) for call in request.tool_calls()] == [
        (f"call_0_{position}", name) for position, (name, _) in enumerate(calls)
    ]
    again = read_chat_request(write_chat_request(request, model="m")).request
    assert again.messages == request.messages
