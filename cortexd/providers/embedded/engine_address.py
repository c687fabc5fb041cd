"""Where the engine listens now: the one thing that outlives its processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio


class EngineAddress:
    """Written by the engine of the day, read by the worker in front of it.

    `socket` is `None` while no engine can be asked; `reason` then says why. One that `rests` is
    started when it is called; one that `loads` can be asked when it has, or not at all.
    """

    def __init__(self) -> None:
        self._socket: Path | None = None
        self._reason = "the engine has not been started"
        self._is_coming = True
        self._rests = False
        self._loads = False
        self._changed = trio.Event()
        self._called = trio.Event()
        self._users = 0

    @property
    def socket(self) -> Path | None:
        """The Unix socket of the engine."""
        return self._socket

    @property
    def reason(self) -> str:
        """Why there is no engine to ask; fit for the operator's eyes."""
        return self._reason

    @property
    def is_coming(self) -> bool:
        """Whether asking again in a moment may help, while there is no engine."""
        return self._is_coming

    @property
    def rests(self) -> bool:
        """Whether there is none only because nobody here has needed it."""
        return self._rests

    @property
    def is_used(self) -> bool:
        """Whether somebody is being answered."""
        return self._users > 0

    def load(self) -> None:
        """An engine has been started, and will listen in a moment unless it ends before."""
        self._set(None, "the engine is starting", is_coming=True, loads=True)

    def publish(self, socket: Path) -> None:
        """An engine is ready."""
        self._set(socket, "", is_coming=True)

    def withdraw(self, reason: str, *, for_good: bool = False) -> None:
        """There is no engine, for now or for good."""
        self._set(None, reason, is_coming=not for_good)

    def rest(self) -> None:
        """There is no engine until somebody calls for it."""
        self._called = trio.Event()
        self._set(None, "the engine rests", is_coming=True, rests=True)

    async def wait_called(self) -> None:
        """Until somebody needs the engine."""
        await self._called.wait()

    async def wake(self) -> None:
        """Call for an engine that rests; wait for one that loads until it listens, or has ended.

        The caller sets the limit.
        """
        if self._rests:
            self._called.set()
            await self._changed.wait()
        if self._loads:
            await self._changed.wait()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While somebody is being answered."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def _set(
        self,
        socket: Path | None,
        reason: str,
        *,
        is_coming: bool,
        rests: bool = False,
        loads: bool = False,
    ) -> None:
        self._socket = socket
        self._reason = reason
        self._is_coming = is_coming
        self._rests = rests
        self._loads = loads
        self._changed.set()
        self._changed = trio.Event()
