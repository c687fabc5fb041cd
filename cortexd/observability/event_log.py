"""The log as a sink of events: what the gateway and its supervision tree report, a line each."""

from enum import Enum
from typing import Any

import attrs
import structlog

from cortexd.domain.events import (
    Event,
    ExchangeEnded,
    WorkerRegistered,
    WorkerStatusChanged,
    WorkerUnregistered,
)

_NAMES: dict[type[Any], str] = {
    ExchangeEnded: "exchange ended",
    WorkerRegistered: "worker registered",
    WorkerStatusChanged: "worker status changed",
    WorkerUnregistered: "worker unregistered",
}

_DECIMALS = 6

log = structlog.get_logger("cortexd")


def log_event(event: Event) -> None:
    """Write the event's line; for an exchange that is its one canonical line."""
    log.info(_NAMES[type(event)], **attrs.asdict(event, value_serializer=_plain))


def _plain(_owner: object, _field: object, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return round(value, _DECIMALS) if isinstance(value, float) else value
