"""The right to use a worker: so many requests at once, so many waiting, and no more."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import Tenant, WorkerName
from cortexd.policy.fair_queue import FairQueue, Waiting
from cortexd.policy.pace import Pace

RETRY_AFTER_S_MIN: Final = 1.0
RETRY_AFTER_S_MAX: Final = 60.0


@attrs.define(eq=False)
class _Waiter:
    """A task in the queue. Whoever takes it out wakes it; it holds a slot then, or has no place."""

    task: trio.lowlevel.Task
    is_displaced: bool = False


class WorkerSlots:
    """The slots of one worker. Lives as long as the worker is registered, longer than any actor.

    A slot that becomes free goes straight to whose turn it is: as long as somebody waits, none is
    free. `pace` is told for how long slots are held.
    """

    def __init__(self, worker: WorkerName, *, slots: int, queue_max: int, pace: Pace) -> None:
        self._worker = worker
        self._slots = slots
        self._pace = pace
        self._in_flight = 0
        self._idle: trio.Event | None = None
        self._queue: FairQueue[_Waiter] = FairQueue(queue_max)

    @property
    def in_flight(self) -> int:
        """Requests that hold a slot."""
        return self._in_flight

    @property
    def queued(self) -> int:
        """Requests that wait for one."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """A request would have to wait."""
        return self._in_flight >= self._slots

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Who waits, in the order of their turns."""
        return self._queue.waiting()

    def lease(self, tenant: Tenant, *, deadline: float = float("inf")) -> "_Lease":
        """Hold a slot for the length of an `async with` block; tenants take turns.

        `deadline`, on Trio's clock, ends no wait: it keeps one from beginning that would in all
        likelihood be in vain.
        Errors: `WorkerFailed` (busy) at once, when the queue is full as well or the turn would come
        after `deadline`; later, when the place is needed for a tenant with fewer in the queue.
        Cancellation: while waiting, the place in the queue is given up.
        """
        return _Lease(partial(self._acquire, tenant, deadline), self._release)

    async def wait_idle(self) -> None:
        """Until nobody holds a slot or waits for one; the caller sets the limit."""
        while self._in_flight:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()

    async def _acquire(self, tenant: Tenant, deadline: float) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.full:
            # Without letting others run first: whoever has a slot goes straight on to a socket.
            self._in_flight += 1
            return
        if trio.current_time() + self._wait_s(tenant) > deadline:
            raise self._busy(tenant, "its turn would come too late")
        waiter = _Waiter(trio.lowlevel.current_task())
        displaced = self._queue.push(tenant, waiter, trio.current_time())
        if displaced is waiter:
            raise self._busy(tenant, "its queue is full")
        if displaced is not None:
            displaced.is_displaced = True
            trio.lowlevel.reschedule(displaced.task)

        def give_up(_: object) -> trio.lowlevel.Abort:
            self._queue.discard(waiter)
            return trio.lowlevel.Abort.SUCCEEDED

        # Once it has been rescheduled it is not cancelled any more: from here on the slot is its
        # own, and nothing may wait before the block has begun.
        await trio.lowlevel.wait_task_rescheduled(give_up)
        if waiter.is_displaced:
            raise self._busy(tenant, "its queue is full, and others have fewer in it")

    def _release(self, held_s: float) -> None:
        self._pace.held(trio.current_time(), held_s)
        waiter = self._queue.pop()
        if waiter is None:
            self._in_flight -= 1
            if self._idle is not None and self._in_flight == 0:
                self._idle.set()
                self._idle = None
        else:
            trio.lowlevel.reschedule(waiter.task)

    def _wait_s(self, tenant: Tenant) -> float:
        """How long it would probably take until it is a newcomer's turn; 0 if nobody can tell."""
        held_s = self._pace.held_s(trio.current_time())
        return 0.0 if held_s is None else self._queue.next_position(tenant) * held_s / self._slots

    def _busy(self, tenant: Tenant, detail: str) -> WorkerFailed:
        retry_after_s = min(max(self._wait_s(tenant), RETRY_AFTER_S_MIN), RETRY_AFTER_S_MAX)
        return WorkerFailed(self._worker, FailureKind.BUSY, detail, retry_after_s)


class _Lease:
    """A class: what `asynccontextmanager` costs would be paid by each request."""

    __slots__ = ("_acquire", "_release", "_since")

    def __init__(
        self, acquire: Callable[[], Awaitable[None]], release: Callable[[float], None]
    ) -> None:
        self._acquire = acquire
        self._release = release

    async def __aenter__(self) -> None:
        await self._acquire()
        self._since = trio.current_time()

    async def __aexit__(self, *_: object) -> None:
        self._release(trio.current_time() - self._since)
