"""The events of the node as they happen, for those who watch, as server-sent events.

Source of the format: html.spec.whatwg.org, "Server-sent events".
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import trio

from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import Caller, Door, DoorRequest, Responder
from cortexd.http.error_responses import send_error
from cortexd.ports import Feed, FeedEntry
from cortexd.wire.quotation import quoted

READERS_MAX: Final = 32
HEARTBEAT_S: Final = 15.0
BATCH_ENTRIES_MAX: Final = 100

PAUSE_S: Final = 0.1
"""What happens within it is sent together: a reader must not cost a write for each request."""

_HEARTBEAT: Final = b": still here\n\n"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_HEADERS: Final = (("content-type", "text/event-stream"), ("cache-control", "no-store"))


class EventsDoor(Door):
    """Sends what is new until the client leaves or the node drains.

    A reader has its position and nothing else: what it was too slow for is gone, and it is told.
    `has_left`: whether somebody who was let in has logged out since, or has been here for too long.
    """

    def __init__(self, feed: Feed, has_left: Callable[[Caller], bool]) -> None:
        self._feed = feed
        self._has_left = has_left
        self._readers = 0

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Begin behind `Last-Event-ID`, or with what happens from now on."""
        try:
            position, kinds = self._read(request)
            with self._place():
                await respond.start(200, _HEADERS)
                await self._send(respond, request.caller, position, kinds)
        except CortexError as error:
            await send_error(respond, error)

    async def _send(
        self, respond: Responder, caller: Caller, position: int, kinds: Collection[str]
    ) -> None:
        await respond.send(_HEARTBEAT)
        beat_at = trio.current_time() + HEARTBEAT_S
        while not self._feed.is_closed:
            with trio.move_on_at(beat_at):
                await self._feed.wait_beyond(position)
                await trio.sleep(PAUSE_S)
            if self._has_left(caller):
                break
            reading = self._feed.read(position, entries_max=BATCH_ENTRIES_MAX)
            told = [_written(entry) for entry in reading.entries if entry.kind in kinds]
            if reading.missed != 0:
                told.insert(0, _gap(reading.missed))
            # Never the old one: a position that nobody knows would be a gap for ever.
            position = reading.entries[-1].number if reading.entries else self._feed.latest
            if not told and trio.current_time() >= beat_at:
                told = [_HEARTBEAT]
            if told:
                await respond.send(b"".join(told))
                beat_at = trio.current_time() + HEARTBEAT_S
        await respond.finish()

    def _read(self, request: DoorRequest) -> tuple[int, Collection[str]]:
        known = self._feed.kinds
        wanted = read_query(request, "kinds").get("kinds")
        kinds = known if wanted is None else frozenset(wanted.split(","))
        for kind in sorted(kinds - known):
            raise RequestRefused(
                f"there is no kind {quoted(kind)}; known are: {', '.join(sorted(known))}",
                param="kinds",
                code="invalid_value",
            )
        after = request.headers.get("last-event-id", "")
        if not after:
            return self._feed.latest, kinds
        if not _NUMBER.fullmatch(after):
            raise RequestRefused(
                "must be the id of an event", param="last-event-id", code="invalid_value"
            )
        return int(after), kinds

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._readers >= READERS_MAX:
            raise RequestRefused(
                f"{READERS_MAX} readers are here already", code="too_many_readers", status=503
            )
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1


def _written(entry: FeedEntry) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.number, entry.kind.encode(), entry.data)


def _gap(missed: int | None) -> bytes:
    """`missed` is `null` where the id is not one of this run of the node."""
    return b"event: gap\ndata: %b\n\n" % msgspec.json.encode({"missed": missed})
