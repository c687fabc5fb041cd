"""Estimates of how long a prompt is."""

from cortexd.domain.chat import (
    ChatRequest,
    Image,
    Message,
    Role,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    text_message,
)
from cortexd.policy.token_estimate import (
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    estimate_input_tokens,
)


def _estimate(*messages: Message, tools: tuple[Tool, ...] = ()) -> int:
    return estimate_input_tokens(ChatRequest(model=None, messages=messages, tools=tools))


def test_a_token_for_each_four_bytes_rounded_up() -> None:
    """Bytes, so that other scripts count for more."""
    assert _estimate(text_message(Role.USER, "")) == TOKENS_PER_MESSAGE
    assert _estimate(text_message(Role.USER, "12345")) == TOKENS_PER_MESSAGE + 2
    assert _estimate(text_message(Role.USER, "日本語!!")) == TOKENS_PER_MESSAGE + 3


def test_everything_in_it_counts() -> None:
    """Thoughts, calls, their results, the tools themselves, and pictures wherever they are."""
    picture = Image("image/png", "aaaa")
    messages = (
        Message(Role.USER, (Text("1234"), picture)),
        Message(Role.ASSISTANT, (Thought("1234"), ToolCall("id", "name", "{}  "))),
        Message(Role.TOOL, (ToolResult("id", (Text("1234"), picture)),)),
    )
    bare = 3 * TOKENS_PER_MESSAGE + 2 * TOKENS_PER_IMAGE + 5
    assert _estimate(*messages) == bare
    assert _estimate(*messages, tools=(Tool("1234", "1234", {"a": 1}),)) == bare + 4
