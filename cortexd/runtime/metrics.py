"""The node's metrics put together: who counts, who samples, and where that is kept."""

from typing import Final

import attrs

from cortexd.actors.metrics import MetricsBoard, MetricsParts, metrics_board
from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.http.admin.metrics import MetricsCharts, MetricsDoor
from cortexd.observability.exposition import Exposition
from cortexd.observability.metrics import Metrics
from cortexd.policy.load_tally import LoadTally
from cortexd.policy.metrics_history import RECENT_S
from cortexd.runtime.gauges import Gauges
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.database import Database
from cortexd.storage.metrics_history import MIGRATIONS, StoredMetricsHistory

FILE_NAME: Final = "metrics.db"


@attrs.frozen(kw_only=True, eq=False)
class Counters:
    """What is told of every event; `metrics` is `None` where they are switched off."""

    tally: LoadTally
    metrics: Metrics | None

    @property
    def sinks(self) -> tuple[Emit, ...]:
        """The sinks of events that they are."""
        if self.metrics is None:
            return (self.tally.take,)
        return (self.tally.take, self.metrics.observe)


def counters(config: Config) -> Counters:
    """Those of a node that has done nothing yet."""
    names = [worker.name for worker in config.workers]
    return Counters(tally=LoadTally(), metrics=Metrics(names) if config.metrics.enabled else None)


@attrs.frozen(kw_only=True, eq=False)
class Measuring:
    """What comes of the counting. `database` and `door` are `None` without metrics."""

    board: MetricsBoard
    actor: MetricsParts
    charts: MetricsCharts
    database: Database | None
    door: MetricsDoor | None


def measuring(
    config: Config, *, counted: Counters, gauges: Gauges, around: Surroundings
) -> Measuring:
    """Make it all; nothing is opened yet."""
    wall_clock = around.wall_clock
    board = metrics_board(wall_clock)
    database, history = None, None
    if config.metrics.enabled:
        path = config.node.state_dir / FILE_NAME
        database = around.open_database(path, MIGRATIONS, durable=False, emit=around.emit)
        history = StoredMetricsHistory(
            database, samples_s=RECENT_S, minutes_s=config.metrics.history_seconds
        )
    return Measuring(
        board=board,
        actor=MetricsParts(
            tally=counted.tally,
            gauges=gauges.sampled,
            wall_clock=wall_clock,
            board=board,
            history=history,
        ),
        charts=MetricsCharts(recent=board.recent, history=history, wall_clock=wall_clock),
        database=database,
        door=None if counted.metrics is None else _door(counted.metrics, gauges),
    )


def _door(metrics: Metrics, gauges: Gauges) -> MetricsDoor:
    return MetricsDoor(Exposition(metrics, gauges.readings))
