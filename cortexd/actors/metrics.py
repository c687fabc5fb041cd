"""Takes a sample of the node every few seconds: for charts, alerts and whoever else wants to know.

Readers have the last sample and those of the last hour at hand, whatever has become of this actor
or of the disk; the disk is for what must survive the node.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.domain.errors import StorageFailed
from cortexd.domain.node_sample import NodeSample
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.metrics_history import RECENT_S, SAMPLE_S
from cortexd.policy.node_sampling import WINDOW_S, NodeGauges, Reading, sample
from cortexd.ports import MetricsHistory
from supervisor_tree import Actor, Name

UNWRITTEN_MAX: Final = 120
"""So many samples wait for a disk that is in trouble; what is older is lost to it."""

WRITE_S_MAX: Final = 10.0
"""How long a disk is waited for."""


@attrs.frozen(kw_only=True)
class MetricsBoard:
    """What the actor publishes. `recent`: the samples of the last hour, oldest first."""

    sample: Published[NodeSample]
    recent: Published[tuple[NodeSample, ...]]


def metrics_board(wall_clock: Callable[[], float]) -> MetricsBoard:
    """A board on which nothing has happened yet."""
    return MetricsBoard(sample=Published(NodeSample(at=wall_clock())), recent=Published(()))


@attrs.frozen(kw_only=True)
class MetricsParts:
    """What samples are taken of. `history` is `None` where none is kept on disk."""

    tally: LoadTally
    gauges: Callable[[], NodeGauges]
    wall_clock: Callable[[], float]
    board: MetricsBoard
    history: MetricsHistory | None


class NodeMetrics(Actor):
    """Owns the board. What is counted meanwhile is counted by others, and is not lost with it."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: MetricsParts) -> None:
        self._parts = parts
        self._readings: deque[Reading] = deque(maxlen=1 + round(WINDOW_S / SAMPLE_S))
        self._unwritten: deque[NodeSample] = deque(maxlen=UNWRITTEN_MAX)
        self._is_writing = False

    async def on_start(self) -> None:
        """Begin to measure, and look up what was before."""
        self._readings.append(self._read())
        self.every(SAMPLE_S, NodeMetrics.take_sample)
        history = self._parts.history
        if history is not None and not self._parts.board.recent.value:
            self.nursery.start_soon(self._recall, history)

    async def take_sample(self) -> None:
        """Measure, publish, and have it written down."""
        reading, board = self._read(), self._parts.board
        taken = sample(reading, self._readings[-1], self._readings[0])
        self._readings.append(reading)
        self._add(taken)
        board.sample.publish(taken)
        if self._parts.history is not None:
            self._unwritten.append(taken)
            if not self._is_writing:
                self._is_writing = True
                self.nursery.start_soon(self._write, self._parts.history)

    def _read(self) -> Reading:
        parts = self._parts
        return Reading(
            at=parts.wall_clock(),
            time=trio.current_time(),
            load=parts.tally.counts(),
            gauges=parts.gauges(),
        )

    def _add(self, *more: NodeSample) -> None:
        """Put samples where they belong, and drop those that are no longer recent."""
        recent = self._parts.board.recent
        newest = self._parts.wall_clock()
        by_time = {each.at: each for each in (*recent.value, *more)}
        recent.publish(
            tuple(by_time[at] for at in sorted(by_time) if newest - RECENT_S <= at <= newest)
        )

    async def _recall(self, history: MetricsHistory) -> None:
        """Have the last hour at hand again after a restart of the node."""
        # Without it, the charts begin now; the database tells of its trouble itself.
        with trio.move_on_after(WRITE_S_MAX), suppress(StorageFailed):
            self._add(*await history.samples(self._parts.wall_clock() - RECENT_S))

    async def _write(self, history: MetricsHistory) -> None:
        """Write what is there; what fails is tried again together with the next sample."""
        samples = tuple(self._unwritten)
        try:
            with trio.move_on_after(WRITE_S_MAX), suppress(StorageFailed):
                await history.keep(samples)
                while self._unwritten and self._unwritten[0].at <= samples[-1].at:
                    self._unwritten.popleft()
        finally:
            self._is_writing = False


NODE_METRICS = Name[NodeMetrics]("metrics")
