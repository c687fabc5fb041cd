"""What all supervisors share: one nursery, one serial driver, an ordered end.

Everything that changes the set of children happens in the driver, one thing after the other: exits
of children, requests, restarts that are due. Everybody else only posts to its inbox.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.child_runner import ChildRunner
from supervisor_tree.child_spec import Restart
from supervisor_tree.errors import SupervisorDown, WouldDeadlock
from supervisor_tree.events import Escalated, StopRequested
from supervisor_tree.exit_reason import unwrap
from supervisor_tree.inbox import Inbox
from supervisor_tree.incarnation import Incarnation
from supervisor_tree.request import Request, incarnations_around
from supervisor_tree.restart_plan import Verdict, ends_supervisor, verdict
from supervisor_tree.restarter import Restarter
from supervisor_tree.root import run_root
from supervisor_tree.service import SupervisorService
from supervisor_tree.slot import ChildInfo, ChildState, Counts, Slot
from supervisor_tree.supervisor_policy import Policy
from supervisor_tree.tree import Tree


class BaseSupervisor(SupervisorService):
    """The driver. Subclasses say which children there are and what may be requested."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._slot: Slot | None = None  # while running
        self._runner: ChildRunner | None = None
        self._restarter: Restarter | None = None
        self._intensity = policy.intensity()
        self._shield = trio.CancelScope(shield=True)
        self._inbox = Inbox()
        self._stopping = False
        self._failure: BaseException | None = None

    # --- life

    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children in order, report started (with this object), and supervise them.

        Ends after `request_stop()`, an auto-shutdown, or a cancellation, when all children have
        been stopped in order; cancellation does not hurry that beyond their shutdown times. Outside
        of another supervisor this is the root of a tree of its own.

        Errors: StartFailed, RestartIntensityExceeded: bare, never in a group.
        """
        if not isinstance(task_status, Incarnation):
            await run_root(self, Tree(), task_status)
            return
        if self._slot is not None:
            raise RuntimeError("this supervisor is running already")
        self._reset(task_status)
        try:
            await self._live(task_status)
        finally:
            self._leave(task_status)
        if self._failure is not None:
            raise self._failure

    def request_stop(self) -> None:
        """Ask for an orderly end. Returns at once; asking again changes nothing."""
        if self._slot is None or self._stopping:
            return
        self._stopping = True
        self._emit(StopRequested)
        self._inbox.refuse(SupervisorDown, "the supervisor is stopping")
        if self._runner is not None:
            self._runner.abort_start()
        self._inbox.wake()

    async def _live(self, incarnation: Incarnation) -> None:
        incarnation.on_kill = self._kill
        try:
            async with trio.open_nursery() as outer:
                outer.start_soon(self._turn_cancel_into_stop)
                # The children do not see a cancellation: they are stopped in order because of it.
                # Every wait inside is bounded by their shutdown times.
                with self._shield:
                    await self._supervise(incarnation)
                outer.cancel_scope.cancel(reason="the supervisor has ended")
        except BaseExceptionGroup as group:
            raise unwrap(group) from None

    async def _supervise(self, incarnation: Incarnation) -> None:
        async with trio.open_nursery() as nursery:
            self._runner = ChildRunner(
                nursery,
                kill_grace=self._policy.kill_grace,
                on_stop=self._refuse_requests_from,
                on_exit=self._inbox.post,
                on_fatal=self._give_up,
            )
            self._restarter = Restarter(
                incarnation.slot,
                self._runner,
                strategy=self._policy.strategy,
                intensity=self._intensity,
                is_stopping=lambda: self._stopping,
                retire=self._retire,
            )
            try:
                await self._start_children(self._runner)
                if not self._stopping:
                    incarnation.started(self)
                await self._drive(self._runner, self._restarter)
            finally:
                self.request_stop()
                await self._stop_children(self._runner)

    async def _turn_cancel_into_stop(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.request_stop()

    def _kill(self) -> None:
        """Cancel all children at once, without order; called when this supervisor is killed."""
        self.request_stop()
        if self._slot is not None:
            for child in self._slot.children.values():
                if child.incarnation is not None:
                    child.incarnation.kill()
        self._shield.cancel(reason="killed")

    def _reset(self, incarnation: Incarnation) -> None:
        self._slot = incarnation.slot
        self._intensity = self._policy.intensity()
        self._shield = trio.CancelScope(shield=True)
        self._inbox = Inbox()
        self._stopping = False
        self._failure = None

    def _leave(self, incarnation: Incarnation) -> None:
        self._inbox.refuse(SupervisorDown, "the supervisor has ended")
        # One that was given up on leaves late, and the children may be its successor's by then.
        if incarnation.slot.incarnation is incarnation:
            for child in tuple(incarnation.slot.children.values()):
                if child.is_static:
                    child.halt()
                else:
                    child.remove()
        self._slot = self._runner = self._restarter = None

    # --- to be said by subclasses

    async def _start_children(self, runner: ChildRunner) -> None:
        """Start the children this supervisor begins with."""

    async def _stop_children(self, runner: ChildRunner) -> None:
        """Stop the last one first, each after the other."""
        if self._slot is not None:
            for child in reversed(tuple(self._slot.children.values())):
                if child.incarnation is not None:
                    await runner.stop(child.incarnation)
                child.halt()

    # --- the driver

    async def _drive(self, runner: ChildRunner, restarter: Restarter) -> None:
        while not self._stopping:
            if self._inbox:
                await self._handle_next(runner, restarter)
            elif restarter.next_due <= trio.current_time():
                # Whoever has something to say gets a chance before each attempt.
                await trio.lowlevel.checkpoint()
                if not self._inbox:
                    await self._retry(restarter)
            else:
                until = min(restarter.next_due, self._intensity.expires_at)
                await self._inbox.wait_arrival(until=until)
                self._intensity.forget(now=trio.current_time())

    async def _handle_next(self, runner: ChildRunner, restarter: Restarter) -> None:
        # A method of its own, so that no variable of the idle driver keeps a dead child alive.
        item = self._inbox.take()
        if isinstance(item, Request):
            await item.perform(runner.abort_start)
        else:
            await self._handle_exit(item, restarter)

    async def _retry(self, restarter: Restarter) -> None:
        slot = restarter.due(now=trio.current_time())
        if slot is not None and not self._stopping:
            self._escalate(await restarter.attempt(slot))

    async def _handle_exit(self, incarnation: Incarnation, restarter: Restarter) -> None:
        slot, spec, ended = incarnation.slot, incarnation.slot.spec, incarnation.exit
        if slot.incarnation is not incarnation or slot.state is not ChildState.RUNNING:
            return  # stopped or replaced in the meantime
        if spec is None or ended is None:  # pragma: no cover  # running slots have both
            raise AssertionError(f"{slot.path} has no spec or no exit")
        if verdict(spec.restart, ended) is Verdict.RESTART:
            uptime = incarnation.uptime(incarnation.ended_at)
            self._escalate(await restarter.failed(slot, ended, uptime))
            return
        self._retire(slot)
        if spec.significant and ends_supervisor(
            self._policy.auto_shutdown, significant_left=self._count_significant()
        ):
            self._shut_down_by_itself()

    def _retire(self, slot: Slot) -> None:
        """Deal with a child that has ended and will not be restarted."""
        temporary = slot.spec is not None and slot.spec.restart is Restart.TEMPORARY
        if temporary or not self._policy.keeps_stopped:
            slot.remove()
        else:
            slot.halt()

    def _count_significant(self) -> int:
        return sum(
            child.spec is not None
            and child.spec.significant
            and child.state is not ChildState.STOPPED
            for child in self._running_slot().children.values()
        )

    def _shut_down_by_itself(self) -> None:
        incarnation = self._running_slot().incarnation
        if incarnation is not None:
            incarnation.shut_down_by_itself = True
        self.request_stop()

    def _escalate(self, error: BaseException | None) -> None:
        if error is not None and not self._stopping:
            self._emit(Escalated, error=error)
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        """Stop in order, then raise `error`; the first one wins."""
        if self._failure is None:
            self._failure = error
        self.request_stop()

    # --- requests

    async def _ask(
        self,
        operation: Callable[[], Awaitable[Any]],
        *,
        rolls_back: bool = False,
        waits_for: Slot | None = None,
    ) -> Any:
        """Have the driver do something; `waits_for` is the child whose end that includes."""
        slot = self._running_slot()
        if self._stopping:
            # Where requester and supervisor are cancelled together, Cancelled is the answer.
            await trio.lowlevel.checkpoint_if_cancelled()
            raise SupervisorDown(f"{slot.path} is stopping")
        for incarnation in incarnations_around():
            is_child = incarnation.slot.parent is slot and incarnation.is_alive
            if is_child and (not incarnation.is_ready or incarnation.stop_ordered):
                raise WouldDeadlock(f"{slot.path} waits for {incarnation.slot.path} itself")
            if incarnation.slot is waits_for:
                raise WouldDeadlock(f"{incarnation.slot.path} cannot wait for its own end")
        request = Request(operation, rolls_back=rolls_back)
        self._inbox.post(request)
        return await request.wait()

    async def _start_on_request(self, slot: Slot, *, forget: bool) -> ActorRef[Any]:
        """Start a child for somebody who waits; `forget` removes it if that fails."""
        if self._runner is None:  # pragma: no cover  # requests are performed by the driver
            raise AssertionError("requests are performed while running")
        ref = slot.ref()
        error = await self._runner.start(slot)
        if error is not None:
            if forget:
                slot.remove()
            else:
                slot.halt()
            if self._stopping:
                raise SupervisorDown("the supervisor is stopping") from error
            raise error
        if slot.state is ChildState.STARTING:
            self._retire(slot)  # it declined
        return ref

    async def _stop_on_request(self, slot: Slot) -> None:
        """Stop a child for somebody who waits, or give up restarting it."""
        if self._runner is None or self._restarter is None:  # pragma: no cover  # as above
            raise AssertionError("requests are performed while running")
        self._restarter.forget(slot)
        if slot.incarnation is not None:
            await self._runner.stop(slot.incarnation)

    def _refuse_requests_from(self, incarnation: Incarnation) -> None:
        """Free a child that is to stop from waiting for its turn, which would come too late."""
        if not self._stopping:  # otherwise all have been refused already
            why = f"{incarnation.slot.path} is being stopped"
            self._inbox.refuse_from(incarnation, WouldDeadlock, why)

    def _running_slot(self) -> Slot:
        if self._slot is None:
            raise SupervisorDown("the supervisor is not running")
        return self._slot

    def _emit(self, event: Callable[..., Any], **more: Any) -> None:
        if self._slot is not None:
            number = self._slot.incarnations
            self._slot.tree.emit(event, self._slot, incarnation=number, **more)

    # --- reading

    def which_children(self) -> list[ChildInfo]:
        """List the children in start order. Errors: SupervisorDown."""
        return [
            ChildInfo(child.spec.id, child.state, child.ref(), child.spec)
            for child in self._running_slot().children.values()
            if child.spec is not None
        ]

    def count_children(self) -> Counts:
        """Count the children. Errors: SupervisorDown."""
        children = self._running_slot().children.values()
        supervisors = sum(child.is_supervisor for child in children)
        return Counts(
            specs=len(children),
            active=sum(child.state is ChildState.RUNNING for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )
