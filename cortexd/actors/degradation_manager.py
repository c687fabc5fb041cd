"""The degradation manager: settles at which level the node works, and publishes it."""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.events import DegradationChanged, Emit
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.degradation_settings import DegradationSettings, Staffing, as_expected
from cortexd.policy.degradation_state import DegradationState, assessed, forced_to
from cortexd.policy.obstacles import Obstacle
from cortexd.policy.pressure import Pressure
from supervisor_tree import Actor, Name, whereis

TICK_S: Final = 1.0
"""Time alone can change the level, and so can what nobody reports, such as memory."""

_AT_REST: Final = frozenset({Obstacle.BREAKER_OPEN, Obstacle.NO_HEALTHY_KEY})


def staffing(members: Sequence[PoolMember], now: float) -> Staffing:
    """How many workers there are for new requests.

    One that nobody has checked yet counts as available: a node that starts is in no emergency. One
    that an operator has deactivated does not count at all: it is not missed.
    """
    obstacles = [member.obstacle(now) for member in members if member.worker.is_active]
    resting = sum(obstacle in _AT_REST for obstacle in obstacles)
    gone = sum(obstacle is Obstacle.UNHEALTHY for obstacle in obstacles)
    return Staffing(len(obstacles) - resting - gone, resting, len(obstacles))


class DegradationManager(Actor):
    """Looks at the node whenever its pool changes, and each second."""

    max_handler_time = HANDLER_S_MAX

    def __init__(
        self,
        state: Published[DegradationState],
        view: Published[PoolView],
        pressure: Callable[[], Pressure],
        settings: DegradationSettings,
        emit: Emit,
    ) -> None:
        self._state = state
        self._view = view
        self._pressure = pressure
        self._settings = settings
        self._emit = emit
        self._had_worker = False
        self._began_at = trio.current_time()

    async def on_start(self) -> None:
        """Go on from the level that was published last."""
        await self.assess()
        self.every(TICK_S, DegradationManager.assess)
        self.nursery.start_soon(self._watch, self._view.value)

    async def assess(self) -> None:
        """Take another look."""
        now = trio.current_time()
        members = self._view.value.members
        self._had_worker = self._had_worker or any(
            member.health.status is WorkerStatus.AVAILABLE for member in members
        )
        age_s = now - self._began_at
        workers = as_expected(staffing(members, now), had_one=self._had_worker, age_s=age_s)
        self._enter(assessed(self._state.value, workers, self._pressure(), self._settings, now=now))

    async def force(self, level: DegradationLevel | None) -> DegradationState:
        """Keep to a level, or with `None` to the automatic one again; the state after that."""
        self._enter(forced_to(self._state.value, level, now=trio.current_time()))
        return self._state.value

    def _enter(self, after: DegradationState) -> None:
        before = self._state.value
        if after == before:
            return
        self._state.publish(after)
        if after.level is not before.level:
            self._emit(
                DegradationChanged(
                    before=before.level.value,
                    after=after.level.value,
                    forced=after.forced,
                    reason=after.reason,
                )
            )

    async def _watch(self, seen: PoolView) -> None:
        while True:
            seen = await self._view.wait_until(lambda view, seen=seen: view is not seen)  # type: ignore[misc]  # mypy infers no type for the default
            whereis(DEGRADATION_MANAGER).cast(DegradationManager.assess)


DEGRADATION_MANAGER = Name[DegradationManager]("degradation-manager")
