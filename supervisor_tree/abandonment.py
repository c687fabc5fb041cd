"""Ends a process whose tree cannot be stopped: the last resort, off by default."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from supervisor_tree.events import Event, StopRequested
from supervisor_tree.inspection import task_stack

if TYPE_CHECKING:
    from types import TracebackType

    from supervisor_tree.tree import Tree

EXIT_CODE: Final = 70  # EX_SOFTWARE


class Abandonment:
    """Gives a tree `after` seconds (None: for ever) from the request to stop until its end.

    The time is measured by a thread, so that it also passes while the event loop is blocked.
    """

    def __init__(
        self, tree: Tree, *, after: float | None, exit_process: Callable[[int], object] = os._exit
    ) -> None:
        self._tree = tree
        self._after = after
        self._exit_process = exit_process
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        if self._after is not None:
            self._tree.add_hook(self._notice)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _notice(self, event: Event) -> None:
        root = self._tree.root.path
        if isinstance(event, StopRequested) and event.path == root and self._after is not None:
            self._timer = threading.Timer(self._after, self._abandon)
            self._timer.daemon = True
            self._timer.start()

    def _abandon(self) -> None:
        try:
            incarnation = self._tree.root.incarnation
            if incarnation is not None and incarnation.task is not None:
                sys.stderr.write(task_stack(incarnation.task))
            faulthandler.dump_traceback(all_threads=True)
        finally:
            self._exit_process(EXIT_CODE)
