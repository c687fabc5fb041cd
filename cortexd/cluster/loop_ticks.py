"""Limits that do not take this node's own slowness for that of another server.

A burst of requests keeps the event loop from running anything for longer than a call may take. The
answer has then come in, but nobody has looked. So time is counted in ticks, each of which comes
once in a while and after the loop has looked at all sockets: on a node that is not busy they are
TICK_S long, and on one that is, as long as its own requests make them.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

TICK_S: Final = 0.01

STRETCH_MAX: Final = 20
"""Nothing takes so many times its limit, however busy the node is."""


class LoopTicks:
    """Ticks while there is anything to limit, as long as `run` runs."""

    def __init__(self) -> None:
        self._left: dict[trio.CancelScope, int] = {}
        self._begun = trio.Event()

    @contextmanager
    def limit(self, limit_s: float) -> Iterator[None]:
        """Cancel what the block does after so many ticks, as `trio.move_on_after` would."""
        scope = trio.CancelScope(deadline=trio.current_time() + STRETCH_MAX * limit_s)
        # The first tick may come at once.
        self._left[scope] = math.ceil(limit_s / TICK_S) + 1
        self._begun.set()
        try:
            with scope:
                yield
        finally:
            del self._left[scope]

    async def run(self) -> None:
        """Tick, until cancelled."""
        while True:
            await self._begun.wait()
            self._begun = trio.Event()
            while self._left:
                await trio.sleep(TICK_S)
                for scope in self._left:
                    self._left[scope] -= 1
                    if self._left[scope] <= 0:
                        scope.cancel()
