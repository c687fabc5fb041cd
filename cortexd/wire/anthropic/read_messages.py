"""The conversation in a client's request: `messages` and `system`.

Source of the shapes: `types/message_create_params.py` and `types/*_message_param.py` of the
official Python client (anthropic).
"""

from typing import Final

import attrs

from cortexd.domain.chat import Message, Part, Role, Text, ToolCall, ToolResult
from cortexd.domain.feature import Feature
from cortexd.wire.anthropic.read_blocks import BlockReader
from cortexd.wire.fields import INVALID_VALUE, MISSING, Fields, as_object, refuse
from cortexd.wire.parsed_chat import MESSAGES_MAX, read_role
from cortexd.wire.parsed_tools import TOOL_CALLS_MAX, check_tool_flow

_ROLES: Final = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}


def read_conversation(body: Fields, needs: dict[Feature, str]) -> tuple[Message, ...]:
    """All messages, the system prompt first.

    A user's message with the results of calls becomes a message of role TOOL for each of them, and
    one of role USER for the rest. An assistant's message at the end is the beginning of the answer
    (prefill), which is asked for as `Feature.PREFILL`.
    """
    blocks = BlockReader(needs)
    conversation = _Conversation(blocks)
    system = tuple(part for _, part in blocks.read_content(body, Role.SYSTEM, "system"))
    if any(isinstance(part, Text) and part.text for part in system):
        conversation.append(Role.SYSTEM, system, body.at("system"))
    has_messages = False
    for path, element in body.items("messages", count_max=MESSAGES_MAX):
        conversation.read(as_object(element, path))
        has_messages = True
    if not has_messages:
        refuse(body.at("messages"), "must hold at least one message", MISSING)
    messages = conversation.messages
    check_tool_flow(messages, conversation.paths)
    if messages[-1].role is Role.ASSISTANT:
        needs.setdefault(Feature.PREFILL, conversation.paths[-1])
    return tuple(messages)


@attrs.define
class _Conversation:
    """The messages read so far, each with the path of the one it came from."""

    blocks: BlockReader
    messages: list[Message] = attrs.Factory(list)
    paths: list[str] = attrs.Factory(list)

    def append(self, role: Role, parts: tuple[Part, ...], path: str) -> None:
        self.messages.append(Message(role, parts))
        self.paths.append(path)

    def read(self, message: Fields) -> None:
        message.only({"role", "content"}, {})
        role = read_role(message, _ROLES)
        rest: list[Part] = []
        results = 0
        for place, part in self.blocks.read_content(message, role):
            if not isinstance(part, ToolResult):
                rest.append(part)
                continue
            if rest:
                problem = "must come before all other blocks of its message"
                refuse(place, problem, INVALID_VALUE)
            results += 1
            self.append(Role.TOOL, (part,), message.path)
        if sum(isinstance(part, ToolCall) for part in rest) > TOOL_CALLS_MAX:
            problem = f"must hold at most {TOOL_CALLS_MAX} calls"
            refuse(message.at("content"), problem, INVALID_VALUE)
        if rest:
            self.append(role, tuple(rest), message.path)
        elif not results:
            problem = "is missing; it must be a string or a list of blocks"
            refuse(message.at("content"), problem, MISSING)
