"""Samples the node while it is under test. Switched off, it does nothing at all."""

from collections.abc import Callable
from typing import TypeAlias

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.policy.load_monitor import LoadReading, LoadRun, advanced, begun, ended
from supervisor_tree import Actor, Name, ReplyError, Timer

LoadBoard: TypeAlias = Published[LoadRun | None]
"""The present run, or the one that was last; `None` before the first."""


class AlreadyRunning(ReplyError):
    """There is a run already."""


class NeverStarted(ReplyError):
    """There was no run yet, so that there is nothing to stop."""


@attrs.frozen(kw_only=True, eq=False)
class LoadMonitorParts:
    """What the monitor works with; all of it outlives the monitor. `read` never waits."""

    board: LoadBoard
    read: Callable[[], LoadReading]


class LoadMonitor(Actor):
    """Owns no sample: the run is published, and an incarnation goes on with what it finds."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: LoadMonitorParts) -> None:
        self._parts = parts
        self._timer: Timer | None = None

    async def on_start(self) -> None:
        """Go on with a run that the incarnation before has begun."""
        self._wait_for_next()

    async def start_run(self, interval_s: float, duration_s: float) -> LoadRun:
        """Begin a run, which takes the place of the last one. Errors: `AlreadyRunning`."""
        run = self._parts.board.value
        if run is not None and run.is_running:
            raise AlreadyRunning("the load monitor is running already; stop it first")
        run = begun(self._parts.read(), interval_s=interval_s, duration_s=duration_s)
        self._publish(run)
        return run

    async def stop_run(self) -> LoadRun:
        """End the run; one that has ended by itself stays as it is. Errors: `NeverStarted`."""
        run = self._parts.board.value
        if run is None:
            raise NeverStarted("the load monitor has not been started")
        if run.is_running:
            run = ended(run, self._parts.read())
            self._publish(run)
        return run

    async def take_sample(self) -> None:
        """Measure and publish."""
        run = self._parts.board.value
        if run is not None and run.is_running:
            self._publish(advanced(run, self._parts.read()))

    def _publish(self, run: LoadRun) -> None:
        self._parts.board.publish(run)
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        run = self._parts.board.value
        if run is not None and run.is_running:
            self._timer = self.send_after(
                run.next_in_s(trio.current_time()), LoadMonitor.take_sample
            )


LOAD_MONITOR = Name[LoadMonitor]("load-monitor")
