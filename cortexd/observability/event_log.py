"""The log as a sink of events: what the gateway and its supervision tree report, a line each."""

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
_FIELDS = {kind: tuple(field.name for field in attrs.fields(kind)) for kind in _NAMES}

_DECIMALS = 6

log = structlog.get_logger("cortexd")


def log_event(event: Event) -> None:
    """Write the event's line; for an exchange that is its one canonical line."""
    fields = {name: _plain(getattr(event, name)) for name in _FIELDS[type(event)]}
    log.info(_NAMES[type(event)], **fields)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [str(each) if isinstance(each, CandidateNote) else each for each in value]
    return attrs.asdict(value) if isinstance(value, Usage) else value
