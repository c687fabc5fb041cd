"""What may stand in a request to Cohere v2. Source: cohere-python `v2/raw_client.py`, `types/`."""

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


class TextPart(Strict, tag_field="type", tag="text"):
    """A text."""

    text: str


class ThinkingPart(Strict, tag_field="type", tag="thinking"):
    """Reasoning of an earlier answer."""

    thinking: str


class ImageUrl(Strict):
    """An address, or a data URL."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Strict, tag_field="type", tag="image_url"):
    """A picture."""

    image_url: ImageUrl


class Document(Strict):
    """Something to cite from."""

    data: dict[str, Any]
    id: str | None = None


class DocumentPart(Strict, tag_field="type", tag="document"):
    """A tool's result that can be cited."""

    document: Document


class CalledFunction(Strict):
    """Arguments are a JSON text."""

    name: str
    arguments: str


class ToolCall(Strict):
    """A call of an earlier turn."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class System(Strict, tag_field="role", tag="system"):
    """What the model is told first."""

    content: str | list[TextPart]


class User(Strict, tag_field="role", tag="user"):
    """A question."""

    content: str | list[TextPart | ImagePart]


class Assistant(Strict, tag_field="role", tag="assistant"):
    """An earlier answer."""

    content: str | list[TextPart | ThinkingPart] | None = None
    tool_plan: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Strict, tag_field="role", tag="tool"):
    """A tool's result."""

    tool_call_id: str
    content: str | list[TextPart | DocumentPart]


Message: TypeAlias = System | User | Assistant | ToolMessage


class Function(Strict):
    """What a tool does; `parameters` may not be missing."""

    name: str
    parameters: dict[str, Any]
    description: str | None = None


class Tool(Strict):
    """A tool."""

    type: Literal["function"]
    function: Function


class TextFormat(Strict, tag_field="type", tag="text"):
    """No format."""


class JsonFormat(Strict, tag_field="type", tag="json_object"):
    """An object, of any shape or of this one."""

    json_schema: dict[str, Any] | None = None


class Thinking(Strict):
    """Whether to reason, and for how long."""

    type: Literal["enabled", "disabled"]
    token_budget: Annotated[int, Meta(ge=1)] | None = None


Penalty: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class ChatRequest(Strict):
    """POST /v2/chat."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool = False
    tools: Annotated[list[Tool], Meta(min_length=1)] | None = None
    strict_tools: bool | None = None
    tool_choice: Literal["REQUIRED", "NONE"] | None = None
    documents: list[str | Document] | None = None
    response_format: TextFormat | JsonFormat | None = None
    safety_mode: Literal["CONTEXTUAL", "STRICT", "OFF"] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=5)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    seed: Annotated[int, Meta(ge=0)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    k: Annotated[int, Meta(ge=0, le=500)] | None = None
    p: Annotated[float, Meta(ge=0.01, le=0.99)] | None = None
    logprobs: bool | None = None
    thinking: Thinking | None = None
    priority: int | None = None


class EmbedRequest(Strict):
    """POST /v2/embed."""

    model: Annotated[str, Meta(min_length=1)]
    input_type: Literal["search_document", "search_query", "classification", "clustering"]
    texts: Annotated[list[str], Meta(min_length=1, max_length=96)]
    embedding_types: list[Literal["float"]] | None = None
    output_dimension: Literal[256, 512, 1024, 1536] | None = None
    truncate: Literal["NONE", "START", "END"] | None = None
    max_tokens: int | None = None
    priority: int | None = None


def understand(asked: ChatRequest) -> Words:
    """The meaning; raises `BadRequest` for what only the whole tells to be wrong."""
    for name in ("tool_choice", "strict_tools"):
        if getattr(asked, name) is not None and not asked.tools:
            raise BadRequest(f"{name} needs tools")
    wants_json = isinstance(asked.response_format, JsonFormat)
    if wants_json and (asked.tools or asked.documents):
        raise BadRequest("response_format is not supported with tools or documents")
    tools = [words(**plain(tool.function), strict=asked.strict_tools) for tool in asked.tools or ()]
    return words(
        model=asked.model,
        stream=asked.stream or None,
        system=joined(_text(m.content) for m in asked.messages if isinstance(m, System)),
        messages=list(_messages(asked.messages)),
        tools=tools,
        tool_choice=asked.tool_choice.lower() if asked.tool_choice else None,
        output=_output(asked.response_format),
        max_tokens=asked.max_tokens,
        stop=asked.stop_sequences,
        temperature=asked.temperature,
        top_p=asked.p,
        top_k=asked.k,
        seed=asked.seed,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        reasoning=_reasoning(asked.thinking),
        logprobs=0 if asked.logprobs else None,
    )


def _output(wanted: TextFormat | JsonFormat | None) -> object:
    if not isinstance(wanted, JsonFormat):
        return None
    return "json" if wanted.json_schema is None else {"schema": wanted.json_schema}


def _reasoning(thinking: Thinking | None) -> object:
    if thinking is None:
        return None
    return thinking.token_budget or thinking.type == "enabled"


def _messages(messages: list[Message]) -> Iterator[Words]:
    calls = OpenCalls()
    for message in messages:
        if isinstance(message, ToolMessage):
            call_id = message.tool_call_id
            text = _text(message.content)
            yield words(role="tool", id=call_id, name=calls.end(call_id), text=text)
            continue
        calls.wait_for_none()
        if isinstance(message, Assistant):
            yield _assistant(message, calls)
        elif isinstance(message, User):
            images = [
                read_image_url(part.image_url.url) | words(detail=part.image_url.detail)
                for part in message.content
                if isinstance(part, ImagePart)
            ]
            yield words(role="user", text=_text(message.content), images=images)
    calls.wait_for_none()


def _assistant(message: Assistant, calls: OpenCalls) -> Words:
    content = message.content or ""
    if not content and not message.tool_calls:
        raise BadRequest("an assistant's message needs content or tool_calls")
    for call in message.tool_calls or ():
        calls.begin(call.id, call.function.name)
    thoughts = [part.thinking for part in content if isinstance(part, ThinkingPart)]
    return words(
        role="assistant",
        text=_text(content),
        thought=joined([*thoughts, *([message.tool_plan] if message.tool_plan else [])]),
        calls=[
            words(id=call.id, name=call.function.name)
            | {"arguments": read_arguments(call.function.arguments)}
            for call in message.tool_calls or ()
        ],
    )


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    documents = [str(p.document.data) for p in content if isinstance(p, DocumentPart)]
    return joined([*(part.text for part in content if isinstance(part, TextPart)), *documents])
