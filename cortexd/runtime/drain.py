"""How the data door closes: nobody new, a while for those inside, and over in time.

Stop taking, finish what runs, say so to those who could not finish, and only then cut.
"""

from collections.abc import Callable
from typing import Any

import trio

from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.flights import Flights
from cortexd.runtime.http_listener import HttpListener

LAST_WORDS_S = 2.0
"""How long before the end streams in flight get their error frame."""

LAST_WORDS_HURRIED_S = 0.2
"""The same when somebody has asked a second time."""


class Drain:
    """The node's order to stop, as everybody concerned sees it."""

    def __init__(self) -> None:
        self.ordered = trio.Event()
        self.hurried = trio.Event()

    def order(self) -> None:
        """Begin, or, when asked again, be done at once."""
        if self.ordered.is_set():
            self.hurried.set()
        self.ordered.set()


class DrainingDoor:
    """The data listener as a child of the tree, with the drain as its polite stop."""

    def __init__(
        self,
        make_listener: Callable[[], HttpListener],
        *,
        flights: Flights,
        drain: Drain,
        drain_s: float,
        cutoff: Cutoff,
    ) -> None:
        self._listener = make_listener()
        self._flights = flights
        self._drain = drain
        self._drain_s = drain_s
        self._cutoff = cutoff
        self._stopping = trio.Event()

    def request_stop(self) -> None:
        """Take no new connections, and begin to count the time."""
        self._stopping.set()
        self._listener.request_stop()

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Serve until stopped; back when the last connection is gone, in `drain_s` at most."""
        async with self._flights.open(), trio.open_nursery() as nursery:
            nursery.start_soon(self._end_in_time)
            await self._listener.run(task_status=task_status)
            nursery.cancel_scope.cancel()

    async def _end_in_time(self) -> None:
        await self._stopping.wait()
        with trio.move_on_after(max(0.0, self._drain_s - LAST_WORDS_S)):
            await self._drain.hurried.wait()
        self._cutoff.cut()
        with trio.move_on_after(LAST_WORDS_S):
            await self._drain.hurried.wait()
            await trio.sleep(LAST_WORDS_HURRIED_S)
        self._listener.abort_connections()
