"""What may stand in a request to OpenAI. Source: openai-python `types/chat`, `types/embedding*`.

Members that have to do with audio, files, web search or stored completions are left out: the
gateway has no business to send them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from tests.fakes.dialect import BadRequest, Strict
from tests.fakes.understood import (
    OpenCalls,
    Words,
    joined,
    plain,
    read_arguments,
    read_image_url,
    words,
)

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class ImageUrl(Strict):
    """An address, or a data URL."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class TextPart(Strict, tag_field="type", tag="text"):
    """A text."""

    text: str


class ImagePart(Strict, tag_field="type", tag="image_url"):
    """A picture."""

    image_url: ImageUrl


class RefusalPart(Strict, tag_field="type", tag="refusal"):
    """The model's own earlier refusal."""

    refusal: str


class CalledFunction(Strict):
    """Arguments are a JSON text."""

    name: Name
    arguments: str


class ToolCall(Strict):
    """A call of an earlier turn."""

    id: Annotated[str, Meta(min_length=1, max_length=40)]
    type: Literal["function"]
    function: CalledFunction


class System(Strict, tag_field="role", tag="system"):
    """What the model is told first."""

    content: str | list[TextPart]
    name: str | None = None


class Developer(System, tag_field="role", tag="developer"):
    """The newer word for `system`."""


class User(Strict, tag_field="role", tag="user"):
    """A question."""

    content: str | list[TextPart | ImagePart]
    name: str | None = None


class Assistant(Strict, tag_field="role", tag="assistant"):
    """An earlier answer."""

    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Strict, tag_field="role", tag="tool"):
    """A tool's result."""

    content: str | list[TextPart]
    tool_call_id: str


Message: TypeAlias = System | Developer | User | Assistant | ToolMessage


class Function(Strict):
    """What a tool does."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Strict):
    """A tool."""

    type: Literal["function"]
    function: Function


class NamedFunction(Strict):
    """The tool to call."""

    name: Name


class NamedTool(Strict):
    """Call this one."""

    type: Literal["function"]
    function: NamedFunction


class TextFormat(Strict, tag_field="type", tag="text"):
    """No format."""


class JsonFormat(Strict, tag_field="type", tag="json_object"):
    """Any object."""


class JsonSchema(Strict):
    """An object of this shape."""

    name: Name
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class SchemaFormat(Strict, tag_field="type", tag="json_schema"):
    """An object of a shape."""

    json_schema: JsonSchema


class StreamOptions(Strict):
    """How to stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]


class ChatRequest(Strict):
    """POST /v1/chat/completions."""

    model: str
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    tools: Annotated[list[Tool], Meta(min_length=1, max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | JsonFormat | SchemaFormat | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    n: Literal[1] | None = None
    user: str | None = None


class EmbedRequest(Strict):
    """POST /v1/embeddings."""

    model: str
    input: Annotated[str, Meta(min_length=1)] | Annotated[list[str], Meta(min_length=1)]
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


def understand(asked: ChatRequest) -> Words:
    """The meaning; raises `BadRequest` for what only the whole tells to be wrong."""
    for name in ("tool_choice", "parallel_tool_calls"):
        if getattr(asked, name) is not None and not asked.tools:
            raise BadRequest(f"'{name}' is only allowed when 'tools' are specified")
    if asked.stream_options is not None and not asked.stream:
        raise BadRequest("'stream_options' is only allowed when 'stream' is enabled")
    if asked.max_tokens is not None and asked.max_completion_tokens is not None:
        raise BadRequest("'max_tokens' and 'max_completion_tokens' cannot both be set")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise BadRequest("'top_logprobs' needs 'logprobs'")
    understood = list(_messages(asked.messages))
    system = joined(_text(m.content) for m in asked.messages if isinstance(m, System))
    if isinstance(asked.response_format, JsonFormat):
        texts = [system, *(message.get("text", "") for message in understood)]
        if not any("json" in text.lower() for text in texts):
            raise BadRequest("'messages' must contain the word 'json' to use 'json_object'")
    return words(
        model=asked.model,
        stream=asked.stream or None,
        system=system,
        messages=understood,
        tools=[words(**plain(tool.function)) for tool in asked.tools or ()],
        tool_choice=_tool_choice(asked),
        parallel_tool_calls=asked.parallel_tool_calls,
        output=_output(asked.response_format),
        max_tokens=asked.max_tokens or asked.max_completion_tokens,
        stop=[asked.stop] if isinstance(asked.stop, str) else asked.stop,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        reasoning=asked.reasoning_effort,
        logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
    )


def _tool_choice(asked: ChatRequest) -> object:
    choice = asked.tool_choice
    if not isinstance(choice, NamedTool):
        return choice
    name = choice.function.name
    if name not in [tool.function.name for tool in asked.tools or ()]:
        raise BadRequest(f"tool choice '{name}' is not among the tools")
    return {"name": name}


def _output(wanted: TextFormat | JsonFormat | SchemaFormat | None) -> object:
    if isinstance(wanted, SchemaFormat):
        return words(**plain(wanted.json_schema))
    return "json" if isinstance(wanted, JsonFormat) else None


def _messages(messages: tuple[Message, ...]) -> Iterator[Words]:
    calls = OpenCalls()
    for message in messages:
        if isinstance(message, ToolMessage):
            name = calls.end(message.tool_call_id)
            yield words(
                role="tool", id=message.tool_call_id, name=name, text=_text(message.content)
            )
            continue
        calls.wait_for_none()
        if isinstance(message, Assistant):
            yield _assistant(message, calls)
        elif isinstance(message, User):
            yield words(
                role="user",
                participant=message.name,
                text=_text(message.content),
                images=[
                    read_image_url(part.image_url.url) | words(detail=part.image_url.detail)
                    for part in message.content
                    if isinstance(part, ImagePart)
                ],
            )
    calls.wait_for_none()


def _assistant(message: Assistant, calls: OpenCalls) -> Words:
    if message.content is None and not message.tool_calls and not message.refusal:
        raise BadRequest("an assistant's message needs 'content' or 'tool_calls'")
    for call in message.tool_calls or ():
        calls.begin(call.id, call.function.name)
    return words(
        role="assistant",
        participant=message.name,
        text=_text(message.content or ""),
        # Groq's, and that of servers which speak OpenAI; OpenAI itself has no such member.
        thought=getattr(message, "reasoning", None),
        calls=[
            {
                "id": call.id,
                "name": call.function.name,
                "arguments": read_arguments(call.function.arguments),
            }
            for call in message.tool_calls or ()
        ],
    )


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return joined(part.text for part in content if isinstance(part, TextPart))
