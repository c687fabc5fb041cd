"""Events in words that JSON knows: their kind, and what they say."""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import attrs

from cortexd.domain.attempt import CandidateNote
from cortexd.domain.events import Event
from cortexd.domain.usage import Usage

_DECIMALS = 6

_WORD_BEGINS = re.compile(r"(?<!^)(?=[A-Z])")


def event_kind(kind: type[Event]) -> str:
    """What events of this class are called outside: `ExchangeEnded` is `exchange_ended`."""
    return _WORD_BEGINS.sub("_", kind.__name__).lower()


def event_document(record: Any) -> dict[str, Any]:
    """The fields of an event, made of JSON types only."""
    document = {}
    for name in _FIELDS[type(record)]:
        value = getattr(record, name)
        rewrite = _REWRITINGS[type(value)]
        document[name] = value if rewrite is None else rewrite(value)
    return document


def _plain(value: Any) -> Any:
    rewrite = _REWRITINGS[type(value)]
    return value if rewrite is None else rewrite(value)


class _Fields(dict[type[Any], tuple[str, ...]]):
    """`attrs.asdict` finds them out anew for each event, and there is one for each request."""

    def __missing__(self, kind: type[Any]) -> tuple[str, ...]:
        names = self[kind] = tuple(field.name for field in attrs.fields(kind))
        return names


class _Rewritings(dict[type[Any], Callable[[Any], Any] | None]):
    """How values of a kind are written, if not as they are."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], Any] | None:
        rewrite = self[kind] = _rewriting(kind)
        return rewrite


_FIELDS: Final = _Fields()
_REWRITINGS: Final = _Rewritings()


def _rewriting(kind: type[Any]) -> Callable[[Any], Any] | None:
    if issubclass(kind, float):
        return lambda number: round(number, _DECIMALS)
    if issubclass(kind, Enum):
        return lambda member: member.value
    if issubclass(kind, tuple):
        return lambda values: [_plain(each) for each in values]
    if issubclass(kind, CandidateNote):
        return str
    return event_document if issubclass(kind, Usage) else None
