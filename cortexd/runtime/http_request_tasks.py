"""One task for each request of a connection, and the way its body takes to it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import trio
from hypercorn.config import Config

from cortexd.http.guard import AsgiApp

# Named once: to subscript it anew costs as much as to open the channel.
_open_channel: Final = trio.open_memory_channel[Any]

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
        inlet, outlet = _open_channel(config.max_app_queue_size)
        presence = trio.CancelScope()
        self._nursery.start_soon(_run_app, app, scope, outlet, send, presence)

        async def put(event: Any) -> None:
            if event["type"] == "http.disconnect":
                presence.cancel()
                inlet.close()
                return
            # A body mostly fits, and is mostly there: then neither side need let others run first.
            with suppress(trio.BrokenResourceError):
                try:
                    inlet.send_nowait(event)
                except trio.WouldBlock:
                    await inlet.send(event)

        return put

    def spawn(self, func: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Part of Hypercorn's interface."""
        self._nursery.start_soon(func, *args)


async def _run_app(
    app: AsgiApp,
    scope: Any,
    outlet: trio.MemoryReceiveChannel[Any],
    send: Callable[[Any], Awaitable[None]],
    presence: trio.CancelScope,
) -> None:
    async def receive() -> Any:
        try:
            return outlet.receive_nowait()
        except trio.WouldBlock:
            pass
        except trio.EndOfChannel:
            return _DISCONNECT
        try:
            return await outlet.receive()
        except trio.EndOfChannel:
            return _DISCONNECT

    with outlet, presence:
        await app(scope, receive, send)
    await send(None)
