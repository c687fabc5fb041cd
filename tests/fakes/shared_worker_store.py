"""What nodes know together of their workers, in memory: what `cluster/shared_workers.py` does."""

from collections.abc import Sequence

import attrs
import trio

from cortexd.domain.cluster import SharedWorkerRefused
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import Epoch, SharedStaff, SharedWorker
from tests.fakes.cluster_store import EPOCH_S


@attrs.define(eq=False)
class FakeSharedWorkers:
    """See `cluster_ports.SharedWorkerStore`. It has room for `workers_max`, and can be down."""

    workers_max: int = 100
    is_down: bool = False
    epoch: int = 1
    last: int = 0
    workers: dict[WorkerName, SharedWorker] = attrs.Factory(dict)
    reads: int = 0

    @property
    def time(self) -> float:
        """What its clock shows."""
        return EPOCH_S + trio.current_time()

    def forget(self) -> None:
        """Begin anew, with nothing."""
        self.epoch += 1
        self.last = 0
        self.workers = {}

    async def version(self) -> tuple[Epoch, int]:
        """Whether anything has changed."""
        await self._reach()
        return Epoch(str(self.epoch)), self.last

    async def read(self) -> SharedStaff:
        """All of it."""
        await self._reach()
        self.reads += 1
        return SharedStaff(
            epoch=Epoch(str(self.epoch)), version=self.last, workers=dict(self.workers)
        )

    async def share(self, change: SharedWorker, *, token: int, known_version: int) -> int | None:
        """Have it be so for all."""
        await self._reach(token)
        at = min(change.at or self.time, self.time)
        old = self.workers.get(change.name)
        if old is not None and old.at > at:
            return None
        if old is None and len(self.workers) >= self.workers_max:
            raise SharedWorkerRefused("there is no room")
        table = change.table
        if table is None and old is not None and not change.is_removed:
            table = old.table
        self.last = max(self.last, known_version) + 1
        self.workers[change.name] = attrs.evolve(change, version=self.last, at=at, table=table)
        return self.last

    async def remind(self, workers: Sequence[SharedWorker], *, token: int) -> None:
        """Put back what has been forgotten."""
        await self._reach(token)
        for worker in workers:
            old = self.workers.get(worker.name)
            if old is None or old.version < worker.version:
                self.workers[worker.name] = worker
            self.last = max(self.last, worker.version)

    async def _reach(self, token: int = 1) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_down or not token:
            raise SharedStoreFailed("it cannot be reached")
