"""The workers the nodes have in common: what an operator tells one node becomes so on all.

What happens here is so at once, with or without Redis; it is shared when Redis is there. What
happens elsewhere is taken up when the version has changed, which is looked at twice a second: no
message can be missed, since there is none.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.actors.roster import Recruit, Roster, UnfitWorker
from cortexd.actors.worker_registry import (
    WORKER_REGISTRY,
    RosterChange,
    WorkerNotRegistered,
    WorkerRegistry,
)
from cortexd.cluster_ports import SharedWorkerStore
from cortexd.domain.cluster import ClusterState, ClusterView, SharedWorkerRefused
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Emit, SharedWorkerSkipped
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import Epoch, SharedStaff, SharedWorker
from cortexd.policy.shared_workers import LetGo, Step, Switch, TakeOn, steps, why_not_shared
from supervisor_tree import Actor, CallFailed, Name, whereis

POLL_S: Final = 0.5
PENDING_MAX: Final = 500
REGISTRY_S_MAX: Final = 10.0
FRESH_S: Final = 1.0
"""A change that is not older when it gets to Redis counts from then: no clocks are compared."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class SharedMemory:
    """What survives the actor.

    `known`: the workers as they were taken up here; `pending`: changes by this node's operators
    that Redis does not have yet; `unshared`: those that stay here, or cannot be used here, and why.
    """

    epoch: Epoch | None = None
    version: int = 0
    known: Mapping[WorkerName, SharedWorker] = attrs.Factory(dict)
    pending: Mapping[WorkerName, SharedWorker] = attrs.Factory(dict)
    unshared: Mapping[WorkerName, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True, eq=False)
class SharingParts:
    """What the actor works on. `check_soon` has a worker probed."""

    store: SharedWorkerStore
    memory: Published[SharedMemory]
    cluster: Published[ClusterView]
    roster: Roster
    recruit: Recruit
    check_soon: Callable[[WorkerName], None]
    emit: Emit


class SharedWorkers(Actor):
    """Owns what is known of the shared workers; the registry owns the workers."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: SharingParts) -> None:
        self._parts = parts
        self._wake = trio.Event()

    async def on_start(self) -> None:
        """Begin to look."""
        self.nursery.start_soon(self._keep_up)

    async def note(self, change: SharedWorker) -> None:
        """Take in what an operator has done here, to be shared as soon as it can be."""
        memory, name = self._memory, change.name
        if change.table is None and name in memory.unshared:
            # A matter of this node alone.
            if change.is_removed:
                self._remember(unshared=_without(memory.unshared, name))
            return
        why_not = None if change.table is None else why_not_shared(change.table)
        if why_not is None and len({*memory.pending, name}) > PENDING_MAX:
            why_not = f"{PENDING_MAX} other changes wait to be shared"
        if why_not is not None:
            self._skip(name, why_not)
            return
        before = memory.pending.get(name) or memory.known.get(name)
        table = change.table
        if table is None and before is not None and not change.is_removed:
            table = before.table
        noted = attrs.evolve(change, table=table, at=self._redis_time())
        self._remember(pending={**memory.pending, name: noted})
        self._wake.set()

    @property
    def _memory(self) -> SharedMemory:
        return self._parts.memory.value

    def _remember(self, **changed: Any) -> None:
        self._parts.memory.publish(attrs.evolve(self._memory, **changed))

    def _learn(self, name: WorkerName, worker: SharedWorker | None) -> None:
        known = _without(self._memory.known, name)
        self._remember(known=known if worker is None else {**known, name: worker})

    def _skip(self, worker: WorkerName, reason: str) -> None:
        self._remember(unshared={**self._memory.unshared, worker: reason})
        self._parts.emit(SharedWorkerSkipped(worker=worker, reason=reason))

    def _redis_time(self) -> float:
        clock_s = self._parts.cluster.value.clock_s
        return trio.current_time() + clock_s if clock_s else 0.0

    async def _keep_up(self) -> None:
        while True:
            self._wake = trio.Event()
            if self._parts.cluster.value.state is ClusterState.MEMBER:
                with suppress(SharedStoreFailed):
                    await self._exchange()
            with trio.move_on_after(POLL_S):
                await self._wake.wait()

    async def _exchange(self) -> None:
        """Give what is new here, and take what is new elsewhere."""
        parts = self._parts
        epoch, version = await parts.store.version()
        if self._memory.epoch not in {None, epoch}:
            kept = [each for each in self._memory.known.values() if each.version]
            await parts.store.remind(kept, token=parts.cluster.value.token)
        for change in tuple(self._memory.pending.values()):
            await self._share(change)
        if (epoch, version) != (self._memory.epoch, self._memory.version):
            await self._take_up(await parts.store.read())

    async def _share(self, change: SharedWorker) -> None:
        is_fresh = self._redis_time() - change.at < FRESH_S
        try:
            version = await self._parts.store.share(
                attrs.evolve(change, at=0.0) if is_fresh else change,
                token=self._parts.cluster.value.token,
                known_version=self._memory.version,
            )
        except SharedWorkerRefused as refused:
            self._skip(change.name, refused.message)
        else:
            # Where a later change is there already, it differs from this one and is taken up.
            self._learn(change.name, attrs.evolve(change, version=version or 0))
        if self._memory.pending.get(change.name) is change:
            self._remember(pending=_without(self._memory.pending, change.name))

    async def _take_up(self, staff: SharedStaff) -> None:
        """Have the workers as they are agreed; what cannot be done now is tried again."""
        here = {worker.name: worker.is_active for worker in self._parts.roster.value}
        for step in tuple(steps(self._memory.known, staff, here)):
            if step.name not in self._memory.pending:
                if not await self._do(step):
                    return
                self._learn(step.name, staff.workers.get(step.name))
        theirs = {n: w for n, w in staff.workers.items() if n not in self._memory.pending}
        ours = {n: w for n, w in self._memory.known.items() if n in self._memory.pending}
        self._remember(epoch=staff.epoch, version=staff.version, known={**ours, **theirs})

    async def _do(self, step: Step) -> bool:
        """Whether it is done, or never can be."""
        with trio.move_on_after(REGISTRY_S_MAX):
            try:
                await self._obey(step)
            except UnfitWorker as unfit:
                self._skip(step.name, unfit.problems[0])
            except WorkerNotRegistered:
                pass  # It has gone in the meantime.
            except CallFailed:
                return False
            return True
        return False

    async def _obey(self, step: Step) -> None:
        registry = whereis(WORKER_REGISTRY)
        match step:
            case LetGo():
                await registry.call(WorkerRegistry.unregister, step.name)
                return
            case TakeOn():
                newcomer = self._parts.recruit(step.table)
                await registry.call(WorkerRegistry.change, RosterChange(newcomers=(newcomer,)))
                self._remember(unshared=_without(self._memory.unshared, step.name))
                self._parts.check_soon(step.name)
            case Switch():
                pass
        switch = WorkerRegistry.activate if step.is_active else WorkerRegistry.deactivate
        await registry.call(switch, step.name)


def _without(mapping: Mapping[WorkerName, T], name: WorkerName) -> Mapping[WorkerName, T]:
    return {known: value for known, value in mapping.items() if known != name}


SHARED_WORKERS = Name[SharedWorkers]("shared-workers")
