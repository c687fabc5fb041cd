"""The pool: who can be routed to, joined from what the registry and the health monitor publish."""

from collections.abc import Mapping

import attrs

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerHealth, WorkerStatus
from cortexd.policy.health import WorkerState
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.obstacles import LASTING, Obstacle, obstacle
from supervisor_tree import Actor, Name

HealthBoard = Published[Mapping[WorkerName, WorkerHealth]]
"""The health monitor's verdicts."""


@attrs.frozen(eq=False)
class PoolMember:
    """A registered worker and how it is doing."""

    worker: RegisteredWorker
    health: WorkerHealth

    @property
    def name(self) -> WorkerName:
        """The worker's name."""
        return self.worker.name

    @property
    def models(self) -> tuple[str, ...]:
        """The models it serves, its default first; empty until discovered."""
        return self.worker.info.models or self.health.models

    def obstacle(self, now: float) -> Obstacle | None:
        """Why it cannot be asked now; `None` if it can."""
        worker = self.worker
        return obstacle(worker.traffic, self.health, now, is_active=worker.is_active)

    def state(self, now: float) -> WorkerState:
        """How it is doing, by its health checks and by what has become of requests."""
        if self.obstacle(now) in LASTING:
            return WorkerState.UNAVAILABLE
        if self.health.status is WorkerStatus.UNKNOWN:
            return WorkerState.UNKNOWN
        return WorkerState.BUSY if self.worker.slots.full else WorkerState.AVAILABLE

    def reason(self, now: float) -> str | None:
        """Why it is unavailable; `None` if it is not."""
        if self.health.status is WorkerStatus.UNAVAILABLE:
            return self.health.reason
        what = self.obstacle(now)
        return what.value if what in LASTING else None


@attrs.frozen
class PoolView:
    """What routing chooses from."""

    members: tuple[PoolMember, ...]
    strategy: PoolStrategy


def pool_view(roster: Roster, board: HealthBoard, strategy: PoolStrategy) -> PoolView:
    """The view as of now."""
    verdicts = board.value
    members = tuple(
        PoolMember(worker, verdicts.get(worker.name, WorkerHealth())) for worker in roster.value
    )
    return PoolView(members, strategy)


class WorkerPool(Actor):
    """Publishes a new view when the registry or the health monitor says that something changed."""

    max_handler_time = HANDLER_S_MAX

    def __init__(
        self,
        roster: Roster,
        board: HealthBoard,
        view: Published[PoolView],
        strategy: PoolStrategy,
    ) -> None:
        self._roster = roster
        self._board = board
        self._view = view
        self._strategy = strategy

    async def on_start(self) -> None:
        """Catch up on what changed while no pool was there to be told."""
        await self.refresh()

    async def refresh(self) -> None:
        """Join the two boards anew."""
        self._view.publish(pool_view(self._roster, self._board, self._strategy))

    async def use(self, strategy: PoolStrategy) -> None:
        """Order equals in another way from now on."""
        self._strategy = strategy
        await self.refresh()


WORKER_POOL = Name[WorkerPool]("worker-pool")
