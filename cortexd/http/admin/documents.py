"""The documents of the admin listener: the dashboard's data and the supervision tree."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio

from cortexd.http.admin.worker_documents import breaker_document, worker_document
from cortexd.http.probes import NodeProbes
from supervisor_tree import NodeSnapshot

_MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class AdminDocuments:
    """What an operator can read.

    `snapshot` gives the supervision tree as it stands; `None` in the moment before it does.
    """

    probes: NodeProbes
    snapshot: Callable[[], NodeSnapshot | None]
    in_flight: Callable[[], int]

    def dashboard(self) -> tuple[int, Any]:
        """Everything in one document."""
        _, health = self.probes.health()
        members, now = self.probes.view.value.members, trio.current_time()
        return 200, {
            "system_health": health,
            "workers": [worker_document(member, now) for member in members],
            "circuits": [breaker_document(member.worker, now) for member in members],
            "pools": {
                "strategy": self.probes.view.value.strategy.value,
                "in_flight": self.in_flight(),
            },
            "performance": {
                "uptime_seconds": health["uptime_seconds"],
                "memory_usage": {"value": round(_memory_bytes() / _MIB, 1), "unit": "MiB"},
                "tasks": trio.lowlevel.current_statistics().tasks_living,
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
        return None if snapshot is None else attrs.asdict(snapshot)


def _memory_bytes() -> int:
    # The second field is the resident set in pages (proc(5)).
    resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE")
