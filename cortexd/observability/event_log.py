"""The log as a sink of events: what the gateway and its supervision tree report, a line each."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs
import structlog

from cortexd.domain.attempt import CandidateNote
from cortexd.domain.events import (
    BreakerChanged,
    Event,
    ExchangeEnded,
    KeyChanged,
    WorkerActivated,
    WorkerDeactivated,
    WorkerRegistered,
    WorkerStatusChanged,
    WorkerUnregistered,
)
from cortexd.domain.usage import Usage

_NAMES: dict[type[Any], str] = {
    BreakerChanged: "breaker changed",
    ExchangeEnded: "exchange ended",
    KeyChanged: "key changed",
    WorkerActivated: "worker activated",
    WorkerDeactivated: "worker deactivated",
    WorkerRegistered: "worker registered",
    WorkerStatusChanged: "worker status changed",
    WorkerUnregistered: "worker unregistered",
}

# `attrs.asdict` finds them out anew for each event, and there is one for each request.
_FIELDS = {kind: tuple(field.name for field in attrs.fields(kind)) for kind in (*_NAMES, Usage)}

_DECIMALS = 6

_REWRITINGS: dict[type[Any], Callable[[Any], Any] | None] = {}

log = structlog.get_logger("cortexd")


def log_event(event: Event) -> None:
    """Write the event's line; for an exchange that is its one canonical line."""
    log.info(_NAMES[type(event)], **_plain_fields(event))


def _plain_fields(record: Any) -> dict[str, Any]:
    kind = type(record)
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
    return _plain_fields if issubclass(kind, Usage) else None
