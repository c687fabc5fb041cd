"""What may stand in a request to Anthropic. Source: anthropic-sdk-python `types/message_*param`.

`temperature`, `top_p` and `top_k` are what the older version of the API has. Server tools,
documents, containers and citations are left out.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from tests.fakes.dialect import BadRequest, Strict
from tests.fakes.understood import OpenCalls, Words, joined, read_base64, words

Id: TypeAlias = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$")]


class CacheControl(Strict):
    """Remember everything up to here."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Text(Strict, tag_field="type", tag="text"):
    """A text, never an empty one."""

    text: Annotated[str, Meta(min_length=1)]
    cache_control: CacheControl | None = None


class Base64Source(Strict, tag_field="type", tag="base64"):
    """The picture itself."""

    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str


class UrlSource(Strict, tag_field="type", tag="url"):
    """Where it is."""

    url: Annotated[str, Meta(pattern="^https?://")]


class Image(Strict, tag_field="type", tag="image"):
    """A picture."""

    source: Base64Source | UrlSource
    cache_control: CacheControl | None = None


class Thinking(Strict, tag_field="type", tag="thinking"):
    """Reasoning of an earlier answer, sealed."""

    thinking: str
    signature: Annotated[str, Meta(min_length=1)]


class RedactedThinking(Strict, tag_field="type", tag="redacted_thinking"):
    """Reasoning that nobody can read."""

    data: str


class ToolUse(Strict, tag_field="type", tag="tool_use"):
    """A call; its input is an object."""

    id: Id
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolResult(Strict, tag_field="type", tag="tool_result"):
    """What a call brought."""

    tool_use_id: Id
    content: str | list[Text | Image] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


Block: TypeAlias = Text | Image | Thinking | RedactedThinking | ToolUse | ToolResult


class Message(Strict):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Meta(min_length=1)] | Annotated[list[Block], Meta(min_length=1)]

    @property
    def blocks(self) -> list[Block]:
        """The content; a text stands for a block of it."""
        return [Text(text=self.content)] if isinstance(self.content, str) else self.content


class Tool(Strict):
    """A tool; `input_schema` may not be missing."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class Choice(Strict):
    """How tools may be used."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(Strict):
    """Whether to think, and for how long."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=1024)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class JsonFormat(Strict):
    """An object of this shape."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Strict):
    """How much effort to make, and in what form to answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Strict):
    """Who asks."""

    user_id: str | None = None


class CountRequest(Strict):
    """POST /v1/messages/count_tokens."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Text] | None = None
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None


class MessagesRequest(CountRequest, kw_only=True):
    """POST /v1/messages."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool = False
    stop_sequences: list[Annotated[str, Meta(pattern=r"\S")]] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


def understand(asked: MessagesRequest, *, takes_prefill: bool) -> Words:
    """The meaning; raises `BadRequest` for what only the whole tells to be wrong."""
    _check_thinking(asked)
    last = asked.messages[-1]
    if last.role == "assistant":
        if not takes_prefill:
            raise BadRequest("this model does not support assistant message prefill")
        if (
            isinstance(last.blocks[-1], Text)
            and last.blocks[-1].text != last.blocks[-1].text.rstrip()
        ):
            raise BadRequest("final assistant content cannot end with trailing whitespace")
    system = asked.system
    choice = asked.tool_choice
    parallel = choice.disable_parallel_tool_use if choice else None
    wanted = asked.output_config.format if asked.output_config else None
    return words(
        model=asked.model,
        stream=asked.stream or None,
        system=joined(block.text for block in system) if isinstance(system, list) else system,
        messages=list(read_messages(asked.messages)),
        tools=[
            words(
                name=t.name, description=t.description, parameters=t.input_schema, strict=t.strict
            )
            for t in asked.tools or ()
        ],
        tool_choice=_tool_choice(asked),
        parallel_tool_calls=None if parallel is None else not parallel,
        output={"schema": wanted.schema} if wanted else None,
        max_tokens=asked.max_tokens,
        stop=asked.stop_sequences,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        reasoning=_reasoning(asked),
    )


def _check_thinking(asked: MessagesRequest) -> None:
    thinking = asked.thinking
    if thinking is None or thinking.type == "disabled":
        return
    if (thinking.type == "enabled") != (thinking.budget_tokens is not None):
        raise BadRequest("thinking.budget_tokens: required if enabled, and only then")
    if thinking.budget_tokens is not None and thinking.budget_tokens >= asked.max_tokens:
        raise BadRequest("`max_tokens` must be greater than `thinking.budget_tokens`")
    if asked.temperature not in {None, 1} or asked.top_k is not None:
        raise BadRequest("`temperature` and `top_k` may not be set when thinking is enabled")
    if asked.tool_choice is not None and asked.tool_choice.type in {"any", "tool"}:
        raise BadRequest("thinking may not be enabled when tool_choice forces tool use")


def _tool_choice(asked: CountRequest) -> object:
    choice = asked.tool_choice
    if choice is None:
        return None
    if not asked.tools:
        raise BadRequest("tool_choice may only be specified while providing tools")
    if (choice.type == "tool") != (choice.name is not None):
        raise BadRequest("tool_choice.name: required for the type tool, and only then")
    if choice.type != "tool":
        return {"any": "required"}.get(choice.type, choice.type)
    if choice.name not in [tool.name for tool in asked.tools]:
        raise BadRequest(f"tool '{choice.name}' not found in provided tools")
    return {"name": choice.name}


def _reasoning(asked: CountRequest) -> object:
    """Effort, else budget, else whether."""
    if asked.output_config is not None and asked.output_config.effort is not None:
        return asked.output_config.effort
    if asked.thinking is None:
        return None
    return asked.thinking.budget_tokens or asked.thinking.type != "disabled"


def read_messages(messages: list[Message]) -> Iterator[Words]:
    """The turns; raises `BadRequest` if they do not follow each other as they must."""
    if messages[0].role != "user":
        raise BadRequest('messages: first message must use the "user" role')
    calls = OpenCalls()
    for message in messages:
        blocks = message.blocks
        results = [block for block in blocks if isinstance(block, ToolResult)]
        if blocks[: len(results)] != results:
            raise BadRequest("tool_result blocks must come first in their message")
        for result in results:
            yield _result(result, calls.end(result.tool_use_id))
        calls.wait_for_none()
        for block in blocks:
            if isinstance(block, ToolUse):
                calls.begin(block.id, block.name)
        _check_roles(message)
        if len(results) < len(blocks):
            yield _turn(message)
    calls.wait_for_none()


def _check_roles(message: Message) -> None:
    foreign = (
        (Image, ToolResult)
        if message.role == "assistant"
        else (Thinking, RedactedThinking, ToolUse)
    )
    for block in message.blocks:
        if isinstance(block, foreign):
            raise BadRequest(f"a block of this kind cannot be the {message.role}'s: {block}")


def _result(result: ToolResult, name: str) -> Words:
    content = result.content or ""
    blocks = [Text(text=content)] if isinstance(content, str) and content else content
    return words(
        role="tool",
        id=result.tool_use_id,
        name=name,
        text=joined(block.text for block in blocks if isinstance(block, Text)),
        images=[_image(block) for block in blocks if isinstance(block, Image)],
        is_error=result.is_error or None,
    )


def _turn(message: Message) -> Words:
    blocks = message.blocks
    thoughts = [block for block in blocks if isinstance(block, Thinking)]
    return words(
        role=message.role,
        text=joined(block.text for block in blocks if isinstance(block, Text)),
        images=[_image(block) for block in blocks if isinstance(block, Image)],
        thought=joined(thought.thinking for thought in thoughts),
        signature=joined(thought.signature for thought in thoughts),
        calls=[
            {"id": block.id, "name": block.name, "arguments": block.input}
            for block in blocks
            if isinstance(block, ToolUse)
        ],
    )


def _image(image: Image) -> Words:
    source = image.source
    if isinstance(source, UrlSource):
        return {"url": source.url}
    return read_base64(source.data, media_type=source.media_type)
