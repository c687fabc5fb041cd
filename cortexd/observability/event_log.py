"""The log as a sink of events: what the gateway and its supervision tree report, a line each."""

from typing import Any

import structlog

from cortexd.domain.events import (
    AlertChanged,
    AlertChannelFailed,
    AttemptEnded,
    BreakerChanged,
    ClientKeyChanged,
    ClusterLinkChanged,
    ClusterStateChanged,
    ConfigReloaded,
    CredentialRejected,
    DeadLetterKept,
    DeadLetterRetried,
    DeadLettersDropped,
    DegradationChanged,
    Event,
    ExchangeEnded,
    KeyChanged,
    NodeJoined,
    NodeLeft,
    SharedValueRejected,
    SharedWorkerSkipped,
    StorageRecovered,
    StorageTroubled,
    WorkerActivated,
    WorkerDeactivated,
    WorkerRegistered,
    WorkerStatusChanged,
    WorkerUnregistered,
)
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
from cortexd.observability.event_documents import event_document

_NAMES: dict[type[Any], str] = {
    AgentLeft: "agent left",
    AgentLost: "agent lost",
    AgentRegistered: "agent registered",
    AgentReported: "agent reported",
    AgentReturned: "agent returned",
    FleetCommandDone: "fleet command done",
    FleetLineChanged: "fleet line changed",
    FleetMessageRejected: "fleet message rejected",
    FleetWorkerRefused: "fleet worker refused",
    AlertChanged: "alert changed",
    AlertChannelFailed: "alert channel failed",
    BreakerChanged: "breaker changed",
    ClientKeyChanged: "client key changed",
    ClusterLinkChanged: "cluster link changed",
    ClusterStateChanged: "cluster state changed",
    CredentialRejected: "credential rejected",
    ConfigReloaded: "configuration reloaded",
    DegradationChanged: "degradation changed",
    DeadLetterKept: "dead letter kept",
    DeadLetterRetried: "dead letter retried",
    DeadLettersDropped: "dead letters dropped",
    ExchangeEnded: "exchange ended",
    KeyChanged: "key changed",
    NodeJoined: "node joined",
    NodeLeft: "node left",
    SharedValueRejected: "shared value rejected",
    SharedWorkerSkipped: "shared worker skipped",
    StorageRecovered: "storage recovered",
    StorageTroubled: "storage troubled",
    WorkerActivated: "worker activated",
    WorkerDeactivated: "worker deactivated",
    WorkerRegistered: "worker registered",
    WorkerStatusChanged: "worker status changed",
    WorkerUnregistered: "worker unregistered",
}

log = structlog.get_logger("cortexd")


def log_event(event: Event) -> None:
    """Write the event's line; for an exchange that is its one canonical line, attempts and all."""
    if isinstance(event, AttemptEnded):
        return
    log.info(_NAMES[type(event)], **event_document(event))
