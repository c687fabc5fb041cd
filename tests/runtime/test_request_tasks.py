"""The way of a request's body to the application: in order, bounded, and open at both ends."""

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs
import trio
import trio.testing
from hypercorn.config import Config

from cortexd.http.guard import AsgiApp, Receive, Scope, Send
from cortexd.runtime.http_request_tasks import RequestTasks

ROOM = 3

Put: TypeAlias = Callable[[Any], Awaitable[None]]


class Piece(dict[str, object]):
    """One of which it can be seen whether somebody still has it."""


def _piece(number: int) -> dict[str, object]:
    return {"type": "http.request", "body": b"%d" % number, "more_body": True}


@attrs.define(eq=False)
class Reader:
    """An application that reads when it is told to, and ends when it is told to."""

    may_read: trio.Event = attrs.Factory(trio.Event)
    may_end: trio.Event = attrs.Factory(trio.Event)
    read: list[Any] = attrs.Factory(list)
    was_cancelled: bool = False

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        try:
            await self.may_read.wait()
            with trio.CancelScope() as reading:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, receive)
                    await self.may_end.wait()
                    reading.cancel()
        except trio.Cancelled:
            self.was_cancelled = True
            raise

    async def _read(self, receive: Receive) -> None:
        while True:
            event = await receive()
            self.read.append(event)
            if event["type"] == "http.disconnect":
                return


@asynccontextmanager
async def _request(app: AsgiApp, ends: list[Any]) -> AsyncIterator[Put]:
    config = Config()
    config.max_app_queue_size = ROOM

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        ends.append(message)

    async with trio.open_nursery() as nursery:
        tasks = RequestTasks(nursery)
        yield await tasks.spawn_app(app, config, {"type": "http"}, send)
        nursery.cancel_scope.deadline = trio.current_time() + 5.0


async def _put_all(put: Put, put_ones: list[int], count: int) -> None:
    for number in range(count):
        await put(_piece(number))
        put_ones.append(number)


async def _bring_too_much(put: Put, app: Reader) -> None:
    """Bring more than there is room for; the application does not look before that is seen."""
    brought: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_put_all, put, brought, 10)
        await trio.testing.wait_all_tasks_blocked()
        assert brought == [0, 1, 2]
        app.may_read.set()
    assert brought == list(range(10))
    await trio.testing.wait_all_tasks_blocked()


async def test_what_is_not_read_yet_is_bounded() -> None:
    """Whoever brings more waits until there is room, and all of it comes in order."""
    app, ends = Reader(), list[Any]()
    async with _request(app, ends) as put:
        await _bring_too_much(put, app)
        assert app.read == [_piece(number) for number in range(10)]
        app.may_end.set()
    assert (ends, app.was_cancelled) == ([None], False)


async def test_an_application_that_has_ended_holds_up_nobody() -> None:
    """What it has not read is of no use to anybody any more."""
    app, ends = Reader(), list[Any]()
    app.may_end.set()
    async with _request(app, ends) as put:
        await _bring_too_much(put, app)
        piece = Piece(_piece(10))
        await put(piece)
        kept = weakref.ref(piece)
        del piece
        assert kept() is None
    assert ends == [None]


async def test_a_client_that_leaves_takes_its_request_along() -> None:
    """Nothing waits for that, also where there is no room."""
    app, ends, brought = Reader(), list[Any](), list[int]()
    async with _request(app, ends) as put, trio.open_nursery() as nursery:
        nursery.start_soon(_put_all, put, brought, 10)
        await trio.testing.wait_all_tasks_blocked()
        await put({"type": "http.disconnect"})
        await trio.testing.wait_all_tasks_blocked()
        assert (app.was_cancelled, brought) == (True, list(range(10)))
    assert ends == [None]


async def test_who_reads_on_after_that_is_told() -> None:
    """First what came before it: an application may be in the midst of a cleanup."""
    read: list[Any] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1.0)
            read.extend([await receive(), await receive(), await receive()])

    ends: list[Any] = []
    async with _request(app, ends) as put:
        await put(_piece(0))
        await put({"type": "http.disconnect"})
    gone = {"type": "http.disconnect"}
    assert (read, ends) == ([_piece(0), gone, gone], [None])
