"""What can be read off the node at any moment, for its metrics: nothing of it waits."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.observability import metric_catalog as catalog
from cortexd.observability.exposition import Readings
from cortexd.observability.metric_catalog import OTHER, Metric
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.health import WorkerState
from cortexd.policy.health_score import health_score
from cortexd.policy.key_health import KeyState
from cortexd.policy.node_sampling import NodeGauges
from cortexd.runtime.loop_lag import LoopLag
from cortexd.runtime.pressure import PressureGauge
from supervisor_tree import NodeSnapshot

CHILDREN_MAX: Final = 200
"""So many places in the supervision tree have a series of their own; the rest share one."""

_Values: TypeAlias = Iterator[tuple[Metric, tuple[str, ...], float]]


@attrs.frozen(kw_only=True, eq=False)
class Gauges:
    """Where it is read. `snapshot` gives the supervision tree; `None` before there is one."""

    view: Published[PoolView]
    degradation: Published[DegradationState]
    cache: AnswerCache
    lag: LoopLag
    pressure: PressureGauge
    in_flight: Callable[[], int]
    uptime_s: Callable[[], float]
    snapshot: Callable[[], NodeSnapshot | None]
    fleet: Callable[[], _Values] = lambda: iter(())

    def sampled(self) -> NodeGauges:
        """What belongs into a sample."""
        cache, now = self.cache.statistics(), trio.current_time()
        return NodeGauges(
            in_flight=self.in_flight(),
            memory_bytes=self.pressure.resources().memory_bytes,
            loop_lag_s=self.lag.worst_s(),
            workers_available=sum(
                member.state(now).takes_requests for member in self.view.value.members
            ),
            cache_hits=cache.hits,
            cache_misses=cache.misses,
        )

    def readings(self) -> Readings:
        """What is read for a scrape."""
        found: dict[Metric, list[tuple[tuple[str, ...], float]]] = {}
        now = trio.current_time()
        for metric, labels, value in self._node():
            found.setdefault(metric, []).append((labels, value))
        for metric, labels, value in self.fleet():
            found.setdefault(metric, []).append((labels, value))
        for member in self.view.value.members:
            for metric, labels, value in _worker(member, now):
                found.setdefault(metric, []).append(((member.name, *labels), value))
        return found

    def _node(self) -> _Values:
        yield catalog.BUILD, (metadata.version("cortexd"),), 1.0
        yield catalog.UPTIME, (), self.uptime_s()
        yield catalog.IN_FLIGHT, (), self.in_flight()
        yield catalog.TASKS, (), trio.lowlevel.current_statistics().tasks_living
        yield catalog.LOOP_LAG, (), self.lag.worst_s()
        yield from _one_of(catalog.DEGRADATION, self.degradation.value.level, DegradationLevel)
        cache = self.cache.statistics()
        yield catalog.CACHE_ENTRIES, (), cache.entries
        yield catalog.CACHE_BYTES, (), cache.size_bytes
        yield catalog.CACHE_HITS, (), cache.hits
        yield catalog.CACHE_STALE, (), cache.stale
        yield catalog.CACHE_MISSES, (), cache.misses
        yield catalog.CACHE_SHARED, (), cache.shared
        for found, count in cache.second_level.items():
            yield catalog.CACHE_L2, (found.value,), count
        yield catalog.CACHE_EVICTIONS, (), cache.evictions
        snapshot = self.snapshot()
        if snapshot is not None:
            for path, restarts in _restarts(snapshot).items():
                yield catalog.RESTARTS, (path,), restarts


def processes() -> int:
    """How many there are of this node: its own, and those it has started (proc(5))."""
    count = 1
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            count += len(path.read_text(encoding="ascii").split())
    return count


def _worker(member: PoolMember, now: float) -> _Values:
    worker = member.worker
    yield from _one_of(catalog.WORKER_STATUS, member.state(now), WorkerState)
    yield catalog.WORKER_ACTIVE, (), float(worker.is_active)
    yield catalog.WORKER_SCORE, (), health_score(worker.traffic, member.health, now)
    yield from _one_of(catalog.WORKER_BREAKER, worker.breaker.state(now), BreakerState)
    if worker.settings.api_keys:
        states = [record.state for record in worker.traffic.keys.records(now)]
        for state in KeyState:
            yield catalog.WORKER_KEYS, (state.value,), states.count(state)
    yield catalog.WORKER_IN_FLIGHT, (), worker.slots.in_flight
    yield catalog.WORKER_QUEUED, (), worker.slots.queued
    yield catalog.WORKER_SLOTS, (), worker.settings.max_concurrency
    connections = worker.provider.connections()
    if connections is not None:
        yield catalog.WORKER_CONNECTIONS, ("idle",), connections.idle
        yield catalog.WORKER_CONNECTIONS, ("in_use",), connections.in_use
        yield catalog.WORKER_CONNECTIONS, ("connecting",), connections.connecting
        yield catalog.CONNECTIONS_OPENED, (), connections.opened
        yield catalog.CONNECTIONS_REUSED, (), connections.reused


def _one_of(metric: Metric, actual: Enum, states: type[Enum]) -> _Values:
    """A series for each state, so that none comes and goes with it."""
    for state in states:
        yield metric, (str(state.value),), float(state is actual)


def _restarts(snapshot: NodeSnapshot) -> dict[str, int]:
    """How often the children were restarted, by their places in the tree."""
    counts: dict[str, int] = {}
    for child in _all_below(snapshot):
        path = child.path if child.path in counts or len(counts) < CHILDREN_MAX else OTHER
        counts[path] = counts.get(path, 0) + child.restarts
    return counts


def _all_below(snapshot: NodeSnapshot) -> Iterator[NodeSnapshot]:
    for child in snapshot.children:
        yield child
        yield from _all_below(child)
