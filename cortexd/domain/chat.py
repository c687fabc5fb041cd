"""The gateway's own words for a chat: what every door parses into and every adapter speaks from."""

from enum import Enum, unique
from typing import TypeAlias

import attrs

from cortexd.domain.usage import Usage


@unique
class Role(Enum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@attrs.frozen
class Message:
    """One turn of the conversation so far."""

    role: Role
    text: str


@attrs.frozen(kw_only=True)
class Sampling:
    """How the next tokens are chosen; `None` leaves a value to the worker.

    `temperature` lies in 0..2, `top_p` in 0..1, the penalties in -2..2; `max_output_tokens` ≥ 1.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None


@attrs.frozen(kw_only=True)
class ChatRequest:
    """What a client asks for. `model` is the name it used; `None` means any model."""

    model: str | None
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()


@unique
class FinishReason(Enum):
    """Why a complete answer is complete."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


@attrs.frozen
class TextDelta:
    """The next piece of the answer's text; never empty."""

    text: str


@attrs.frozen
class Finished:
    """The answer is whole. Always the last event of a stream, and only of one that is complete."""

    reason: FinishReason
    usage: Usage | None = None


ChatEvent: TypeAlias = TextDelta | Finished

Batch: TypeAlias = tuple[ChatEvent, ...]
"""All events that one read of the upstream socket brought; never empty."""
