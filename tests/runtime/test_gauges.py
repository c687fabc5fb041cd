"""What is read off a node for its metrics."""

import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolView
from cortexd.observability.metric_catalog import OTHER, READ, RESTARTS
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.runtime.gauges import CHILDREN_MAX, Gauges
from cortexd.runtime.loop_lag import LoopLag
from cortexd.runtime.pressure import PressureGauge
from supervisor_tree import ChildSpec, NodeSnapshot, Supervisor, task
from supervisor_tree.testing import running


def _gauges(snapshot: NodeSnapshot | None) -> Gauges:
    lag = LoopLag()
    return Gauges(
        view=Published(PoolView((), PoolStrategy.LOCAL_FIRST)),
        degradation=Published(DegradationState()),
        cache=AnswerCache(1000),
        lag=lag,
        pressure=PressureGauge(DegradationSettings(), lag, lambda: 0, connections_max=1),
        in_flight=lambda: 0,
        uptime_s=lambda: 1.0,
        snapshot=lambda: snapshot,
    )


async def test_a_node_without_a_tree_and_workers() -> None:
    """In its first moment, too, there is something to read."""
    readings = _gauges(None).readings()
    assert readings.keys() <= set(READ)
    assert RESTARTS not in readings
    assert _gauges(None).sampled().workers_available == 0


async def test_every_metric_is_known() -> None:
    """With as many labels as the catalogue says."""
    for metric, values in _gauges(None).readings().items():
        assert all(len(labels) == len(metric.labels) for labels, _ in values), metric


async def test_a_tree_of_many_children_has_no_more_series() -> None:
    """Those there is no room for share one."""
    count = 2 * CHILDREN_MAX
    children = [ChildSpec(f"child-{n}", task(trio.sleep_forever)) for n in range(count)]
    async with running(Supervisor(*children)) as tree:
        values = _gauges(tree.snapshot()).readings()[RESTARTS]
    labels = [label for (label,), _ in values]
    assert len(labels) == CHILDREN_MAX + 1
    assert len(set(labels)) == len(labels)
    assert OTHER in labels
    assert "root/child-0" in labels
