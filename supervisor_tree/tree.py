"""One running tree: its root, its names, its events."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs
import trio

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.errors import NoProc
from supervisor_tree.event_bus import EventBus, EventStream
from supervisor_tree.events import DeadLetter
from supervisor_tree.slot import Slot
from supervisor_tree.snapshot import NodeSnapshot, take_snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from supervisor_tree.events import Event
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.names import A, Name

current_tree: ContextVar[Tree | None] = ContextVar("supervisor_tree.tree", default=None)


class Tree:
    """What `open_tree()` gives: a view of everything that runs below one root."""

    def __init__(self) -> None:
        self.root: Slot = Slot(self, None, "root")
        self.root.is_supervisor = True
        self.names: dict[Name[Any], Slot] = {}
        self.dead_letters: int = 0
        self.chance: random.Random = random.Random()  # noqa: S311  # spreads restarts, guards nothing
        self._bus = EventBus()

    def snapshot(self) -> NodeSnapshot:
        """Describe the whole tree as it is at this moment; `attrs.asdict()` of it is JSON."""
        return take_snapshot(self.root, now=trio.current_time())

    def events(self, *, buffer: int = 256) -> AbstractAsyncContextManager[EventStream]:
        """Open a stream of the events from now on; beyond `buffer` unread ones the oldest go."""
        return self._stream(buffer)

    def add_hook(self, hook: Callable[[Event], None]) -> None:
        """Call `hook` with each event, at once and in the task that caused it; it must not wait.

        A hook that raises is logged and not called again.
        """
        self._bus.add_hook(hook)

    def request_stop(self) -> None:
        """Ask the root to stop in order. Returns at once; asking again changes nothing."""
        if self.root.incarnation is not None and self.root.incarnation.is_alive:
            self.root.incarnation.request_stop()

    def kill(self) -> None:
        """Cancel the whole tree at once."""
        if self.root.incarnation is not None:
            self.root.incarnation.kill()

    def emit(
        self, event: Callable[..., Event], slot: Slot, *, incarnation: int, **more: Any
    ) -> None:
        """Build an event about a slot and tell everybody who listens."""
        self._bus.emit(
            event(time=trio.current_time(), path=slot.path, incarnation=incarnation, **more)
        )

    def dead_letter(
        self, target: Slot | str, method: str, *, incarnation: int, count: int = 1
    ) -> None:
        """Account for messages that nobody will read."""
        self.dead_letters += count
        self._bus.emit(
            DeadLetter(
                time=trio.current_time(),
                path=target if isinstance(target, str) else target.path,
                incarnation=incarnation,
                method=method,
                count=count,
            )
        )

    def ref_to(self, slot: Slot) -> ActorRef[Any]:
        """Make a reference to a slot."""
        return ActorRef(_Place(slot))

    def close(self) -> None:
        """End the event streams; nothing will happen here any more."""
        self._bus.close()

    @asynccontextmanager
    async def _stream(self, buffer: int) -> AsyncGenerator[EventStream, None]:
        with self._bus.stream(buffer=buffer) as stream:
            yield stream


def whereis(name: Name[A]) -> ActorRef[A]:
    """Make a reference to whoever bears that name in the current tree, now or later.

    Works in every task below a supervisor and in the body of `open_tree()`.

    Errors: NoProc outside of a tree.
    """
    tree = current_tree.get()
    if tree is None:
        raise NoProc(f"{name}: there is no tree here")
    return ActorRef(_Named(tree, name))


@attrs.frozen
class _Place:
    """A slot, whatever runs there."""

    _slot: Slot

    @property
    def tree(self) -> Tree:
        return self._slot.tree

    def find(self) -> Slot | None:
        return self._slot

    def latest(self) -> Incarnation | None:
        return self._slot.incarnation

    def may_come_back(self) -> bool:
        return self._slot.may_come_back()

    def __str__(self) -> str:
        return self._slot.path


@attrs.frozen
class _Named:
    """Whatever slot bears a name at the moment."""

    tree: Tree = attrs.field(eq=id)
    _name: Name[Any]

    def find(self) -> Slot | None:
        return self.tree.names.get(self._name)

    def latest(self) -> Incarnation | None:
        slot = self.find()
        return None if slot is None else slot.incarnation

    def may_come_back(self) -> bool:
        slot = self.find()
        return slot is not None and slot.may_come_back()

    def __str__(self) -> str:
        return str(self._name)
