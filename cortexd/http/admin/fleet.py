"""The fleet, for operators: who is there, what they are told, what has become of them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import attrs

from cortexd.actors.fleet_desk import CommandDesk, NoAnswer
from cortexd.actors.fleet_monitor import Fleet
from cortexd.actors.fleet_worker import FleetProvider
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.domain.errors import RequestRefused
from cortexd.domain.fleet import AgentName, LineStanding, Verb, WorkerReport
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.domain.ids import WorkerName
from cortexd.fleet_ports import FleetHistory, FleetLine
from cortexd.http.admin.operation import Handler, read_fields, read_limit, read_query
from cortexd.http.admin.seconds import read_seconds
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.fleet import AgentRecord, AgentState, full_name
from cortexd.policy.fleet_settings import FleetSettings
from cortexd.wire.quotation import quoted

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
NAME_CHARACTERS_MAX: Final = 64

_CURSOR: Final = re.compile(r"[0-9]{1,15}")


@attrs.frozen(kw_only=True)
class FleetDoors:
    """What a node that has a fleet knows of it."""

    fleet: Fleet
    settings: FleetSettings
    line: FleetLine
    desk: CommandDesk
    history: FleetHistory
    roster: Roster


@attrs.frozen(kw_only=True)
class FleetAdmin:
    """Handlers for `Operation`. `doors` is `None` where the node has no fleet."""

    doors: FleetDoors | None

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """All agents and their workers, and how the line to the broker stands."""
        read_query(request)
        doors = self.doors
        if doors is None:
            return 200, {
                "enabled": False,
                "broker": {"up": False, "blocked": False, "failure": None},
                "demonstration": {"enabled": False, "period_seconds": None},
                "agents": [],
            }
        settings = doors.settings
        hired = {
            worker.name: worker
            for worker in doors.roster.value
            if isinstance(worker.provider, FleetProvider)
        }
        return 200, {
            "enabled": True,
            "broker": _broker(doors.line.standing),
            "demonstration": {
                "enabled": settings.demonstration,
                "period_seconds": settings.demonstration_seconds,
            },
            "agents": [
                agent_document(record, hired) for _, record in sorted(doors.fleet.value.items())
            ],
        }

    async def activity(self, request: DoorRequest) -> tuple[int, Any]:
        """What has become of agents and workers, newest first."""
        asked = read_query(request, "agent", "since", "limit", "cursor")
        since = read_seconds(asked, "since", 0.0)
        limit = read_limit(asked, default=LIMIT_DEFAULT, most=LIMIT_MAX)
        before = _read_cursor(asked.get("cursor"))
        if self.doors is None:
            return 200, {"items": [], "total": 0, "next_cursor": None}
        entries, total = await self.doors.history.page(
            limit + 1,
            agent=asked.get("agent"),
            since=since,
            before=before,
        )
        page = entries[:limit]
        return 200, {
            "items": [{**attrs.asdict(entry), "at": _moment(entry.at)} for _, entry in page],
            "total": total,
            "next_cursor": str(page[-1][0]) if len(entries) > limit else None,
        }

    @property
    def commands(self) -> Mapping[str, Handler]:
        """What agents can be told, by the last word of its path."""
        return {
            verb.value: partial(self._command, verb) for verb in Verb if verb is not Verb.ROLL_CALL
        }

    async def _command(self, verb: Verb, request: DoorRequest) -> tuple[int, Any]:
        read_query(request)
        fields = read_fields(request)
        fields.only({"worker"}, {})
        worker = fields.text("worker", characters_max=NAME_CHARACTERS_MAX)
        name = AgentName(request.params["name"])
        doors, record = self._named(name)
        if worker is not None and worker not in record.workers:
            raise RequestRefused(
                f"agent {quoted(name)} has no worker {quoted(worker)}", "worker", "not_found", 404
            )
        try:
            answered = await doors.desk.give(name, verb, worker)
        except (LineDown, MessageUndeliverable) as error:
            raise RequestRefused(
                f"{error}; chats go on meanwhile", code="broker_unavailable", status=503
            ) from error
        except NoAnswer as error:
            raise RequestRefused(str(error), code="command_timed_out", status=504) from error
        if answered.problem is not None:
            raise RequestRefused(
                f"agent {quoted(name)} could not: {answered.problem}",
                code="command_failed",
                status=409,
            )
        return 200, {
            "command_id": answered.command,
            "command": verb.value,
            "agent": name,
            "answered": True,
            "response_ms": round(answered.response_s * 1000, 3),
        }

    def _named(self, name: AgentName) -> tuple[FleetDoors, AgentRecord]:
        if self.doors is not None:
            record = self.doors.fleet.value.get(name)
            if record is not None and record.state is not AgentState.LEFT:
                return self.doors, record
        raise RequestRefused(f"there is no agent {quoted(name)}", "name", "not_found", 404)


def agent_document(
    record: AgentRecord, hired: Mapping[WorkerName, RegisteredWorker]
) -> dict[str, Any]:
    """An agent with its workers. `hired`: the fleet's workers on this node, by their names."""
    commands = record.commands
    types = {offer.name: offer.type.value for offer in record.offers}
    return {
        "name": record.name,
        "version": record.version,
        "state": record.state.value,
        "registered_at": _moment(record.registered_at),
        "last_status_at": _moment(record.status_at),
        "status_period_seconds": record.report.status_seconds,
        "activity": record.report.activity,
        "load": round(record.report.load, 3),
        "commands": {
            "sent": commands.sent,
            "answered": commands.answered,
            "failed": commands.failed,
            "response_ms": {
                "last": _rounded(commands.recent_ms[-1] if commands.recent_ms else None),
                "p50": _rounded(commands.percentile_ms(0.5)),
                "p95": _rounded(commands.percentile_ms(0.95)),
            },
        },
        "workers": [
            _worker(report, types.get(report.name), hired.get(full_name(record.name, report.name)))
            for report in record.report.workers
        ],
    }


def _worker(
    report: WorkerReport, kind: str | None, hired: RegisteredWorker | None
) -> dict[str, Any]:
    return {
        "name": report.name,
        "type": kind,
        "active": report.active and not report.drained,
        "drained": report.drained,
        "reachable": report.reachable,
        "taken_on": hired is not None,
        "in_flight": 0 if hired is None else hired.slots.in_flight,
        "activity": report.activity,
    }


def _broker(standing: LineStanding) -> dict[str, Any]:
    return {
        "up": standing.is_up,
        "blocked": standing.is_blocked,
        "failure": standing.failure,
    }


def _read_cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not _CURSOR.fullmatch(text):
        raise RequestRefused(
            "cursor must be the `next_cursor` of a page", param="cursor", code="invalid_value"
        )
    return int(text)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
