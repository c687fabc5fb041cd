"""What happened, as values: work emits them, sinks (logs, later metrics and alerts) listen."""

from collections.abc import Callable
from typing import TypeAlias

import attrs

from cortexd.domain.alert import AlertState, Rule, Severity
from cortexd.domain.attempt import CandidateNote
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.cluster import ClusterState, NodeName
from cortexd.domain.failure import FailureKind
from cortexd.domain.fleet_events import (
    AgentLeft,
    AgentLost,
    AgentRegistered,
    AgentReported,
    AgentReturned,
    FleetCommandDone,
    FleetLineChanged,
    FleetMessageRejected,
    FleetWorkerRefused,
)
from cortexd.domain.ids import DeadLetterId, KeyIndex, RequestId, WorkerName
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
    spent nothing. `overhead_s`: the gateway's own time before the first worker was asked, from the
    arrival in the pipeline, without the wait for one of the worker's slots; `None` if none was
    asked for this exchange. `key_id`: which of the clients' keys it came with.
    `dead_letter`: under which id the request is kept, having failed for good.
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
    overhead_s: float | None = None
    key_id: ClientKeyId | None = None
    dead_letter: DeadLetterId | None = None


@attrs.frozen(kw_only=True)
class AttemptEnded:
    """A worker that was asked has answered, failed, or was let go. Times in seconds.

    `failure` says why it gave no whole answer. Where it has neither failed nor answered, the client
    has left, or has asked for nothing but the model to be there. One that was busy was not asked.
    `queued_s`: the wait for a slot before. `first_token_s` and `duration_s` count from when it was
    asked. `usage` is what it has spent.
    """

    worker: WorkerName
    failure: FailureKind | None
    is_answered: bool
    queued_s: float
    first_token_s: float | None
    duration_s: float
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


@attrs.frozen(kw_only=True)
class DegradationChanged:
    """The node works at another level; the levels by their names."""

    before: str
    after: str
    forced: bool
    reason: str


@attrs.frozen(kw_only=True)
class StorageTroubled:
    """A database cannot keep things, has lost some, or holds some that cannot be read.

    `database` is the name of its file.
    """

    database: str
    reason: str


@attrs.frozen(kw_only=True)
class StorageRecovered:
    """A database is well again."""

    database: str


@attrs.frozen(kw_only=True)
class DeadLetterKept:
    """A request that failed for good is on disk. `error`: the kind of its failure."""

    dead_letter: DeadLetterId
    request_id: RequestId
    door: str
    error: str


@attrs.frozen(kw_only=True)
class DeadLettersDropped:
    """So many have gone to make room, or because of their age: nobody will see them again."""

    count: int


@attrs.frozen(kw_only=True)
class DeadLetterRetried:
    """An operator had a request run again. `status`: that of its new answer."""

    dead_letter: DeadLetterId
    status: int


@attrs.frozen(kw_only=True)
class AlertChanged:
    """An alert began to fire, was acknowledged, is over, or is better or worse than before."""

    alert_id: str
    rule: Rule
    target: str
    severity: Severity
    state: AlertState
    message: str


@attrs.frozen(kw_only=True)
class AlertChannelFailed:
    """A channel did not take a message, for the `attempt`th time.

    `lost`: how many notices were given up with it; 0 where it is tried again.
    """

    channel: str
    reason: str
    attempt: int
    lost: int


@attrs.frozen(kw_only=True)
class ConfigReloaded:
    """The configuration was read again and taken up; `changes` in words, without any value."""

    changes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ClientKeyChanged:
    """A client key was made, or revoked: then it opens nothing any more."""

    key_id: ClientKeyId
    state: str


@attrs.frozen(kw_only=True)
class CredentialRejected:
    """Somebody was turned away at a gate, for the credential they have shown, or for having none.

    What it was is told nowhere. `listener` is `data` or `admin`, `client` the address it came from,
    `key_id` whose it claims to be. `retry_after_s`: for how long the client was told to stay away,
    having failed too often.
    """

    listener: str
    client: str
    request_id: RequestId
    reason: str
    key_id: ClientKeyId | None
    retry_after_s: float | None


@attrs.frozen(kw_only=True)
class ClusterLinkChanged:
    """The node has reached what it shares with other nodes, or cannot; `reason`: why not."""

    is_up: bool
    reason: str | None


@attrs.frozen(kw_only=True)
class ClusterStateChanged:
    """The node has become a member of its cluster, or is none any more; `reason`: why not."""

    state: ClusterState
    reason: str | None


@attrs.frozen(kw_only=True)
class NodeJoined:
    """Another node of the cluster is there. `token`: its fencing token."""

    node: NodeName
    token: int


@attrs.frozen(kw_only=True)
class NodeLeft:
    """A node is gone; `reason`: it has `left`, or was `lost`: its lease has run out."""

    node: NodeName
    reason: str


@attrs.frozen(kw_only=True)
class SharedWorkerSkipped:
    """What was done to a worker is not so on all nodes; `reason`: why."""

    worker: WorkerName
    reason: str


@attrs.frozen(kw_only=True)
class SharedValueRejected:
    """Something in Redis is not what a node would have written; it is not heeded."""

    what: str
    reason: str


Event: TypeAlias = (
    ClientKeyChanged
    | CredentialRejected
    | ExchangeEnded
    | ConfigReloaded
    | AttemptEnded
    | WorkerStatusChanged
    | WorkerRegistered
    | WorkerUnregistered
    | WorkerActivated
    | WorkerDeactivated
    | BreakerChanged
    | KeyChanged
    | DegradationChanged
    | StorageTroubled
    | StorageRecovered
    | DeadLetterKept
    | DeadLettersDropped
    | DeadLetterRetried
    | AlertChanged
    | AlertChannelFailed
    | ClusterLinkChanged
    | ClusterStateChanged
    | NodeJoined
    | NodeLeft
    | SharedWorkerSkipped
    | SharedValueRejected
    | FleetLineChanged
    | AgentRegistered
    | AgentReported
    | AgentLost
    | AgentReturned
    | AgentLeft
    | FleetWorkerRefused
    | FleetCommandDone
    | FleetMessageRejected
)

Emit: TypeAlias = Callable[[Event], None]
"""Hands an event to the sinks. Never waits and never raises."""
