"""What a supervisor's driver has to do next: exits of children, and requests, in order of arrival.

Posting never waits, so it is legal while being cancelled.
"""

from __future__ import annotations

from collections import deque

import trio

from supervisor_tree.errors import SupervisionError
from supervisor_tree.incarnation import Incarnation
from supervisor_tree.request import Request


class Inbox:
    """A queue with one reader. It is as long as there are children and requesters."""

    def __init__(self) -> None:
        self._items: deque[Incarnation | Request] = deque()
        self._arrival = trio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def post(self, item: Incarnation | Request) -> None:
        """Add an exit or a request."""
        self._items.append(item)
        self.wake()

    def wake(self) -> None:
        """Make the reader look up, for another reason than a new item."""
        self._arrival.set()

    def take(self) -> Incarnation | Request:
        """Remove the oldest item. Errors: IndexError."""
        return self._items.popleft()

    async def wait_arrival(self, *, until: float) -> None:
        """Wait for the next item, or for that time on Trio's clock."""
        self._arrival = trio.Event()
        with trio.move_on_at(until):
            await self._arrival.wait()

    def refuse(self, error: type[SupervisionError], why: str) -> None:
        """Fail all requests in line, each with an error of its own."""
        for item in self._items:
            if isinstance(item, Request):
                item.fail(error(why))

    def refuse_from(self, child: Incarnation, error: type[SupervisionError], why: str) -> None:
        """Fail the requests that were made from inside one child."""
        for item in self._items:
            if isinstance(item, Request) and child in item.issuers:
                item.fail(error(why))
