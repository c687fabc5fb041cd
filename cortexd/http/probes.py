"""What load balancers, Kubernetes and curious people ask: alive, started, ready, healthy."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolView
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.degradation_state import DegradationState
from cortexd.policy.health import NodeStatus, node_status
from cortexd.policy.pressure import LAG_S_MAX, Pressure

DEAD_LETTERS_MAX: Final = 100
"""More of them ask for an operator's attention."""


def _no_pressure() -> Pressure:
    return Pressure()


@attrs.define(kw_only=True, eq=False)
class NodeProbes:
    """The answers, read from what the actors have published.

    `uptime_s` and `is_draining` come from the node; `wall_clock` gives seconds since the epoch.
    `pressure`: how hard the node is pressed now, and `pressure_max` the share at which it had
    better be spared. `loop_still_s`: for how long the event loop has not been seen to turn.
    `dead_letters`: how many are kept; `has_warnings`: an alert waits for its acknowledgement.
    """

    view: Published[PoolView]
    uptime_s: Callable[[], float]
    is_draining: Callable[[], bool]
    wall_clock: Callable[[], float]
    degradation: Published[DegradationState] = attrs.Factory(lambda: Published(DegradationState()))
    pressure: Callable[[], Pressure] = _no_pressure
    pressure_max: float = 1.0
    loop_still_s: Callable[[], float] = float
    dead_letters: Callable[[], int] = int
    has_warnings: Callable[[], bool] = bool
    _is_started: bool = attrs.field(default=False, init=False)

    def livez(self) -> tuple[int, Any]:
        """Whether the event loop turns; asks nobody and nothing else."""
        still_s = self.loop_still_s()
        lag_ms = round(1000.0 * self.pressure().worst_lag_s, 1)
        if still_s >= LAG_S_MAX:
            return 503, {"status": "stalled", "loop_lag_ms": max(lag_ms, round(1000.0 * still_s))}
        return 200, {"status": "alive", "loop_lag_ms": lag_ms}

    def startupz(self) -> tuple[int, Any]:
        """Whether the node has come up: each worker it started with has been checked once."""
        if not self._is_started:
            members = self.view.value.members
            self._is_started = all(
                member.health.status is not WorkerStatus.UNKNOWN for member in members
            )
        if self._is_started:
            return 200, {"status": "started"}
        return 503, {"status": "starting"}

    def readyz(self) -> tuple[int, Any]:
        """Whether to send traffic here: not draining, a worker is available, and there is room."""
        if self.is_draining():
            return 503, {"status": "draining"}
        pressing = self.pressure().stops_serving(self.pressure_max)
        if pressing is not None:
            return 503, {"status": "overloaded", "reason": pressing}
        status = self.status()
        return (200 if status.can_serve else 503), {"status": status.value}

    def status(self) -> NodeStatus:
        """How the node is doing, all told."""
        now, members = trio.current_time(), self.view.value.members
        return node_status(
            available=sum(member.state(now).takes_requests for member in members),
            workers=len(members),
            warns=self.dead_letters() > DEAD_LETTERS_MAX or self.has_warnings(),
        )

    def health(self) -> tuple[int, Any]:
        """The node and each of its workers, with the reason where one is unavailable."""
        status, now, members = self.status(), trio.current_time(), self.view.value.members
        reasons = {member.name: member.reason(now) for member in members}
        return (200 if status.can_serve else 503), {
            "status": status.value,
            "degradation_level": self.degradation.value.level.value,
            "timestamp": datetime.fromtimestamp(self.wall_clock(), UTC).isoformat(),
            "uptime_seconds": round(self.uptime_s(), 3),
            "workers": {member.name: member.state(now).value for member in members},
            "reasons": {name: reason for name, reason in reasons.items() if reason is not None},
        }
