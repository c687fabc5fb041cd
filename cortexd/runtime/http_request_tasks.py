"""One task for each request of a connection, and the way its body takes to it."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from hypercorn.config import Config

from cortexd.http.guard import AsgiApp

_DISCONNECT: Final = {"type": "http.disconnect"}


class RequestTasks:
    """Runs the application once for each request, in the connection's nursery.

    Unlike in Hypercorn's own task group, telling the application that the client has left never
    waits, and an application that does not read its body does not block the connection. One whose
    client leaves is cancelled: nobody needs to watch for it.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def spawn_app(
        self, app: AsgiApp, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """Start the application on a request; returns where its body events go."""
        way = _BodyWay(config.max_app_queue_size)
        self._nursery.start_soon(_run_app, app, scope, way, send)
        return way.put

    def spawn(self, func: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Part of Hypercorn's interface."""
        self._nursery.start_soon(func, *args)


class _BodyWay:
    """The way of body events to the application, with room for `events_max`.

    A channel of Trio's would do, but costs more than all that passes through it: a body is mostly
    there as a whole, and then neither side has to wait. `presence` lasts as long as the client.
    """

    def __init__(self, events_max: int) -> None:
        self._events_max = events_max
        self._events: deque[Any] = deque()
        self._is_closed = False
        self._changes = trio.lowlevel.ParkingLot()
        self.presence = trio.CancelScope()

    async def put(self, event: Any) -> None:
        """Pass on an event; waits while there is no room, and drops what nobody will read."""
        if event["type"] == "http.disconnect":
            self.presence.cancel()
            self.close()
            return
        while len(self._events) >= self._events_max and not self._is_closed:
            await self._changes.park()
        if not self._is_closed:
            self._events.append(event)
            self._changes.unpark_all()

    async def receive(self) -> Any:
        """The next event, when it is there."""
        while not self._events:
            if self._is_closed:
                return _DISCONNECT
            await self._changes.park()
        self._changes.unpark_all()
        return self._events.popleft()

    def close(self) -> None:
        """Nothing more comes, or nobody reads any more."""
        self._is_closed = True
        self._changes.unpark_all()


async def _run_app(
    app: AsgiApp, scope: Any, way: _BodyWay, send: Callable[[Any], Awaitable[None]]
) -> None:
    try:
        with way.presence:
            await app(scope, way.receive, send)
    finally:
        way.close()
    await send(None)
