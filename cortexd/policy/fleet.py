"""Who of a fleet is there: what a node makes of what agents say, and of their silence.

Rule of this file: a silence counts only as far as the line is known to have carried. Otherwise a
broker that is frozen would take all agents with it, whose model servers are as well as before.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.fleet import (
    AgentName,
    AgentReport,
    FleetWorker,
    LineStanding,
    Registration,
    WorkerReport,
)
from cortexd.domain.ids import WorkerName
from cortexd.policy.fleet_commands import CommandStatistics

PATIENCE_PERIODS: Final = 1.75
"""A status may be late by three quarters of its period; two periods are the promise."""

PATIENCE_PERIODS_MIN: Final = 1.25
NOTICED_S_MAX: Final = 0.75
"""So much of the two periods is needed to notice a silence, and to say so."""

RESUME_S: Final = 10.0
"""How long agents have to come back once a line carries again that did not."""

LEFT_S: Final = 3600.0
"""How long an agent that has left is still shown."""

DEAD_S: Final = 86_400.0
"""How long one that is silent is waited for."""


@unique
class AgentState(Enum):
    """Whether an agent is there."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    LEFT = "left"


@attrs.frozen(kw_only=True)
class AgentRecord:
    """An agent as a node knows it.

    `registered_at` and `status_at` are in seconds since 1970, by this node's clock; `heard_at` is
    on the monotonic one. `offers`: its workers, as it has registered them.
    """

    name: AgentName
    version: str
    state: AgentState
    registered_at: float
    status_at: float
    heard_at: float
    offers: tuple[FleetWorker, ...]
    report: AgentReport
    commands: CommandStatistics = attrs.Factory(CommandStatistics)

    @property
    def workers(self) -> Mapping[str, WorkerReport]:
        """How its workers are, by the names that it has for them."""
        return {worker.name: worker for worker in self.report.workers}

    def in_service(self) -> Iterator[FleetWorker]:
        """The workers that belong into the registry: all but those that were drained."""
        if self.state is AgentState.LEFT:
            return
        drained = {worker.name for worker in self.report.workers if worker.drained}
        yield from (offer for offer in self.offers if offer.name not in drained)


@attrs.frozen(kw_only=True)
class Change:
    """A field of a report that is not what it was; `worker` `None`: of the agent itself."""

    worker: str | None
    field: str
    before: float | bool | None
    after: float | bool


def full_name(agent: str, worker: str) -> WorkerName:
    """What a worker of an agent is called on the nodes."""
    return WorkerName(f"{agent}.{worker}")


def enrol(
    known: AgentRecord | None, registration: Registration, *, now: float, at: float
) -> AgentRecord | None:
    """The record of an agent that has registered; `None` for news of the past.

    `now` is on the monotonic clock, `at` in seconds since 1970.
    """
    report = registration.report
    if known is not None and not _is_newer(known, report):
        return None
    return AgentRecord(
        name=AgentName(registration.agent),
        version=registration.version,
        state=AgentState.AVAILABLE,
        registered_at=at if known is None else known.registered_at,
        status_at=at,
        heard_at=now,
        offers=registration.workers,
        report=report,
        commands=CommandStatistics() if known is None else known.commands,
    )


def hear(
    known: AgentRecord, report: AgentReport, *, now: float, at: float
) -> tuple[AgentRecord, tuple[Change, ...]]:
    """The record after a status, and what has changed; the same record for news of the past.

    Activity and load always change, and are no changes.
    """
    if known.state is AgentState.LEFT or not _is_newer(known, report):
        return known, ()
    after = attrs.evolve(
        known, state=AgentState.AVAILABLE, status_at=at, heard_at=now, report=report
    )
    return after, tuple(_changes(known, after))


def is_lost(record: AgentRecord, line: LineStanding) -> bool:
    """Whether the agent has missed its status, as far as that can be known."""
    if record.state is not AgentState.AVAILABLE or not line.carries:
        return False
    if line.proved_at is None or line.steady_since is None:
        return False
    missed_at = record.heard_at + _patience_s(record.report.status_seconds)
    # One that was heard since the line is back has had its time to come back.
    if record.heard_at < line.steady_since:
        missed_at = max(missed_at, line.steady_since + RESUME_S)
    return line.proved_at > missed_at


def _patience_s(period_s: float) -> float:
    """How long nothing has to be heard of an agent that says something every so often."""
    longest_s = min(PATIENCE_PERIODS * period_s, 2.0 * period_s - NOTICED_S_MAX)
    return max(PATIENCE_PERIODS_MIN * period_s, longest_s)


def is_gone(record: AgentRecord, *, now: float) -> bool:
    """Whether nobody needs to know of the agent any more: it has left, or is dead for a day."""
    silent_s = now - record.heard_at
    if record.state is AgentState.LEFT:
        return silent_s > LEFT_S
    return record.state is AgentState.UNAVAILABLE and silent_s > DEAD_S


def _is_newer(known: AgentRecord, report: AgentReport) -> bool:
    past = known.report
    return (report.incarnation, report.sequence) > (past.incarnation, past.sequence)


_WATCHED: Final = ("active", "drained", "reachable")


def _changes(before: AgentRecord, after: AgentRecord) -> Iterator[Change]:
    was_s, now_s = before.report.status_seconds, after.report.status_seconds
    if was_s != now_s:
        yield Change(worker=None, field="status_seconds", before=was_s, after=now_s)
    past = before.workers
    for name, report in after.workers.items():
        for field in _WATCHED:
            was = getattr(past[name], field) if name in past else None
            now = getattr(report, field)
            if was != now:
                yield Change(worker=name, field=field, before=was, after=now)
