"""What Groq is sent."""

from typing import Any

import pytest
from groq.types.chat.completion_create_params import CompletionCreateParams
from pydantic import TypeAdapter

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
from cortexd.wire.groq.write_request import write_chat_request

HELLO = (text_message(Role.USER, "hi"),)


def _written(model: str = "qwen/qwen3-32b", **fields: Any) -> dict[str, object]:
    return write_chat_request(ChatRequest(model=None, messages=HELLO, **fields), model=model)


@pytest.mark.parametrize(
    ("effort", "written"),
    [
        (None, {}),
        (Effort.NONE, {"reasoning_effort": "none"}),
        (Effort.MINIMAL, {"reasoning_effort": "low", "reasoning_format": "parsed"}),
        (Effort.LOW, {"reasoning_effort": "low", "reasoning_format": "parsed"}),
        (Effort.HIGH, {"reasoning_effort": "high", "reasoning_format": "parsed"}),
        (Effort.XHIGH, {"reasoning_effort": "high", "reasoning_format": "parsed"}),
        (Effort.MAX, {"reasoning_effort": "high", "reasoning_format": "parsed"}),
    ],
)
def test_reasoning(effort: Effort | None, written: dict[str, object]) -> None:
    """Groq has three levels; where there is reasoning, it is asked for apart from the text."""
    body = _written(effort=effort)
    assert {name: body[name] for name in body if name.startswith("reasoning")} == written


@pytest.mark.parametrize(("tokens", "word"), [(1024, "low"), (8192, "medium"), (10_000, "high")])
def test_a_number_of_tokens_is_an_effort(tokens: int, word: str) -> None:
    """Groq has no word for the number."""
    body = _written(thinking_tokens_max=tokens)
    assert (body["reasoning_effort"], body["reasoning_format"]) == (word, "parsed")


@pytest.mark.parametrize("model", ["openai/gpt-oss-20b", "openai/gpt-oss-120b"])
def test_models_that_refuse_a_format_are_sent_none(model: str) -> None:
    """They keep their reasoning apart anyway."""
    body = _written(model, effort=Effort.LOW)
    assert body["reasoning_effort"] == "low"
    assert "reasoning_format" not in body


def test_what_groq_does_not_take_is_left_out() -> None:
    """A penalty of zero is none; the limit goes by its newer name."""
    sampling = Sampling(frequency_penalty=0.0, presence_penalty=0.0, max_output_tokens=7)
    body = _written(sampling=sampling)
    assert body.keys() == {"model", "messages", "stream", "stream_options", "max_completion_tokens"}


def test_the_official_client_knows_all_that_is_sent() -> None:
    """Every member is in the types of Groq's own client."""
    request = ChatRequest(
        model=None,
        messages=(
            text_message(Role.SYSTEM, "be brief"),
            Message(Role.USER, (Text("what?"), Image("image/png", "iVBORw0KGgo=", "low"))),
            Message(Role.ASSISTANT, (Thought("hm"), ToolCall("c1", "look", "{}"))),
            Message(Role.TOOL, (ToolResult("c1", (Text("x"),)),)),
        ),
        sampling=Sampling(temperature=1.5, top_p=0.5, max_output_tokens=7, stop=("a",), seed=1),
        tools=(Tool("look", "d", {"type": "object"}, strict=True),),
        tool_choice=ToolChoice(ToolUse.REQUIRED, "look"),
        parallel_tool_calls=False,
        output=JsonOutput(),
        effort=Effort.LOW,
    )
    body = write_chat_request(request, model="m")
    known = TypeAdapter(CompletionCreateParams).validate_python(body)
    # Groq documents `stream_options`, but its client has no name for it.
    assert body.keys() - known.keys() == {"stream_options"}
    assert body["stream_options"] == {"include_usage": True}
