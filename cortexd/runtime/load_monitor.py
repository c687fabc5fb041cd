"""The load monitor put together: what it reads of the node, and what operators can ask of it."""

from collections import Counter
from collections.abc import Callable

import attrs
import trio

from cortexd.actors.load_monitor import LoadBoard, LoadMonitorParts
from cortexd.actors.published import Published
from cortexd.http.admin.load_monitor import LoadMonitorAdmin
from cortexd.policy.load_monitor import LoadGauges, LoadReading
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.node_sampling import Reading
from cortexd.runtime.gauges import Gauges


@attrs.frozen(kw_only=True, eq=False)
class NodeLoadMonitor:
    """Who samples, and who tells operators."""

    parts: LoadMonitorParts
    admin: LoadMonitorAdmin


def node_load_monitor(
    tally: LoadTally, gauges: Gauges, wall_clock: Callable[[], float]
) -> NodeLoadMonitor:
    """Make it all; nothing is measured before somebody starts it."""
    board: LoadBoard = Published(None)

    def read() -> LoadReading:
        plain = Reading(
            at=wall_clock(),
            time=trio.current_time(),
            load=tally.counts(),
            gauges=gauges.sampled(),
        )
        return LoadReading(plain=plain, gauges=_load_gauges(gauges))

    return NodeLoadMonitor(
        parts=LoadMonitorParts(board=board, read=read),
        admin=LoadMonitorAdmin(board=board),
    )


def _load_gauges(gauges: Gauges) -> LoadGauges:
    now = trio.current_time()
    workers = [member.worker for member in gauges.view.value.members]
    cache = gauges.cache.statistics()
    return LoadGauges(
        tasks=trio.lowlevel.current_statistics().tasks_living,
        workers=len(workers),
        in_flight=sum(worker.slots.in_flight for worker in workers),
        queued=sum(worker.slots.queued for worker in workers),
        cache_entries=cache.entries,
        cache_bytes=cache.size_bytes,
        breakers=Counter(worker.breaker.state(now) for worker in workers),
    )
