"""What happened, as values: work emits them, sinks (logs, later metrics and alerts) listen."""

from collections.abc import Callable
from typing import TypeAlias

import attrs

from cortexd.domain.attempt import CandidateNote
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.ids import KeyIndex, RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerStatus


@attrs.frozen(kw_only=True)
class ExchangeEnded:
    """An exchange reached its one outcome. Times in seconds.

    `first_token_s` is `None` when nothing was sent. `worker` is who answered, or began to.
    `candidates`: why the request went where it went, see `policy/explanation.py`. `failures` are
    those of the workers, for the operator's eyes. `resumed`: how often an answer that had begun was
    carried on by another worker. `usage` is what all workers asked have spent together, and
    `usage_is_estimate` says that at least one of them did not tell; an answer out of the cache has
    spent nothing.
    """

    request_id: RequestId
    door: str
    model: str | None
    outcome: Outcome
    duration_s: float
    first_token_s: float | None
    worker: WorkerName | None
    candidates: tuple[CandidateNote, ...]
    attempts: int
    failures: tuple[str, ...]
    resumed: int
    cache: CacheUse
    usage: Usage | None
    usage_is_estimate: bool


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


@attrs.frozen(kw_only=True)
class WorkerActivated:
    """A worker may have new requests again."""

    worker: WorkerName


@attrs.frozen(kw_only=True)
class WorkerDeactivated:
    """A worker gets no new requests; what it was answering goes on."""

    worker: WorkerName


@attrs.frozen(kw_only=True)
class BreakerChanged:
    """A worker's circuit breaker went from one state to another.

    `open_s`: how long it is to rest, where it opened.
    """

    worker: WorkerName
    before: str
    after: str
    reason: str
    open_s: float | None


@attrs.frozen(kw_only=True)
class KeyChanged:
    """One of a worker's API keys was switched off, or works again: never the key, but its place.

    `rest_s`: for how long it is off.
    """

    worker: WorkerName
    key: KeyIndex
    state: str
    rest_s: float | None


Event: TypeAlias = (
    ExchangeEnded
    | WorkerStatusChanged
    | WorkerRegistered
    | WorkerUnregistered
    | WorkerActivated
    | WorkerDeactivated
    | BreakerChanged
    | KeyChanged
)

Emit: TypeAlias = Callable[[Event], None]
"""Hands an event to the sinks. Never waits and never raises."""
