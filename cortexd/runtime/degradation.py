"""How hard the node is pressed, and which level of degradation it has come to."""

import attrs

from cortexd.actors.published import Published
from cortexd.config.schema import Config
from cortexd.pipeline.deadline import Cutoff
from cortexd.policy.degradation_state import DegradationState
from cortexd.runtime.loop_lag import LoopLag
from cortexd.runtime.pressure import PressureGauge


@attrs.frozen(kw_only=True, eq=False)
class NodeDegradation:
    """What outlives the manager of the level, and the task that measures the event loop."""

    state: Published[DegradationState]
    lag: LoopLag
    gauge: PressureGauge


def node_degradation(config: Config, cutoff: Cutoff) -> NodeDegradation:
    """Make it all; nothing is measured yet. `cutoff` knows how many requests are in flight."""
    lag = LoopLag()
    gauge = PressureGauge(
        config.degradation,
        lag,
        lambda: cutoff.in_flight,
        connections_max=config.data.max_connections,
    )
    return NodeDegradation(state=Published(DegradationState()), lag=lag, gauge=gauge)
