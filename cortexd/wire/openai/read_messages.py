"""The messages of a chat as clients of the OpenAI dialect write them.

Source of the field names: `types/chat/chat_completion_*_message_param.py` and
`chat_completion_content_part_*_param.py` of the official Python client. `reasoning_content` is what
vLLM and DeepSeek call the reasoning in an answer, and so do we; clients send it back as history.
"""

from typing import Final

from cortexd.domain.chat import (
    Image,
    ImageUrl,
    Message,
    Part,
    Role,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from cortexd.domain.feature import Feature
from cortexd.wire import parsed_chat
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_object,
    as_text,
    refuse,
    refuse_type,
)
from cortexd.wire.openai.read_tools import KIND_CHARACTERS_MAX, read_function
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX, read_role
from cortexd.wire.parsed_image import IMAGES_MAX, read_image_url
from cortexd.wire.parsed_tools import (
    ARGUMENTS_CHARACTERS_MAX,
    CALL_ID_CHARACTERS_MAX,
    TOOL_CALLS_MAX,
    check_tool_flow,
    read_tool_name,
)
from cortexd.wire.quotation import quoted
from cortexd.wire.tool_arguments import is_object

_TAKEN: Final = frozenset({"role", "content", "name"})
_ASSISTANT_TAKEN: Final = _TAKEN | {"tool_calls", "refusal", "reasoning_content"}
_TOOL_TAKEN: Final = _TAKEN | {"tool_call_id"}

# What the official client's own answers carry when they are sent back as history.
_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "annotations": (),
    "audio": (),
    "function_call": (),
    "refusal": (),
    "tool_call_id": (),
    "tool_calls": (),
}

_ROLES: Final = {
    "system": Role.SYSTEM,
    # The newer name of the same role.
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}

_PART_KINDS: Final = {
    Role.SYSTEM: ("text",),
    Role.USER: ("text", "image_url"),
    Role.ASSISTANT: ("text", "refusal"),
    Role.TOOL: ("text",),
}

# `auto` is what happens without a level.
_DETAILS: Final = {None: None, "auto": None, "low": "low", "high": "high"}

PARTS_MAX: Final = 1000
NAME_CHARACTERS_MAX: Final = 64


def read_cache_hint(fields: Fields, name: str) -> None:
    """Check a hint to the provider's prompt cache; it changes no answer, so it has no effect."""
    hint = fields.nested(name)
    if hint is not None:
        hint.only({"mode", "ttl"}, {})


class MessagesReader:
    """Reads the messages of one request; `needs` is added to."""

    def __init__(self, needs: dict[Feature, str]) -> None:
        self._needs = needs
        self._images = 0
        self._called: dict[str, str] = {}

    def read(self, body: Fields) -> tuple[Message, ...]:
        """The messages, at least one, each tool call with its answer."""
        messages = parsed_chat.read_messages(body, self._read_message)
        check_tool_flow(messages, [f"messages[{index}]" for index in range(len(messages))])
        return messages

    def _read_message(self, message: Fields) -> Message:
        if message.members.get("role") == "tool":
            return self._read_tool_result(message)
        role = read_role(message, _ROLES)
        is_assistant = role is Role.ASSISTANT
        message.only(_ASSISTANT_TAKEN if is_assistant else _TAKEN, _FOR_NOTHING)
        name = message.text("name", characters_max=NAME_CHARACTERS_MAX) or None
        if name is not None:
            self._needs.setdefault(Feature.PARTICIPANT_NAMES, message.at("name"))
        parts = self._read_answer(message) if is_assistant else self._read_content(message, role)
        return Message(role, parts, name)

    def _read_tool_result(self, message: Fields) -> Message:
        message.only(_TOOL_TAKEN, _FOR_NOTHING)
        call_id = _read_id(message, "tool_call_id")
        # Some clients repeat the function's name here.
        name = message.text("name", characters_max=KIND_CHARACTERS_MAX)
        if name and name != self._called.get(call_id, name):
            problem = f"is not the function that was called: {quoted(name)}"
            refuse(message.at("name"), problem, INVALID_VALUE)
        content = self._read_content(message, Role.TOOL)
        texts = tuple(part for part in content if isinstance(part, Text))
        return Message(Role.TOOL, (ToolResult(call_id, texts),))

    def _read_answer(self, message: Fields) -> tuple[Part, ...]:
        """What the assistant thought, said and called, in this order.

        A refusal is, in what was said before, a text like others.
        """
        reasoning = message.text("reasoning_content", characters_max=MESSAGE_CHARACTERS_MAX)
        refusal = message.text("refusal", characters_max=MESSAGE_CHARACTERS_MAX)
        calls = self._read_calls(message)
        parts: list[Part] = [Thought(reasoning)] if reasoning else []
        # Beside calls or a refusal, no text and an empty one are the same.
        if message.members.get("content") not in ((None, "", []) if calls or refusal else ()):
            parts += self._read_content(message, Role.ASSISTANT)
        if refusal:
            parts.append(Text(refusal))
        return (*parts, *calls)

    def _read_calls(self, message: Fields) -> list[ToolCall]:
        calls = [
            _read_call(as_object(element, path))
            for path, element in message.items("tool_calls", count_max=TOOL_CALLS_MAX)
        ]
        if calls:
            self._needs.setdefault(Feature.TOOLS, message.at("tool_calls"))
        self._called |= {call.call_id: call.name for call in calls}
        return calls

    def _read_content(self, message: Fields, role: Role) -> tuple[Text | Image | ImageUrl, ...]:
        path = message.at("content")
        content = message.members.get("content")
        if isinstance(content, str):
            return (Text(as_text(content, path, characters_max=MESSAGE_CHARACTERS_MAX)),)
        if content is None or content == []:
            refuse(path, "is missing; it must be a string or a list of parts", MISSING)
        if not isinstance(content, list):
            refuse_type(path, content, "a string or a list of parts")
        return tuple(
            self._read_part(as_object(part, place), role)
            for place, part in message.items("content", count_max=PARTS_MAX)
        )

    def _read_part(self, part: Fields, role: Role) -> Text | Image | ImageUrl:
        kinds = _PART_KINDS[role]
        kind = part.text("type", characters_max=KIND_CHARACTERS_MAX)
        if kind is None:
            refuse(part.at("type"), f"is missing; it must be {' or '.join(kinds)}", MISSING)
        if kind not in kinds:
            problem = f"is supported only as {' or '.join(kinds)} in messages of role {role.value}"
            refuse(part.at("type"), problem, UNSUPPORTED)
        part.only({"type", kind, "prompt_cache_breakpoint"}, {})
        read_cache_hint(part, "prompt_cache_breakpoint")
        if kind == "image_url":
            return self._read_image(part)
        # A part is named after what it holds.
        text = part.text(kind, characters_max=MESSAGE_CHARACTERS_MAX)
        if text is None:
            refuse(part.at(kind), "is missing; it must be a string", MISSING)
        return Text(text)

    def _read_image(self, part: Fields) -> Image | ImageUrl:
        self._images += 1
        if self._images > IMAGES_MAX:
            refuse(part.path, f"is one of more than {IMAGES_MAX} images", INVALID_VALUE)
        source = part.nested("image_url")
        if source is None:
            refuse(part.at("image_url"), "is missing; it must be an object", MISSING)
        source.only({"url", "detail"}, {})
        url = source.members.get("url")
        if not isinstance(url, str):
            refuse_type(source.at("url"), url, "a string")
        level = source.text("detail", characters_max=KIND_CHARACTERS_MAX)
        if level not in _DETAILS:
            refuse(source.at("detail"), "is supported only as auto, low or high", UNSUPPORTED)
        image = read_image_url(url, source.at("url"), detail=_DETAILS[level])
        self._needs.setdefault(Feature.IMAGES, part.path)
        if isinstance(image, ImageUrl):
            self._needs.setdefault(Feature.IMAGE_URLS, source.at("url"))
        if image.detail is not None:
            self._needs.setdefault(Feature.IMAGE_DETAIL, source.at("detail"))
        return image


def _read_call(call: Fields) -> ToolCall:
    function = read_function(call)
    call.only({"id", "type", "function"}, {})
    function.only({"name", "arguments"}, {})
    path = function.at("arguments")
    arguments = function.text("arguments", characters_max=ARGUMENTS_CHARACTERS_MAX)
    if arguments is None:
        refuse(path, "is missing; it must be the JSON of an object", MISSING)
    # Models write nothing at all for a function without parameters.
    arguments = arguments.strip() or "{}"
    if not is_object(arguments):
        refuse(path, "is not the JSON of an object", INVALID_VALUE)
    return ToolCall(_read_id(call, "id"), read_tool_name(function), arguments)


def _read_id(fields: Fields, name: str) -> str:
    call_id = fields.text(name, characters_max=CALL_ID_CHARACTERS_MAX)
    if not call_id:
        refuse(fields.at(name), "is missing; it must be the id of a tool call", MISSING)
    return call_id
