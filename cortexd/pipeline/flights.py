"""The upstream calls in progress that others may join, by what is asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from cortexd.pipeline.exchange import ChatService
from cortexd.pipeline.flight import Flight

FINISH_S_MAX: Final = 1.0


class Flights:
    """The flights by key, and the nursery they are in, which outlives any one request."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._flights: dict[bytes, Flight] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Let flights begin, for the length of the block; those in progress at its end are cut."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                yield
            finally:
                self._nursery = None
                nursery.cancel_scope.cancel()

    @property
    def are_open(self) -> bool:
        """Whether flights can begin."""
        return self._nursery is not None

    def find(self, key: bytes) -> Flight | None:
        """The one that can be joined, if there is one."""
        flight = self._flights.get(key)
        return flight if flight is not None and flight.is_joinable else None

    async def begin(
        self,
        key: bytes,
        flight: Flight,
        inner: ChatService,
        keep: Callable[[Flight], object],
        finish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Begin a flight, and wait until the exchange that leads it is answered: see `lead`.

        `finish` is for what is left to do when nobody waits for it any more, however it ended; it
        has FINISH_S_MAX.
        """
        if self._nursery is None:
            raise AssertionError("flights begin only while they are open")
        self._flights[key] = flight
        self._nursery.start_soon(self._run, key, flight, inner, keep, finish)
        await flight.lead()

    async def _run(
        self,
        key: bytes,
        flight: Flight,
        inner: ChatService,
        keep: Callable[[Flight], object],
        finish: Callable[[], Awaitable[None]] | None,
    ) -> None:
        try:
            await flight.run(inner, keep)
        finally:
            # Another one may have taken its place.
            if self._flights.get(key) is flight:
                del self._flights[key]
            if finish is not None:
                with trio.move_on_after(FINISH_S_MAX, shield=True):
                    await finish()
