"""Everything that can go wrong in a supervision tree, each saying who has to do what.

Rules of this file: no tasks, no clock; an error carries data, never a live child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supervisor_tree.actor_ref import ActorRef
    from supervisor_tree.exit_reason import Exit
    from supervisor_tree.restart_intensity import Failure


class SupervisionError(Exception):
    """Root of all errors raised by this package."""


class InvalidSpec(SupervisionError, ValueError):
    """A child spec or a supervisor's settings make no sense. Raised before anything starts."""


class StartFailed(SupervisionError):
    """A child did not come up; `__cause__` says why, and is None where it ended silently.

    Whatever had been started before it has been stopped again.
    """

    def __init__(self, child_id: str, why: str) -> None:
        super().__init__(f"child {child_id!r} did not start: {why}")
        self.child_id = child_id

    @property
    def root_cause(self) -> BaseException:
        """The exception at the far end of a chain of nested supervisors."""
        error: BaseException = self
        while isinstance(error, StartFailed) and error.__cause__ is not None:
            error = error.__cause__
        return error


class RestartIntensityExceeded(SupervisionError):
    """A supervisor gave up: its children fail faster than it may restart them.

    `history` holds the failures inside the window, oldest first; `__cause__` is the last crash.
    """

    def __init__(self, supervisor: str, child_id: str, history: Sequence[Failure]) -> None:
        super().__init__(
            f"supervisor {supervisor!r} gave up on child {child_id!r}"
            f" ({len(history)} failures within the window)"
        )
        self.supervisor = supervisor
        self.child_id = child_id
        self.history: tuple[Failure, ...] = tuple(history)


class SupervisorDown(SupervisionError):
    """The supervisor was never started, is stopping or has ended: it takes no requests."""


class WouldDeadlock(SupervisionError):
    """The request could only be served after the child that makes it has moved on."""


class MaxChildren(SupervisionError):
    """The supervisor runs as many children as it may; try again when one has ended."""


class TaskFailed(SupervisionError):
    """A supervised task ended without a result; `__cause__` is its exception, if it had one."""


class AlreadyRegistered(SupervisionError):
    """Somebody else owns that unique name: `existing`."""

    def __init__(self, key: object, existing: ActorRef[Any]) -> None:
        super().__init__(f"{key!r} is registered already")
        self.key = key
        self.existing = existing


class ChildError(SupervisionError):
    """The request does not fit the state in which the child is."""


class ChildNotFound(ChildError, LookupError):
    """This supervisor has no such child."""


class ChildRunning(ChildError):
    """The child runs; terminate it first."""


class ChildRestarting(ChildError):
    """The child is between two restarts; terminate it first, or wait."""


class AlreadyStarted(ChildError):
    """A child with that id runs: `ref`."""

    def __init__(self, child_id: str, ref: ActorRef[Any]) -> None:
        super().__init__(f"child {child_id!r} has been started already")
        self.ref = ref


class AlreadyPresent(ChildError):
    """A child with that id exists but does not run: `ref`. Restart or delete it."""

    def __init__(self, child_id: str, ref: ActorRef[Any]) -> None:
        super().__init__(f"child {child_id!r} is present but not running")
        self.ref = ref


class CallFailed(SupervisionError):
    """A message got no answer. The receiver may or may not have acted on it."""


class NoProc(CallFailed):
    """Nobody is there: stopped for good, never started, or the name is unknown."""


class ActorDied(CallFailed):
    """The actor ended before it replied; `__cause__` is its crash, if it crashed."""

    def __init__(self, path: str, incarnation: int, exit: Exit) -> None:  # noqa: A002  # the contract's name
        super().__init__(f"{path} (incarnation {incarnation}) ended before it replied: {exit}")
        self.exit = exit
        self.incarnation = incarnation
        self.__cause__: BaseException | None = exit.error


class ActorStopped(CallFailed):
    """The actor was asked to stop before it came to this message, which it never saw."""


class MailboxFull(CallFailed):
    """The receiver is behind by a whole mailbox; the cast was not queued."""


class CallTimeout(CallFailed, trio.TooSlowError):
    """No reply within the receiver's `call_timeout`; a late one is discarded."""


class CallCycle(CallFailed):
    """The receiver waits, directly or through others, for the very handler that calls it."""


class ReplyError(Exception):
    """Base of errors that are answers: raised by a handler, they reach its caller only."""


class Shutdown(Exception):
    """Raised by a service to end in good order: a restart for permanent children only."""


class Ignore(Exception):
    """Raised by a service before it is ready to decline being started; that is no error."""
