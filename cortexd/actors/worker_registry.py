"""The registry: which workers there are."""

import attrs

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.domain.events import (
    Emit,
    WorkerActivated,
    WorkerDeactivated,
    WorkerRegistered,
    WorkerUnregistered,
)
from cortexd.domain.ids import WorkerName
from supervisor_tree import Actor, Name, ReplyError, whereis


class WorkerAlreadyRegistered(ReplyError):
    """The name is taken; unregister its owner first or choose another one."""


class WorkerNotRegistered(ReplyError):
    """No worker of this name."""


class WorkerRegistry(Actor):
    """Owns the roster. Adding or removing a worker never touches a stream in flight."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, roster: Roster, emit: Emit) -> None:
        self._roster = roster
        self._emit = emit

    async def register(self, worker: RegisteredWorker) -> None:
        """Add a worker; requests can go to it at once. Raises `WorkerAlreadyRegistered`."""
        if any(known.name == worker.name for known in self._roster.value):
            raise WorkerAlreadyRegistered(f"worker '{worker.name}' is already registered")
        self._publish((*self._roster.value, worker))
        self._emit(WorkerRegistered(worker=worker.name))

    async def get(self, name: WorkerName) -> RegisteredWorker:
        """The worker of this name. Raises `WorkerNotRegistered`."""
        for worker in self._roster.value:
            if worker.name == name:
                return worker
        raise WorkerNotRegistered(f"there is no worker '{name}'")

    async def list(self) -> tuple[RegisteredWorker, ...]:
        """All workers, in the order of their registration."""
        return self._roster.value

    async def activate(self, name: WorkerName) -> None:
        """Let it have new requests. Raises `WorkerNotRegistered`."""
        await self._set_active(name, is_active=True)

    async def deactivate(self, name: WorkerName) -> None:
        """Give it no new requests; those in flight go on. Raises `WorkerNotRegistered`."""
        await self._set_active(name, is_active=False)

    async def unregister(self, name: WorkerName) -> None:
        """Take a worker out. Raises `WorkerNotRegistered`."""
        leaver = await self.get(name)
        self._publish(tuple(worker for worker in self._roster.value if worker is not leaver))
        self._emit(WorkerUnregistered(worker=name))

    async def _set_active(self, name: WorkerName, *, is_active: bool) -> None:
        before = await self.get(name)
        if before.is_active is is_active:
            return
        after = attrs.evolve(before, is_active=is_active)
        self._publish(tuple(after if worker is before else worker for worker in self._roster.value))
        self._emit(WorkerActivated(worker=name) if is_active else WorkerDeactivated(worker=name))

    def _publish(self, workers: tuple[RegisteredWorker, ...]) -> None:
        self._roster.publish(workers)
        whereis(WORKER_POOL).cast(WorkerPool.refresh)


WORKER_REGISTRY = Name[WorkerRegistry]("worker-registry")
