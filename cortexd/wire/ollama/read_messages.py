"""The messages of POST /api/chat.

Source of the field names: `Message` in `api/types.go` of ollama/ollama and the official Python
client.
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import (
    Image,
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
from cortexd.wire.fields import INVALID_VALUE, MISSING, Fields, refuse, refuse_type
from cortexd.wire.ollama.read_tools import read_tool_calls
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX, read_role
from cortexd.wire.parsed_image import IMAGES_MAX, read_bare_base64
from cortexd.wire.parsed_tools import (
    CALL_ID_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    check_tool_flow,
)

_ROLES: Final = {role.value: role for role in Role}

_TAKEN: Final[Mapping[Role, frozenset[str]]] = {
    Role.SYSTEM: frozenset({"role", "content"}),
    Role.USER: frozenset({"role", "content", "images"}),
    Role.ASSISTANT: frozenset({"role", "content", "thinking", "tool_calls"}),
    Role.TOOL: frozenset({"role", "content", "images", "tool_name", "tool_call_id"}),
}
# What another role may have is no mistake while it is empty: some clients send all there is.
_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = dict.fromkeys(
    sorted(frozenset[str]().union(*_TAKEN.values())), ()
)


def read_messages(body: Fields, needs: dict[Feature, str]) -> tuple[Message, ...]:
    """The messages, at least one; each call has its id, and each result that of its call."""
    messages = parsed_chat.read_messages(body, _Conversation(needs).read)
    check_tool_flow(messages, [f"messages[{index}]" for index in range(len(messages))])
    return messages


def read_images(fields: Fields, *, count_max: int = IMAGES_MAX) -> tuple[Image, ...]:
    """The pictures in `images`, bare base64 each."""
    images: list[Image] = []
    for place, element in fields.items("images", count_max=count_max):
        if not isinstance(element, str):
            refuse_type(place, element, "a string")
        images.append(read_bare_base64(element, place))
    return tuple(images)


class _Conversation:
    """Reads one message after the other, and knows which calls still wait for their results."""

    def __init__(self, needs: dict[Feature, str]) -> None:
        self._needs = needs
        self._images = 0
        self._messages = 0
        self._waiting: list[ToolCall] = []

    def read(self, message: Fields) -> Message:
        role = read_role(message, _ROLES)
        message.only(_TAKEN[role], _FOR_NOTHING)
        parts = self._read_parts(message, role)
        self._messages += 1
        return Message(role, parts)

    def _read_parts(self, message: Fields, role: Role) -> tuple[Part, ...]:
        match role:
            case Role.SYSTEM:
                return _read_content(message)
            case Role.USER:
                images = self._read_images(message, Feature.IMAGES)
                return (*images, *_read_content(message, beside=bool(images)))
            case Role.ASSISTANT:
                return self._read_assistant(message)
            case Role.TOOL:
                images = self._read_images(message, Feature.TOOL_RESULT_IMAGES)
                content = _read_content(message, beside=bool(images))
                return (ToolResult(self._read_answered(message), (*content, *images)),)

    def _read_assistant(self, message: Fields) -> tuple[Part, ...]:
        thinking = message.text("thinking", characters_max=MESSAGE_CHARACTERS_MAX)
        calls = read_tool_calls(message, message_index=self._messages)
        if calls:
            self._needs.setdefault(Feature.TOOLS, message.at("tool_calls"))
        self._waiting = list(calls)
        thoughts = (Thought(thinking),) if thinking else ()
        return (*thoughts, *_read_content(message, beside=bool(calls or thoughts)), *calls)

    def _read_images(self, message: Fields, feature: Feature) -> tuple[Image, ...]:
        images = read_images(message)
        if images:
            self._needs.setdefault(feature, message.at("images"))
        self._images += len(images)
        if self._images > IMAGES_MAX:
            problem = f"brings the images of the request to more than {IMAGES_MAX}"
            refuse(message.at("images"), problem, INVALID_VALUE)
        return images

    def _read_answered(self, message: Fields) -> str:
        """The id of the call that a result is for: by its id, by its name, else the next one."""
        call_id = message.text("tool_call_id", characters_max=CALL_ID_CHARACTERS_MAX)
        name = message.text("tool_name", characters_max=NAME_CHARACTERS_MAX)
        matching = [
            call
            for call in self._waiting
            if call_id in {None, "", call.call_id} and name in {None, "", call.name}
        ]
        if not matching:
            problem = "answers a call that nobody has made, or that has its answer already"
            refuse(message.path, problem, INVALID_VALUE)
        self._waiting.remove(matching[0])
        return matching[0].call_id


def _read_content(message: Fields, *, beside: bool = False) -> tuple[Text, ...]:
    """The text; where there is something `beside` it, it may be missing."""
    text = message.text("content", characters_max=MESSAGE_CHARACTERS_MAX)
    if beside and not text:
        return ()
    if text is None:
        refuse(message.at("content"), "is missing; it must be a string", MISSING)
    return (Text(text),)
