"""What happened, as values: work emits them, sinks (logs, later metrics and alerts) listen."""

from collections.abc import Callable
from typing import TypeAlias

import attrs

from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerStatus


@attrs.frozen(kw_only=True)
class ExchangeEnded:
    """An exchange reached its one outcome. Times in seconds.

    `first_token_s` is `None` when nothing was sent; `tried` names the workers in order, the last
    one being who answered, if anybody did; `failures` are theirs, for the operator's eyes.
    """

    request_id: RequestId
    door: str
    model: str | None
    outcome: Outcome
    duration_s: float
    first_token_s: float | None
    worker: WorkerName | None
    tried: tuple[WorkerName, ...]
    failures: tuple[str, ...]
    usage: Usage | None


@attrs.frozen(kw_only=True)
class WorkerStatusChanged:
    """The health monitor changed its mind about a worker."""

    worker: WorkerName
    before: WorkerStatus
    after: WorkerStatus
    reason: str | None


@attrs.frozen(kw_only=True)
class WorkerRegistered:
    """A worker joined the registry."""

    worker: WorkerName


@attrs.frozen(kw_only=True)
class WorkerUnregistered:
    """A worker left the registry; what it was answering goes on."""

    worker: WorkerName


Event: TypeAlias = ExchangeEnded | WorkerStatusChanged | WorkerRegistered | WorkerUnregistered

Emit: TypeAlias = Callable[[Event], None]
"""Hands an event to the sinks. Never waits and never raises."""
