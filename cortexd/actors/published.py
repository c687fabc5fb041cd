"""How an actor shows its state to the hot path: an immutable value, swapped whole.

One actor writes, anybody reads, nobody waits. The holder outlives the actor's incarnations, so
readers see the last value while the actor is being restarted, and the actor itself starts from it.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Published(Generic[T]):
    """The latest value that the owning actor has published."""

    __slots__ = ("_changed", "_value")

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = trio.Event()

    @property
    def value(self) -> T:
        """The latest value; safe to keep, as nobody changes it."""
        return self._value

    def publish(self, value: T) -> None:
        """Replace the value. For the owning actor only."""
        self._value = value
        self._changed.set()
        self._changed = trio.Event()

    async def wait_until(self, satisfied: Callable[[T], bool]) -> T:
        """Wait for a value that is `satisfied`, and return it; the caller sets the limit."""
        while not satisfied(self._value):
            await self._changed.wait()
        return self._value
