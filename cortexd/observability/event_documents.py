"""Events in words that JSON knows: their kind, and what they say."""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from cortexd.domain.attempt import CandidateNote
from cortexd.domain.events import Event
from cortexd.domain.usage import Usage

_DECIMALS = 6

_WORD_BEGINS = re.compile(r"(?<!^)(?=[A-Z])")

# `attrs.asdict` finds them out anew for each event, and there is one for each request.
_FIELDS: dict[type[Any], tuple[str, ...]] = {}

_REWRITINGS: dict[type[Any], Callable[[Any], Any] | None] = {}


def event_kind(kind: type[Event]) -> str:
    """What events of this class are called outside: `ExchangeEnded` is `exchange_ended`."""
    return _WORD_BEGINS.sub("_", kind.__name__).lower()


def event_document(record: Any) -> dict[str, Any]:
    """The fields of an event, made of JSON types only."""
    kind = type(record)
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field.name for field in attrs.fields(kind))
    return {name: _plain(getattr(record, name)) for name in _FIELDS[kind]}


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind not in _REWRITINGS:
        _REWRITINGS[kind] = _rewriting(kind)
    rewrite = _REWRITINGS[kind]
    return value if rewrite is None else rewrite(value)


def _rewriting(kind: type[Any]) -> Callable[[Any], Any] | None:
    """How values of this kind are written, if not as they are."""
    if issubclass(kind, float):
        return lambda number: round(number, _DECIMALS)
    if issubclass(kind, Enum):
        return lambda member: member.value
    if issubclass(kind, tuple):
        return lambda values: [_plain(each) for each in values]
    if issubclass(kind, CandidateNote):
        return str
    return event_document if issubclass(kind, Usage) else None
