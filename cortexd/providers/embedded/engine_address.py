"""Where the engine listens now: the one thing that outlives its processes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto, unique
from pathlib import Path

import trio


@unique
class _State(Enum):
    """What somebody finds who comes to it now."""

    LISTENS = auto()
    LOADS = auto()
    WAKES = auto()  # It loads as well, and did rest before.
    RESTS = auto()
    ENDED = auto()
    GONE = auto()


_LOADING = frozenset({_State.LOADS, _State.WAKES})


class EngineAddress:
    """Written by the engine of the day, read by the worker in front of it.

    `socket` is `None` while no engine can be asked; `reason` then says why. One that `rests` is
    started when it is called; one that loads can be asked when it has, or not at all.

    It rests from the moment in which its engine is told to end, and only the start of the next one
    changes that: a call that comes between the two is kept.
    """

    def __init__(self) -> None:
        self._state = _State.ENDED
        self._socket: Path | None = None
        self._reason = "the engine has not been started"
        self._changed = trio.Event()
        self._called = trio.Event()
        self._users = 0
        self._used_at = -math.inf

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
        return self._state is not _State.GONE

    @property
    def rests(self) -> bool:
        """Whether there is none only because nobody here has needed it."""
        return self._state is _State.RESTS

    @property
    def wakes(self) -> bool:
        """Whether one is being loaded that has rested until it was needed."""
        return self._state is _State.WAKES

    @property
    def used_at(self) -> float:
        """When somebody last had to do with it, on Trio's clock; now, while somebody has."""
        return trio.current_time() if self._users else self._used_at

    def load(self) -> None:
        """An engine has been started, and will listen in a moment unless it ends before."""
        self._called = trio.Event()
        self._set(_State.WAKES if self.rests else _State.LOADS, "the engine is starting")

    def publish(self, socket: Path) -> None:
        """An engine is ready."""
        self._set(_State.LISTENS, "", socket)

    def withdraw(self, reason: str, *, for_good: bool = False) -> None:
        """There is no engine, for now or for good."""
        self._set(_State.GONE if for_good else _State.ENDED, reason)

    def rest(self) -> None:
        """There is no engine until somebody calls for it; harmless if repeated."""
        self._set(_State.RESTS, "the engine rests")

    async def wait_called(self) -> None:
        """Until somebody needs the engine."""
        await self._called.wait()

    async def wake(self) -> None:
        """Call for an engine that rests; wait for one that loads until it listens, or has ended.

        The caller sets the limit.
        """
        if self.rests:
            self._called.set()
            await self._changed.wait()
        if self._state in _LOADING:
            await self._changed.wait()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While somebody waits for the engine, or is being answered."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._used_at = trio.current_time()

    def _set(self, state: _State, reason: str, socket: Path | None = None) -> None:
        if self.rests and state not in _LOADING:
            # The last words of an engine that ends: who has called waits for the next one.
            return
        self._state = state
        self._socket = socket
        self._reason = reason
        self._changed.set()
        self._changed = trio.Event()
