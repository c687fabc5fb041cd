"""Carries events to hooks and streams; neither can slow down or break supervision."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import Self

import trio

from supervisor_tree.events import Event

_log = logging.getLogger("supervisor_tree")


class EventStream(AsyncIterator[Event]):
    """The events since it was opened; ends with the tree. A slow reader loses the oldest.

    `lost` counts the events dropped unread.
    """

    def __init__(self, *, buffer: int) -> None:
        self._events: deque[Event] = deque(maxlen=buffer)
        self._arrival = trio.Event()
        self._closed = False
        self.lost: int = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event. Cancellation loses none."""
        await trio.lowlevel.checkpoint()
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._arrival = trio.Event()
            await self._arrival.wait()
        return self._events.popleft()

    def _put(self, event: Event) -> None:
        if len(self._events) == self._events.maxlen:
            self.lost += 1
        self._events.append(event)
        self._arrival.set()

    def _close(self) -> None:
        self._closed = True
        self._arrival.set()


class EventBus:
    """The one place where a tree's events are sent."""

    def __init__(self) -> None:
        self._hooks: list[Callable[[Event], None]] = []
        self._streams: list[EventStream] = []
        self._closed = False

    def add_hook(self, hook: Callable[[Event], None]) -> None:
        """Call `hook` with each event from now on; one that raises is logged and removed."""
        self._hooks.append(hook)

    @contextmanager
    def stream(self, *, buffer: int) -> Generator[EventStream, None, None]:
        """Open a stream of the events from now on, which ends with the block."""
        if buffer < 1:
            raise ValueError(f"buffer must be at least 1, not {buffer}")
        stream = EventStream(buffer=buffer)
        if self._closed:
            stream._close()  # noqa: SLF001  # bus and stream are one mechanism
        else:
            self._streams.append(stream)
        try:
            yield stream
        finally:
            if stream in self._streams:
                self._streams.remove(stream)
            stream._close()  # noqa: SLF001  # bus and stream are one mechanism

    def emit(self, event: Event) -> None:
        """Hand an event to everybody who listens."""
        for hook in tuple(self._hooks):
            try:
                hook(event)
            except Exception:  # noqa: BLE001  # a broken listener must not break supervision
                _log.exception("event hook %r failed and was removed", hook)
                if hook in self._hooks:
                    self._hooks.remove(hook)
        for stream in self._streams:
            stream._put(event)  # noqa: SLF001  # see stream()

    def close(self) -> None:
        """End all streams, those opened later, too: there will be no further events."""
        self._closed = True
        for stream in self._streams:
            stream._close()  # noqa: SLF001  # see stream()
        self._streams.clear()
