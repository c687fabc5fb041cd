"""The documents of the admin listener: the dashboard's data and the supervision tree."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.domain.ids import WorkerName
from cortexd.domain.node_sample import NodeSample
from cortexd.domain.redaction import without_credentials
from cortexd.http.admin.cache import cache_document
from cortexd.http.admin.metrics import performance_document
from cortexd.http.admin.worker_documents import breaker_document, worker_document
from cortexd.http.probes import NodeProbes
from cortexd.policy.answer_cache import AnswerCache
from supervisor_tree import NodeSnapshot

_MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class AdminDocuments:
    """What an operator can read.

    `snapshot` gives the supervision tree as it stands; `None` in the moment before it does. `node`:
    what the node is called, and its version. `is_configured`: see `WorkersAdmin`.
    """

    probes: NodeProbes
    snapshot: Callable[[], NodeSnapshot | None]
    in_flight: Callable[[], int]
    node: Mapping[str, str]
    cache: AnswerCache
    is_configured: Callable[[WorkerName], bool]
    sample: Published[NodeSample]
    memory_bytes: Callable[[], int]
    processes: Callable[[], int]
    dead_letters: Callable[[], dict[str, Any]]
    alerts: Callable[[], dict[str, Any]]
    degradation: Callable[[], dict[str, Any]]

    def dashboard(self) -> tuple[int, Any]:
        """Everything in one document."""
        _, health = self.probes.health()
        members, now = self.probes.view.value.members, trio.current_time()
        return 200, {
            "system_health": health,
            "node": dict(self.node),
            "workers": [
                worker_document(member, now, is_configured=self.is_configured(member.name))
                for member in members
            ],
            "circuits": [breaker_document(member.worker, now) for member in members],
            "pools": {
                "strategy": self.probes.view.value.strategy.value,
                "in_flight": self.in_flight(),
            },
            "dead_letter_queue": self.dead_letters(),
            "alerts": self.alerts(),
            "degradation": self.degradation(),
            "cache": cache_document(self.cache),
            "performance": {
                "uptime_seconds": health["uptime_seconds"],
                "memory_usage": {"value": round(self.memory_bytes() / _MIB, 1), "unit": "MiB"},
                "process_count": self.processes(),
                "tasks": trio.lowlevel.current_statistics().tasks_living,
                **performance_document(self.sample.value),
            },
            "tree": self._tree(),
        }

    def breakers(self) -> tuple[int, Any]:
        """The circuit breakers with their histories."""
        members, now = self.probes.view.value.members, trio.current_time()
        return 200, [breaker_document(member.worker, now) for member in members]

    def tree(self) -> tuple[int, Any]:
        """The supervision tree with its restarts."""
        return 200, self._tree()

    def _tree(self) -> dict[str, Any] | None:
        snapshot = self.snapshot()
        if snapshot is None:
            return None
        # From Trio's clock to the wall's.
        return _node(snapshot, self.probes.wall_clock() - trio.current_time())


def _node(snapshot: NodeSnapshot, clock_offset_s: float) -> dict[str, Any]:
    """A child and all below it, with the latest ends of its incarnations, the last one first."""
    document = attrs.asdict(snapshot, recurse=False)
    if snapshot.last_exit is not None:
        document["last_exit"] = without_credentials(snapshot.last_exit)
    document["exits"] = [
        {
            "exited_at": datetime.fromtimestamp(past.time + clock_offset_s, UTC).isoformat(),
            "incarnation": past.incarnation,
            "uptime_seconds": round(past.uptime, 3),
            "reason": without_credentials(past.exit),
        }
        for past in reversed(snapshot.exits)
    ]
    document["children"] = [_node(child, clock_offset_s) for child in snapshot.children]
    return document
