"""The gateway's own words for a chat: what every door parses into and every adapter speaks from."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, unique
from typing import TypeAlias

import attrs

from cortexd.domain.feature import Feature

JsonSchema: TypeAlias = Mapping[str, object]
"""A JSON Schema as the client wrote it; it is passed on and never interpreted."""


@unique
class Role(Enum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@attrs.frozen
class Text:
    """A text; may be empty only where a dialect sent it so."""

    text: str


@attrs.frozen
class Image:
    """A picture that came with the request. `data` is base64 in the standard alphabet, padded."""

    media_type: str
    data: str
    detail: str | None = None


@attrs.frozen
class ImageUrl:
    """A picture that the worker is to fetch; the gateway never does."""

    url: str
    detail: str | None = None


@attrs.frozen
class Thought:
    """Reasoning that an assistant's earlier answer came with.

    `signature` is the worker's seal on it, by which its provider knows its own thoughts again.
    """

    text: str
    signature: str | None = None


@attrs.frozen
class ToolCall:
    """A call that the assistant wants made. `arguments` is the JSON text of an object."""

    call_id: str
    name: str
    arguments: str


@attrs.frozen
class ToolResult:
    """What a call brought: the only kind of part in a message of role TOOL."""

    call_id: str
    parts: tuple[Text | Image | ImageUrl, ...]
    is_error: bool = False


Part: TypeAlias = Text | Image | ImageUrl | Thought | ToolCall | ToolResult


@attrs.frozen
class Message:
    """One turn of the conversation so far. `name`: which of several participants wrote it."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None

    @property
    def text(self) -> str:
        """The texts of all parts; a line end keeps the words of separate parts apart."""
        return joined_text(self.parts)


def joined_text(parts: Sequence[Part]) -> str:
    """The texts among `parts`, a line each."""
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def text_message(role: Role, text: str) -> Message:
    """A message of text alone."""
    return Message(role, (Text(text),))


@attrs.frozen
class Tool:
    """A function that the model may ask to have called. `parameters` describe its arguments."""

    name: str
    description: str | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None


@unique
class ToolUse(Enum):
    """Whether the model calls tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@attrs.frozen
class ToolChoice:
    """How tools may be used. `name`, with REQUIRED: it must be this one."""

    use: ToolUse
    name: str | None = None


@attrs.frozen(kw_only=True)
class JsonOutput:
    """The answer must be JSON: any object, or one that fits `schema`."""

    schema: JsonSchema | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@unique
class Effort(Enum):
    """How much a model thinks before it answers."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


@attrs.frozen(kw_only=True)
class Sampling:
    """How the next tokens are chosen; `None` leaves a value to the worker.

    `temperature` lies in 0..2, `top_p` and `min_p` in 0..1, the frequency and presence penalties in
    -2..2; `repeat_penalty` is a divisor, so 1 is none. `context_tokens`: what prompt and answer are
    to have room for; it, `max_output_tokens` and `top_k` ≥ 1.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    context_tokens: int | None = None


@attrs.frozen(kw_only=True)
class ChatRequest:
    """What a client asks for. `model` is the name it used; `None` means any model.

    Without `messages`, it asks for nothing but the model to be there.

    `needs`: what a worker must be able to do, each with the path of the field that asks for it.
    `top_logprobs`: how many alternatives to tell with the probability of each token; `None`: tell
    no probabilities. `thinking_tokens_max` bounds the reasoning, where the client gave a number
    instead of an effort.
    """

    model: str | None
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output: JsonOutput | None = None
    effort: Effort | None = None
    thinking_tokens_max: int | None = None
    top_logprobs: int | None = None
    needs: Mapping[Feature, str] = attrs.Factory(dict)

    def tool_name(self, call_id: str) -> str | None:
        """The name of the function that an earlier call of this id was for."""
        return next((call.name for call in self.tool_calls() if call.call_id == call_id), None)

    def tool_calls(self) -> Iterator[ToolCall]:
        """All calls in the conversation so far."""
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, ToolCall):
                    yield part
