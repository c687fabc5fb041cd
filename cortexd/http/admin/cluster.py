"""The cluster for operators: who is there, who leads, which node sees to which worker.

Any node shows the whole: what it knows comes with the beats of the others. One that is alone, or
has no cluster, shows itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from cortexd.actors.published import Published
from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    Member,
    NodeName,
    NodeReport,
    WorkerReport,
)
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerType
from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.health import WorkerState
from cortexd.wire.fields import INVALID_VALUE, refuse

_TAKING = frozenset(state.value for state in WorkerState if state.takes_requests)
_TYPES = tuple(kind.value for kind in WorkerType)


@attrs.frozen(kw_only=True)
class ClusterAdmin:
    """What operators can see of it.

    `cluster`: its name, `None` without one. `report`: what the node tells of itself. `link`:
    whether Redis answers, and what is wrong with it. `unshared`: the workers that are not so on all
    nodes, and why.
    """

    view: Published[ClusterView]
    cluster: str | None
    lease_s: float
    report: Callable[[], NodeReport]
    link: Callable[[], tuple[bool, str | None]]
    unshared: Callable[[], Mapping[WorkerName, str]]
    wall_clock: Callable[[], float]

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """All of it; `type`: workers of this type only."""
        kind = read_query(request, "type").get("type")
        if kind is not None and kind not in _TYPES:
            refuse("type", f"must be one of {', '.join(_TYPES)}", INVALID_VALUE)
        view = self.view.value
        members = view.members or (self._self_alone(view),)
        is_up, failure = self.link()
        return 200, {
            "enabled": view.state is not ClusterState.OFF,
            "state": view.state.value,
            "reason": view.reason,
            "cluster": self.cluster,
            "node": view.node,
            "leader": view.leader,
            "is_leader": view.is_leader,
            "lease_seconds": self.lease_s,
            "redis": {"up": is_up, "failure": failure},
            "nodes": [_node(member, view) for member in members],
            "workers": [
                document
                for document in _workers(members, view)
                if kind is None or document["type"] == kind
            ],
            "distribution": _distribution(members, view),
            "unshared": [
                {"worker": name, "reason": reason} for name, reason in self.unshared().items()
            ],
        }

    def _self_alone(self, view: ClusterView) -> Member:
        return Member(name=view.node, token=0, joined_at=self.wall_clock(), report=self.report())


def _node(member: Member, view: ClusterView) -> dict[str, Any]:
    report = member.report
    return {
        "name": member.name,
        "address": report.address,
        "version": report.version,
        "joined_at": datetime.fromtimestamp(member.joined_at, UTC).isoformat(),
        "token": member.token,
        "is_self": member.name == view.node,
        "is_leader": member.name == view.leader,
        "load": {
            "in_flight": report.in_flight,
            "requests_per_second": report.requests_per_second,
            "workers": len(report.workers),
            "workers_available": sum(worker.state in _TAKING for worker in report.workers),
        },
        "status": report.status,
        "degradation_level": report.degradation_level,
    }


def _workers(members: Sequence[Member], view: ClusterView) -> list[dict[str, Any]]:
    """A document for each name; where it means several workers, for the one that is here."""
    by_name: dict[WorkerName, dict[NodeName, WorkerReport]] = {}
    for member in members:
        for worker in member.report.workers:
            by_name.setdefault(worker.name, {})[member.name] = worker
    return [_worker(name, there, view) for name, there in sorted(by_name.items())]


def _worker(
    name: WorkerName, there: Mapping[NodeName, WorkerReport], view: ClusterView
) -> dict[str, Any]:
    shown = there.get(view.node) or next(iter(there.values()))
    owner = view.owners.get(shown.key)
    return {
        "name": name,
        "type": shown.type,
        "owner": owner,
        "where": None if owner is None else "local" if owner == view.node else "remote",
        "active": shown.is_active,
        "states": {node: worker.state for node, worker in there.items()},
        "breakers": {node: worker.breaker for node, worker in there.items()},
    }


def _distribution(members: Sequence[Member], view: ClusterView) -> dict[NodeName, dict[str, Any]]:
    """How many workers each node sees to."""
    kinds = {worker.key: worker.type for member in members for worker in member.report.workers}
    owned: dict[NodeName, Counter[str]] = {member.name: Counter() for member in members}
    for key, owner in view.owners.items():
        if owner in owned and key in kinds:
            owned[owner][kinds[key]] += 1
    return {
        node: {"workers": counts.total(), "by_type": dict(counts)} for node, counts in owned.items()
    }
