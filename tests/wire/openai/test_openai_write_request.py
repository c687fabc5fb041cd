"""What workers are sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from cortexd.domain.feature import Feature
from cortexd.wire.openai.read_request import read_chat_request
from cortexd.wire.openai.write_messages import CALL_ID_CHARACTERS_MAX
from cortexd.wire.openai.write_request import write_chat_request

HELLO = (text_message(Role.USER, "hi"),)
SCHEMA = {"type": "object"}
LOOK = Tool("look", "d", SCHEMA, strict=True)
BARE = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def _added(**fields: object) -> dict[str, object]:
    """What a field of the request adds to the smallest body."""
    request = ChatRequest(model=None, messages=HELLO, **fields)  # type: ignore[arg-type]
    written = write_chat_request(request, model="m")
    assert BARE.items() <= written.items()
    return {name: value for name, value in written.items() if name not in BARE}


def _messages(*messages: Message) -> object:
    return write_chat_request(ChatRequest(model=None, messages=messages), model="m")["messages"]


def test_the_smallest_request_asks_for_a_stream_with_usage() -> None:
    """Without sampling nothing but model, messages, stream and the wish for usage goes out."""
    assert _added() == {}


def test_every_sampling_field_goes_out() -> None:
    """Each field of `Sampling` has its place, also where its value is zero."""
    sampling = Sampling(
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        max_output_tokens=7,
        stop=("a", "b"),
        seed=0,
        frequency_penalty=-1.0,
        presence_penalty=1.0,
    )
    assert _added(sampling=sampling) == {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 3,
        "max_tokens": 7,
        "stop": ["a", "b"],
        "seed": 0,
        "frequency_penalty": -1.0,
        "presence_penalty": 1.0,
    }


def test_the_limit_goes_by_the_name_it_is_given() -> None:
    """OpenAI's reasoning models know the new name alone, other servers the old one."""
    request = ChatRequest(model=None, messages=HELLO, sampling=Sampling(max_output_tokens=7))
    written = write_chat_request(request, model="m", limit_name="max_completion_tokens")
    assert written["max_completion_tokens"] == 7
    assert "max_tokens" not in written


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"effort": Effort.NONE}, {"reasoning_effort": "none"}),
        ({"effort": Effort.XHIGH}, {"reasoning_effort": "xhigh"}),
        ({"effort": Effort.MAX}, {"reasoning_effort": "max"}),
        ({"thinking_tokens_max": 2048}, {"reasoning_effort": "low"}),
        ({"thinking_tokens_max": 2049}, {"reasoning_effort": "medium"}),
        ({"thinking_tokens_max": 8193}, {"reasoning_effort": "high"}),
        ({"thinking_tokens_max": 9999, "effort": Effort.LOW}, {"reasoning_effort": "low"}),
        ({"top_logprobs": 0}, {"logprobs": True}),
        ({"top_logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),
        ({"output": JsonOutput()}, {"response_format": {"type": "json_object"}}),
        (
            {"output": JsonOutput(schema=SCHEMA)},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": SCHEMA},
                }
            },
        ),
        (
            {"output": JsonOutput(schema=SCHEMA, name="n", description="d", strict=True)},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "n",
                        "description": "d",
                        "schema": SCHEMA,
                        "strict": True,
                    },
                }
            },
        ),
        (
            {
                "tools": (LOOK, Tool("wait")),
                "tool_choice": ToolChoice(ToolUse.REQUIRED, "look"),
                "parallel_tool_calls": False,
            },
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "look",
                            "description": "d",
                            "parameters": SCHEMA,
                            "strict": True,
                        },
                    },
                    {"type": "function", "function": {"name": "wait"}},
                ],
                "tool_choice": {"type": "function", "function": {"name": "look"}},
                "parallel_tool_calls": False,
            },
        ),
        ({"tool_choice": ToolChoice(ToolUse.NONE), "parallel_tool_calls": True}, {}),
    ],
)
def test_what_else_goes_out(fields: dict[str, object], added: dict[str, object]) -> None:
    """Each wish in the dialect's own form; nothing is said of tools where there are none."""
    assert _added(**fields) == added


def test_messages_take_the_simplest_form() -> None:
    """Texts are one string; thoughts stay here; each tool result is a message of its own."""
    call = ToolCall("c1", "look", '{"a":1}')
    other = ToolCall("c2", "look", "{}")
    assert _messages(
        text_message(Role.SYSTEM, "be brief"),
        Message(Role.USER, (Text("a"), Text("b")), "bob"),
        Message(Role.ASSISTANT, (Thought("hm", "seal"), call, other)),
        Message(
            Role.TOOL,
            (
                ToolResult("c1", (Text("x"), Text("y"))),
                ToolResult("c2", ()),
            ),
        ),
        Message(Role.ASSISTANT, (Thought("hm"), Text("so"))),
    ) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "a\nb", "name": "bob"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"a":1}'},
                },
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "x\ny"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": "so"},
    ]


def test_pictures_make_a_list_of_parts() -> None:
    """A picture that came with the request goes out as a data URL, one by address as it is."""
    parts = (Text("what?"), Image("image/png", "iVBORw0KGgo=", "low"), ImageUrl("https://e.org/a"))
    assert _messages(Message(Role.USER, parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what?"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
                },
                {"type": "image_url", "image_url": {"url": "https://e.org/a"}},
            ],
        }
    ]


def test_a_long_id_is_replaced_in_call_and_result_alike() -> None:
    """Another provider's id may carry a signature; OpenAI takes forty characters."""
    ids = ["x" * 40, "x" * 41, "y" * 8192]
    written = json.loads(
        json.dumps(
            _messages(
                Message(Role.ASSISTANT, tuple(ToolCall(one, "look", "{}") for one in ids)),
                Message(Role.TOOL, tuple(ToolResult(one, (Text("r"),)) for one in ids)),
            )
        )
    )
    calls = [call["id"] for call in written[0]["tool_calls"]]
    assert calls == [message["tool_call_id"] for message in written[1:]]
    assert calls[0] == ids[0]
    assert len(set(calls)) == 3
    assert max(map(len, calls)) <= CALL_ID_CHARACTERS_MAX


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
names = st.from_regex(r"[a-z_-]{1,8}", fullmatch=True)
images = st.sampled_from(
    [Image("image/png", "iVBORw0KGgo="), ImageUrl("https://e.org/a.png", "high")]
)
user_messages = st.builds(
    Message,
    st.just(Role.USER),
    st.tuples(texts.map(Text), images) | st.tuples(texts.map(Text)),
    st.none() | names,
)
samplings = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    max_output_tokens=st.none() | st.integers(1, 1000),
    stop=st.lists(texts, max_size=4).map(tuple),
    seed=st.none() | st.integers(0, 99),
    frequency_penalty=st.none() | st.floats(0.25, 2),
    presence_penalty=st.none() | st.floats(-2, -0.25),
)


@given(
    st.builds(
        ChatRequest,
        model=st.just("m"),
        messages=st.lists(user_messages, min_size=1, max_size=3).map(tuple),
        sampling=samplings,
        tools=st.just((LOOK,)),
        tool_choice=st.sampled_from([None, *(ToolChoice(use) for use in ToolUse)]),
        parallel_tool_calls=st.none() | st.booleans(),
        output=st.sampled_from([None, JsonOutput(), JsonOutput(schema=SCHEMA, name="n")]),
        effort=st.none() | st.sampled_from(Effort),
        top_logprobs=st.none() | st.integers(0, 20),
    )
)
def test_our_own_door_reads_what_we_send(request: ChatRequest) -> None:
    """A node behind a node gets the same request, and knows what it needs."""
    read = read_chat_request(write_chat_request(request, model="m")).request
    assert read.messages == request.messages
    assert read.sampling == request.sampling
    assert (read.tools, read.tool_choice) == (request.tools, request.tool_choice)
    assert read.parallel_tool_calls == request.parallel_tool_calls
    assert (read.output, read.effort) == (request.output, request.effort)
    assert read.top_logprobs == request.top_logprobs
    assert read.needs[Feature.TOOLS] == "tools"
