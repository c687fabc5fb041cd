"""What a client's chat request says, whatever its dialect, and the parts all dialects share."""

from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from cortexd.domain.chat import ChatRequest, Message, Role
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    Fields,
    as_object,
    as_text,
    refuse,
)
from cortexd.wire.quotation import quoted

T = TypeVar("T", int, float)

MODEL_CHARACTERS_MAX: Final = 256
MESSAGES_MAX: Final = 10_000
MESSAGE_CHARACTERS_MAX: Final = 4 * 1024 * 1024
STOPS_MAX: Final = 4
STOP_CHARACTERS_MAX: Final = 1024
OUTPUT_TOKENS_MAX: Final = 2**31 - 1
"""What fits into the 32-bit integer that llama.cpp, and so Ollama, counts tokens with."""
SEED_MAX: Final = 2**53


@attrs.frozen(kw_only=True)
class ParsedChat:
    """`stream`: the answer is wanted as it comes. `include_usage`: the stream is to tell usage."""

    request: ChatRequest
    stream: bool
    include_usage: bool = False


def read_model(fields: Fields) -> str | None:
    """The model's name; an empty one counts as absent.

    A name with characters that do not show is refused: no model has one, and logs would carry it.
    """
    model = fields.text("model", characters_max=MODEL_CHARACTERS_MAX)
    if model and not model.isprintable():
        refuse("model", f"has characters that do not show: {quoted(model)}", INVALID_VALUE)
    return model or None


def read_messages(fields: Fields, read_message: Callable[[Fields], Message]) -> tuple[Message, ...]:
    """The messages, at least one."""
    messages = tuple(
        read_message(as_object(element, path))
        for path, element in fields.items("messages", count_max=MESSAGES_MAX)
    )
    if not messages:
        refuse("messages", "must hold at least one message", MISSING)
    return messages


def read_role(message: Fields, roles: dict[str, Role]) -> Role:
    """Who wrote the message. `roles`: the dialect's names of those that are served."""
    path = message.at("role")
    role = message.text("role", characters_max=MESSAGE_CHARACTERS_MAX)
    if role is None:
        refuse(path, f"is missing; it must be one of {', '.join(roles)}", MISSING)
    if role not in roles:
        refuse(path, f"must be one of {', '.join(roles)}, not {quoted(role)}", INVALID_VALUE)
    return roles[role]


def read_stop(fields: Fields, *, text_allowed: bool) -> tuple[str, ...]:
    """Up to four texts that end the answer. `text_allowed`: one may stand there without a list."""
    value = fields.members.get("stop")
    path = fields.at("stop")
    if text_allowed and isinstance(value, str):
        text = as_text(value, path, characters_max=STOP_CHARACTERS_MAX)
        return (text,) if text else ()
    stops = tuple(
        as_text(element, place, characters_max=STOP_CHARACTERS_MAX)
        for place, element in fields.items("stop", count_max=STOPS_MAX)
    )
    if "" in stops:
        refuse(f"{path}[{stops.index('')}]", "must not be empty", INVALID_VALUE)
    return stops


def agree(first: tuple[str, T | None], second: tuple[str, T | None]) -> T | None:
    """The one value of two fields that mean the same, each given with its path."""
    (first_path, first_value), (second_path, second_value) = first, second
    if first_value is None:
        return second_value
    if second_value is not None and second_value != first_value:
        refuse(second_path, f"contradicts {first_path}; give one of them", INVALID_VALUE)
    return first_value
