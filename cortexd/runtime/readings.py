"""What the alerts go by: one look at all that the parts of the node have published."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.failure import FailureKind
from cortexd.domain.redaction import without_credentials
from cortexd.policy.alert_rules import (
    FleetReading,
    NodeReadings,
    TrafficReading,
    WorkerReading,
)
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.load_tally import LoadCounts
from cortexd.policy.lookback import Lookback
from cortexd.policy.ttft_buckets import quantile_s
from supervisor_tree import NodeSnapshot

WINDOW_S: Final = 60.0
"""How far back restarts and traffic are looked at."""

TROUBLE_CHARACTERS_MAX: Final = 200


def _no_trouble(_now: float) -> None:
    """A node by itself."""


@attrs.frozen(kw_only=True, eq=False)
class ReadingParts:
    """Where it all comes from; nothing of it waits.

    `troubles`: what is wrong with each database, of those in trouble. `link_trouble`: what is wrong
    at this moment with what the node shares with its cluster, which is told after `lease_s`.
    """

    view: Published[PoolView]
    degradation: Published[DegradationState]
    snapshot: Callable[[], NodeSnapshot | None]
    load: Callable[[], LoadCounts]
    dead_letters: Callable[[], int | None]
    memory_bytes: Callable[[], int]
    troubles: Callable[[], Mapping[str, str]]
    link_trouble: Callable[[float], str | None] = _no_trouble
    lease_s: float = 0.0
    fleet: Callable[[], FleetReading | None] = lambda: None


class NodeReader:
    """Makes the readings. It remembers the last minute, longer than any actor lives."""

    def __init__(self, parts: ReadingParts) -> None:
        self._parts = parts
        self._restarts = Lookback[Mapping[str, int]](WINDOW_S)
        self._load = Lookback[LoadCounts](WINDOW_S)
        self._link_well_at: float | None = None

    def read(self) -> NodeReadings:
        """The readings of this moment."""
        parts, now = self._parts, trio.current_time()
        state = parts.degradation.value
        return NodeReadings(
            workers=tuple(_worker(member, now) for member in parts.view.value.members),
            traffic=self._traffic(now),
            dead_letters=parts.dead_letters(),
            memory_bytes=parts.memory_bytes(),
            restarts=self._recent_restarts(now),
            troubles=parts.troubles(),
            level=state.level,
            level_is_forced=state.forced,
            cluster_trouble=self._cluster_trouble(now),
            fleet=parts.fleet(),
        )

    def _traffic(self, now: float) -> TrafficReading:
        load = self._parts.load()
        past = self._load.since(now, load)
        ttft = [count - before for count, before in zip(load.ttft, past.ttft, strict=True)]
        return TrafficReading(
            exchanges=load.judged - past.judged,
            failed=load.errors - past.errors,
            ttft_s_p95=quantile_s(ttft, 0.95),
        )

    def _cluster_trouble(self, now: float) -> str | None:
        trouble = self._parts.link_trouble(now)
        if trouble is None or self._link_well_at is None:
            self._link_well_at = now
        lasts = now - self._link_well_at > self._parts.lease_s
        # A refusal is in the words of Redis.
        return without_credentials(trouble)[:TROUBLE_CHARACTERS_MAX] if trouble and lasts else None

    def _recent_restarts(self, now: float) -> Mapping[str, int]:
        snapshot = self._parts.snapshot()
        if snapshot is None:
            return {}
        totals = dict(_restarts(snapshot))
        past = self._restarts.since(now, totals)
        return {path: total - past.get(path, 0) for path, total in totals.items()}


def _worker(member: PoolMember, now: float) -> WorkerReading:
    worker = member.worker
    keys = worker.traffic.keys.records(now) if worker.settings.api_keys else ()
    return WorkerReading(
        name=worker.name,
        is_active=worker.is_active,
        state=member.state(now),
        is_untrusted=member.health.failure is FailureKind.UNTRUSTED,
        breaker=worker.breaker.state(now),
        keys={record.key: record.state for record in keys},
    )


def _restarts(snapshot: NodeSnapshot) -> Iterator[tuple[str, int]]:
    yield snapshot.path, snapshot.restarts
    for child in snapshot.children:
        yield from _restarts(child)
