"""Starts and stops single children in a supervisor's nursery, and captures their crashes.

Knows nothing of strategies: a child that ends is reported to `on_exit`, one that is about to be
stopped to `on_stop`, and the supervisor decides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from supervisor_tree.crash_capture import capture_crash
from supervisor_tree.errors import AlreadyRegistered, StartFailed
from supervisor_tree.events import (
    ChildExited,
    ChildStarted,
    ChildStarting,
    ChildStuck,
    ShutdownError,
    StartError,
)
from supervisor_tree.exit_reason import EXIT_CHARACTERS_MAX, ExitKind, PastExit
from supervisor_tree.incarnation import Incarnation, current_incarnation
from supervisor_tree.inspection import task_stack
from supervisor_tree.service import SupervisorService
from supervisor_tree.slot import ChildState, Slot


class ChildRunner:
    """The hands of one supervisor; `kill_grace` is how long a killed child may take, in seconds.

    `on_fatal` is told what must not be treated as a crash: KeyboardInterrupt and SystemExit.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        kill_grace: float,
        on_stop: Callable[[Incarnation], None],
        on_exit: Callable[[Incarnation], None],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._nursery = nursery
        self._kill_grace = kill_grace
        self._on_stop = on_stop
        self._on_exit = on_exit
        self._on_fatal = on_fatal
        self._starting: Incarnation | None = None

    async def start(self, slot: Slot) -> StartFailed | None:
        """Start a new incarnation and wait until it is ready, or has failed to become so.

        None means that it was ready, or that it declined; the slot's latest exit tells.
        """
        if slot.spec is None:  # pragma: no cover  # removed slots are not started
            raise AssertionError(f"{slot.path} has no spec")
        try:
            incarnation = slot.begin(on_ready=_note_ready, on_killed=self._note_killed)
        except AlreadyRegistered as error:
            return _start_failed(slot, "its name is taken", error)
        slot.tree.emit(ChildStarting, slot, incarnation=incarnation.number)
        self._starting = incarnation
        self._nursery.start_soon(self._run_child, incarnation, name=slot.path)
        timeout = slot.spec.start_timeout
        with trio.move_on_after(timeout) as limit:
            await incarnation.settled.wait()
        self._starting = None
        if incarnation.is_ready:
            return None
        if incarnation.is_alive:
            await self.stop(incarnation)
            if limit.cancelled_caught:
                too_slow = trio.TooSlowError(f"not ready within {timeout} s")
                return _start_failed(slot, str(too_slow), too_slow)
            return _start_failed(slot, "its start was cancelled", None)
        return _why_not_started(slot)

    def abort_start(self) -> None:
        """Give up on the child that is being started, if there is one."""
        if self._starting is not None:
            self._starting.settled.set()

    async def stop(self, incarnation: Incarnation) -> None:
        """Stop a child: ask, wait, cancel, wait. Returns even if the child is stuck for ever."""
        if not incarnation.is_alive or incarnation.slot.spec is None:
            return
        slot, time_limit = incarnation.slot, incarnation.slot.spec.shutdown
        incarnation.stop_ordered = True
        slot.announce()
        self._on_stop(incarnation)
        if time_limit > 0 and _ask_to_stop(incarnation):
            with trio.move_on_after(time_limit):
                await incarnation.done.wait()
        incarnation.kill()
        await incarnation.done.wait()

    def _note_killed(self, incarnation: Incarnation) -> None:
        self._nursery.start_soon(self._give_up_on, incarnation, name=f"{incarnation.slot.path} end")

    async def _give_up_on(self, incarnation: Incarnation) -> None:
        """Give a killed child its time to end, then go on without it, whoever has killed it."""
        with trio.move_on_after(self._kill_grace):
            await incarnation.done.wait()
        if incarnation.is_alive and incarnation.task is not None:
            # Nothing more can be done: the nursery will wait for it, nobody else need.
            slot, stack = incarnation.slot, task_stack(incarnation.task)
            slot.tree.emit(ChildStuck, slot, incarnation=incarnation.number, stack=stack)
            self._conclude(incarnation)

    async def _run_child(self, incarnation: Incarnation) -> None:
        incarnation.task = trio.lowlevel.current_task()
        current_incarnation.set(incarnation)

        def record(crash: BaseException) -> None:
            incarnation.error = crash

        try:
            with incarnation.scope:
                await capture_crash(partial(_serve, incarnation), record)
        except trio.Cancelled:
            incarnation.killed = True
            raise
        except BaseException as error:  # noqa: BLE001  # re-raised by the supervisor, after an ordered stop
            cancelled, fatal = _split_cancelled(error)
            if fatal is not None:
                incarnation.error = fatal
                self._on_fatal(fatal)
            if cancelled is not None:
                incarnation.killed = True
                raise cancelled from None
        finally:
            if incarnation.is_alive:
                self._conclude(incarnation)

    def _conclude(self, incarnation: Incarnation) -> None:
        slot = incarnation.slot
        number, uptime = incarnation.number, incarnation.uptime(trio.current_time())
        exit = incarnation.conclude()  # noqa: A001  # the glossary's word
        if slot.incarnation is incarnation:
            slot.last_exit = exit
        slot.past_exits.append(
            PastExit(
                time=incarnation.ended_at,
                incarnation=number,
                uptime=uptime,
                exit=str(exit)[:EXIT_CHARACTERS_MAX],
            )
        )
        slot.tree.emit(ChildExited, slot, incarnation=number, exit=exit, uptime=uptime)
        if incarnation.stop_ordered and exit.error is not None and exit.abnormal:
            slot.tree.emit(ShutdownError, slot, incarnation=number, error=exit.error)
        self._on_exit(incarnation)


async def _serve(incarnation: Incarnation) -> None:
    slot = incarnation.slot
    if slot.spec is None:  # pragma: no cover  # removed slots are not started
        raise AssertionError(f"{slot.path} has no spec")
    incarnation.service = slot.spec.start()
    slot.learn_kind(is_supervisor=isinstance(incarnation.service, SupervisorService))
    await incarnation.service.run(task_status=incarnation)


def _note_ready(incarnation: Incarnation) -> None:
    slot = incarnation.slot
    elapsed = trio.current_time() - incarnation.began_at
    if slot.incarnation is incarnation:
        slot.enter(ChildState.RUNNING)
    slot.tree.emit(ChildStarted, slot, incarnation=incarnation.number, elapsed=elapsed)


def _ask_to_stop(incarnation: Incarnation) -> bool:
    """Ask politely; false means that the service cannot even be asked."""
    if not incarnation.is_ready:
        incarnation.scope.cancel(reason="stopped before it was ready")
        return True
    try:
        incarnation.request_stop()
    except Exception as error:  # noqa: BLE001  # a crash of the service, in the supervisor's task
        slot = incarnation.slot
        slot.tree.emit(ShutdownError, slot, incarnation=incarnation.number, error=error)
        return False
    return True


def _why_not_started(slot: Slot) -> StartFailed | None:
    if slot.last_exit is None:  # pragma: no cover  # it has ended, so there is an exit
        raise AssertionError(f"{slot.path} has no exit")
    if slot.last_exit.kind is ExitKind.IGNORED:
        return None
    error = slot.last_exit.error
    why = "exited before started" if error is None else repr(error)
    return _start_failed(slot, why, error)


def _start_failed(slot: Slot, why: str, cause: BaseException | None) -> StartFailed:
    failed = StartFailed(slot.key if slot.spec is None else slot.spec.id, why)
    failed.__cause__ = cause
    slot.tree.emit(StartError, slot, incarnation=slot.incarnations, error=cause or failed)
    return failed


def _split_cancelled(
    error: BaseException,
) -> tuple[BaseException | None, BaseException | None]:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return None, error
