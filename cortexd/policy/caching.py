"""What may be kept of the traffic, and by what a request is known again.

Rule of this file: whatever can change an answer is in the key, and no two requests that differ in
it have the same one. The encoding is MessagePack, which is self-delimiting and typed; the kinds of
a message's parts are told apart by the names of their fields.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

import attrs
import msgspec
from attrs import validators

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, RefusalDelta
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
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.ids import Tenant
from cortexd.domain.request import ModelRequest
from cortexd.policy.routing import ANY_MODEL
from cortexd.policy.token_estimate import BYTES_PER_TOKEN, TOKENS_PER_IMAGE, estimate_input_tokens

INPUT_TOKENS_MAX: Final = 2_000
"""Longer prompts hardly ever come twice."""

TEMPERATURE_MAX: Final = 0.9
"""Who asks for more than this wants another answer each time."""

TEMPERATURE_ASSUMED: Final = 0.7
"""What a request without a temperature is taken to mean."""

TTL_SPREAD: Final = 0.1
"""So that answers that were kept at the same time do not have to be asked for at the same time."""

_STORABLE: Final = frozenset({FinishReason.STOP, FinishReason.LENGTH, FinishReason.TOOL_CALLS})
_OUTSIDE_THE_KEY: Final = frozenset({"model", "needs"})
"""`model` counts as what it resolves to; `needs` only says again what other fields have said."""


@attrs.frozen(kw_only=True)
class CacheSettings:
    """[cache] in cortexd.toml. `ttl_seconds`: how long an answer is good for, give or take 10 %.

    `enabled` is about all of it: idempotency keys and sharing the answers of equal requests, too.
    """

    enabled: bool = True
    ttl_seconds: float = attrs.field(default=900.0, validator=validators.gt(0))
    max_bytes: int = attrs.field(default=100 * 1024 * 1024, validator=validators.ge(1))


def _fields_of(request: type) -> Callable[[ModelRequest], object]:
    names = [field.name for field in attrs.fields(request) if field.name not in _OUTSIDE_THE_KEY]
    return attrgetter(*names)


_FIELDS: Final = {request: _fields_of(request) for request in (ChatRequest, EmbeddingRequest)}
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")


def models_meant(model: str | None, aliases: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a client's name of a model stands for: nothing in particular, itself, or an alias.

    An alias counts with its targets, so that it is another model once it has been redefined.
    """
    if model is None or model == ANY_MODEL:
        return ()
    return (model, *aliases.get(model, ()))


def cache_key(
    request: ChatRequest | EmbeddingRequest, *, tenant: Tenant, models: tuple[str, ...]
) -> bytes:
    """The SHA-256 of all that can change the answer. `models`: see `models_meant`."""
    kind = type(request)
    return _digest(kind.__name__, tenant, models, _FIELDS[kind](request))


def idempotency_digest(idempotency_key: str, *, tenant: Tenant) -> bytes:
    """What stands in for the cache key of a request that its client has named itself."""
    return _digest("idempotency-key", tenant, idempotency_key)


def _digest(*what: object) -> bytes:
    return hashlib.sha256(_ENCODER.encode(what)).digest()


def expiry(
    now: float, settings: CacheSettings, *, chance: random.Random, factor: float = 1.0
) -> float:
    """Until when an answer is good that is kept now; `factor`: by so much longer than usual."""
    return now + factor * settings.ttl_seconds * chance.uniform(1.0 - TTL_SPREAD, 1.0 + TTL_SPREAD)


def is_cacheable(request: ModelRequest) -> bool:
    """Whether equal requests may have one answer: short chats that do not ask for variety."""
    if not isinstance(request, ChatRequest) or not request.messages:
        return False
    temperature = request.sampling.temperature
    if (TEMPERATURE_ASSUMED if temperature is None else temperature) > TEMPERATURE_MAX:
        return False
    # The estimate encodes all texts, which is not worth it where there are megabytes of them.
    return not _is_surely_long(request) and estimate_input_tokens(request) <= INPUT_TOKENS_MAX


def is_storable(events: Sequence[AnswerEvent]) -> bool:
    """Whether the answer is one to give again: whole, of some content, and nothing was held back.

    One that was cut at a length counts: the limit is part of the request, or the worker's own, and
    would cut it again. A refusal, or a filter's verdict, may be another one the next time.
    """
    if len(events) < 2:  # noqa: PLR2004  the end, and something before it
        return False
    end = events[-1]
    return (
        isinstance(end, Finished)
        and end.reason in _STORABLE
        and not any(isinstance(event, RefusalDelta) for event in events)
    )


def _is_surely_long(request: ChatRequest) -> bool:
    """Whether it is too long by its number of characters alone; looks no further than it must."""
    left = INPUT_TOKENS_MAX * BYTES_PER_TOKEN
    for message in request.messages:
        for part in message.parts:
            left -= _characters(part)
        if left < 0:
            return True
    for tool in request.tools:
        left = _left_after(tool.parameters, left - len(tool.description or ""))
    return left < 0


def _characters(part: Part) -> int:
    match part:
        case Text(text) | Thought(text):
            return len(text)
        case ToolCall(_, _, arguments):
            return len(arguments)
        case ToolResult(_, parts):
            return sum(map(_characters, parts))
        case Image() | ImageUrl():
            return TOKENS_PER_IMAGE * BYTES_PER_TOKEN


def _left_after(value: object, left: int) -> int:
    """How many characters are left of `left` behind a JSON value; stops when there are none."""
    match value:
        case str():
            return left - len(value)
        case Mapping():
            parts: Iterable[object] = chain.from_iterable(value.items())
        case list() | tuple():
            parts = value
        case _:
            return left - 1
    for part in parts:
        if left < 0:
            break
        left = _left_after(part, left)
    return left
