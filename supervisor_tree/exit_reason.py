"""How a child ended.

Rules of this file: no clock, no tasks; exceptions come in as values.
"""

from __future__ import annotations

import enum
from typing import Final, TypeVar

import attrs

from supervisor_tree.errors import Ignore, Shutdown

_E = TypeVar("_E", bound=BaseException)

EXIT_CHARACTERS_MAX: Final = 500


@enum.unique
class ExitKind(enum.StrEnum):
    """The five ways in which a child can end."""

    NORMAL = "normal"  # returned
    SHUTDOWN = "shutdown"  # stopped by its supervisor, or raised Shutdown
    CRASHED = "crashed"
    KILLED = "killed"  # cancelled without being asked first
    IGNORED = "ignored"  # declined to start


@attrs.frozen
class Exit:
    """The end of one incarnation: how, and the exception behind it, where there was one."""

    kind: ExitKind
    error: BaseException | None = None

    @property
    def abnormal(self) -> bool:
        """Whether this is a failure, which transient children are restarted after."""
        return self.kind in {ExitKind.CRASHED, ExitKind.KILLED}

    def __str__(self) -> str:
        return self.kind.value if self.error is None else f"{self.kind.value}: {self.error!r}"


@attrs.frozen(kw_only=True)
class PastExit:
    """The end of one incarnation as it is remembered: in words, since errors hold on to memory.

    `time` is Trio's clock in seconds; `uptime` is 0 for one that was never ready. `exit` is cut at
    `EXIT_CHARACTERS_MAX`.
    """

    time: float
    incarnation: int
    uptime: float
    exit: str


def unwrap(error: _E) -> _E | BaseException:
    """Take single exceptions out of their groups: nurseries wrap, readers should not have to."""
    unwrapped: BaseException = error
    while isinstance(unwrapped, BaseExceptionGroup) and len(unwrapped.exceptions) == 1:
        unwrapped = unwrapped.exceptions[0]
    return unwrapped


@attrs.frozen(kw_only=True)
class Circumstances:
    """What is known about an incarnation at the moment it ends."""

    error: BaseException | None
    ready: bool
    killed: bool
    stop_ordered: bool


def conclude(found: Circumstances) -> Exit:
    """Name the way in which a child ended; an order to stop excuses no crash."""
    if found.killed:
        return Exit(ExitKind.KILLED, found.error)
    if isinstance(found.error, Ignore) and not found.ready:
        return Exit(ExitKind.IGNORED, found.error)
    if isinstance(found.error, Shutdown):
        return Exit(ExitKind.SHUTDOWN, found.error)
    if found.error is not None:
        return Exit(ExitKind.CRASHED, found.error)
    return Exit(ExitKind.SHUTDOWN if found.stop_ordered else ExitKind.NORMAL)
