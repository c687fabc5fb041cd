"""What happened in a tree, as values for logs, metrics and tests.

Rules of this file: an event is a frozen record; `time` is Trio's clock in seconds, `path` the place
in the tree (`root/pool`), `incarnation` counts the lives of that place from 1.
"""

from __future__ import annotations

import attrs

from supervisor_tree.exit_reason import Exit


@attrs.frozen(kw_only=True)
class _Happening:
    """When, where, and in which life."""

    time: float
    path: str
    incarnation: int


@attrs.frozen(kw_only=True)
class ChildStarting(_Happening):
    """A child's factory is about to be called."""


@attrs.frozen(kw_only=True)
class ChildStarted(_Happening):
    """The child reported itself ready, after `elapsed` seconds."""

    elapsed: float


@attrs.frozen(kw_only=True)
class ChildExited(_Happening):
    """The child has ended; exactly one follows each ChildStarting. `uptime` is 0 if never ready."""

    exit: Exit
    uptime: float


@attrs.frozen(kw_only=True)
class RestartScheduled(_Happening):
    """The child that ended with `exit` will be started again in `delay` seconds.

    `attempt` counts its failures in a row, `uptime` is how long it had been up.
    """

    delay: float
    attempt: int
    exit: Exit
    uptime: float


@attrs.frozen(kw_only=True)
class StartError(_Happening):
    """The child failed before it was ready."""

    error: BaseException


@attrs.frozen(kw_only=True)
class ShutdownError(_Happening):
    """The child failed while it was being stopped; the stop goes on."""

    error: BaseException


@attrs.frozen(kw_only=True)
class ChildStuck(_Happening):
    """The child ignores even its cancellation; `stack` shows where it waits.

    From now on it counts as ended: ChildExited follows, and nothing when it really ends.
    """

    stack: str


@attrs.frozen(kw_only=True)
class Escalated(_Happening):
    """The supervisor at `path` gave up and ends with `error`."""

    error: BaseException


@attrs.frozen(kw_only=True)
class StopRequested(_Happening):
    """The supervisor at `path` was told to stop, or decided so itself."""


@attrs.frozen(kw_only=True)
class MailboxFullEvent(_Happening):
    """The actor's mailbox has become full; senders now wait or are refused."""

    depth: int


@attrs.frozen(kw_only=True)
class DeadLetter(_Happening):
    """`count` messages without a reply were dropped; `method` names the first."""

    method: str
    count: int = 1


Event = (
    ChildStarting
    | ChildStarted
    | ChildExited
    | RestartScheduled
    | StartError
    | ShutdownError
    | ChildStuck
    | Escalated
    | StopRequested
    | MailboxFullEvent
    | DeadLetter
)
