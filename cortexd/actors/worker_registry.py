"""The registry: which workers there are."""

from collections.abc import Collection, Sequence

import attrs
import trio

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


@attrs.frozen(kw_only=True)
class RosterChange:
    """Who is to go, and who is to come, in one step.

    A newcomer takes the place of the worker of its name, and is in rotation if that one was.
    """

    leavers: Collection[WorkerName] = ()
    newcomers: Sequence[RegisteredWorker] = ()


class WorkerRegistry(Actor):
    """Owns the roster. Adding or removing a worker never touches a stream in flight.

    `leaving`: those who were taken out and still answer, or may be asked by a request that had
    chosen them before. They are let go when they are done, or after their longest answer.
    """

    max_handler_time = HANDLER_S_MAX

    def __init__(self, roster: Roster, leaving: Roster, emit: Emit) -> None:
        self._roster = roster
        self._leaving = leaving
        self._emit = emit

    async def on_start(self) -> None:
        """Go on with what the last incarnation could not finish."""
        self.continue_with(WorkerRegistry.see_leavers_off)

    async def see_leavers_off(self) -> None:
        """Wait, beside all else, for those who were taken out to be done."""
        for leaver in self._leaving.value:
            self.nursery.start_soon(self._see_off, leaver)

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
        await self.get(name)
        await self.change(RosterChange(leavers=(name,)))

    async def change(self, change: RosterChange) -> None:
        """Take workers out and in at once; names that nobody has are none to take out."""
        before = {worker.name: worker for worker in self._roster.value}
        after = {name: worker for name, worker in before.items() if name not in change.leavers}
        for newcomer in change.newcomers:
            known = before.get(newcomer.name)
            is_active = known is None or known.is_active
            after[newcomer.name] = attrs.evolve(newcomer, is_active=is_active)
        gone = [known for name, known in before.items() if after.get(name) is not known]
        self._leaving.publish((*self._leaving.value, *gone))
        self._publish(tuple(after.values()))
        for leaver in gone:
            self.nursery.start_soon(self._see_off, leaver)
            self._emit(WorkerUnregistered(worker=leaver.name))
        for newcomer in change.newcomers:
            self._emit(WorkerRegistered(worker=newcomer.name))

    async def _see_off(self, leaver: RegisteredWorker) -> None:
        with trio.move_on_after(leaver.settings.total_seconds):
            await leaver.slots.wait_idle()
        await leaver.provider.aclose()
        rest = tuple(worker for worker in self._leaving.value if worker is not leaver)
        self._leaving.publish(rest)

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
