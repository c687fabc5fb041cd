"""An engine that runs only while it is needed here.

It is not where another node of the cluster runs the same one. It is started at once when that node
is gone, or when this node knows nothing of others any more; and by the first request that comes to
it all the same. So no node is ever without its model: at worst it takes as long as loading it. Nor
is it needed where its worker has been removed: its memory is free a minute later.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from cortexd.providers.embedded.engine import EmbeddedEngine, EngineDied
from cortexd.providers.embedded.engine_address import EngineAddress

UNUSED_S_MAX: Final = 60.0
"""For so long an engine that is not needed any more stays, unused, before it goes to rest."""

LOOK_S: Final = 1.0


@attrs.frozen(kw_only=True)
class Duty:
    """Whether this node is to run the engine. `wait_needed` returns at once while it is."""

    is_needed: Callable[[], bool]
    wait_needed: Callable[[], Awaitable[object]]


class StandbyEngine:
    """A service that runs engines, one after the other, with rests between; see `EmbeddedEngine`.

    `make` gives a new engine, which publishes where it listens in `address`.
    """

    def __init__(
        self, make: Callable[[], EmbeddedEngine], address: EngineAddress, duty: Duty
    ) -> None:
        self._make = make
        self._address = address
        self._duty = duty
        self._stop = trio.CancelScope()

    def request_stop(self) -> None:
        """End the engine, and with it `run()`; harmless if repeated."""
        self._stop.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run an engine whenever one is needed, until stopped. Errors: `EngineDied`."""
        with self._stop:
            task_status.started()
            while True:
                if not self._duty.is_needed():
                    await self._rest()
                await self._serve()

    async def _rest(self) -> None:
        self._address.rest()
        async with trio.open_nursery() as waiting:
            for wait in (self._duty.wait_needed, self._address.wait_called):
                waiting.start_soon(_wait_then_cancel, wait, waiting.cancel_scope)

    async def _serve(self) -> None:
        engine, death = self._make(), None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_to_rest, engine)
            try:
                await engine.run()
            except EngineDied as error:
                death = error
            nursery.cancel_scope.cancel()
        if death is not None:
            raise death

    async def _send_to_rest(self, engine: EmbeddedEngine) -> None:
        """Stop it when it has been of no use for a while."""
        needed_at = trio.current_time()
        while True:
            await trio.sleep(LOOK_S)
            now = trio.current_time()
            if self._duty.is_needed():
                needed_at = now
            elif now >= max(needed_at, self._address.used_at) + UNUSED_S_MAX:
                # At once, not when it has ended: it takes a while, and nobody may meet it then.
                self._address.rest()
                engine.request_stop()
                return


async def _wait_then_cancel(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await wait()
    scope.cancel()
