"""How many tokens a prompt may have, where nobody who knows can be asked."""

from collections.abc import Sequence
from typing import Final

from cortexd.domain.chat import (
    ChatRequest,
    Image,
    ImageUrl,
    Part,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)

BYTES_PER_TOKEN: Final = 4
"""The rule of thumb that OpenAI gives for English; in bytes, since other scripts take more."""

TOKENS_PER_MESSAGE: Final = 4
"""What OpenAI's cookbook counts for the marks around a message, rounded up."""

TOKENS_PER_IMAGE: Final = 1_600
"""What Anthropic's documentation gives for an image as large as it takes it without shrinking."""


def estimate_input_tokens(request: ChatRequest) -> int:
    """The estimate; at least 1."""
    size = sum(_bytes(message.parts) for message in request.messages)
    for tool in request.tools:
        size += len(f"{tool.name}{tool.description or ''}{tool.parameters or ''}".encode())
    images = sum(_images(message.parts) for message in request.messages)
    return (
        -(-size // BYTES_PER_TOKEN)
        + TOKENS_PER_MESSAGE * len(request.messages)
        + TOKENS_PER_IMAGE * images
    )


def estimate_output_tokens(characters: int) -> int:
    """The tokens of so much text; 0 for none."""
    return -(-characters // BYTES_PER_TOKEN)


def _bytes(parts: Sequence[Part]) -> int:
    size = 0
    for part in parts:
        match part:
            case Text(text) | Thought(text):
                size += len(text.encode())
            case ToolCall(_, name, arguments):
                size += len(f"{name}{arguments}".encode())
            case ToolResult(_, results):
                size += _bytes(results)
    return size


def _images(parts: Sequence[Part]) -> int:
    return sum(
        _images(part.parts) if isinstance(part, ToolResult) else isinstance(part, Image | ImageUrl)
        for part in parts
    )
