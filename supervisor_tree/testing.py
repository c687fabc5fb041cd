"""What tests of supervised code need: a tree for a block, crashes on demand, a list of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
import trio.testing

from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.errors import NoProc
from supervisor_tree.events import Event
from supervisor_tree.exit_reason import Exit
from supervisor_tree.incarnation import Incarnation, current_incarnation
from supervisor_tree.recorder import Boom, Recorders, Script
from supervisor_tree.run import open_tree
from supervisor_tree.supervisor import Supervisor
from supervisor_tree.tree import Tree

__all__ = [
    "Boom",
    "Crash",
    "Recorders",
    "Script",
    "assert_no_tasks_left",
    "crash",
    "events_of",
    "running",
    "settle",
]


@asynccontextmanager
async def running(root: Supervisor) -> AsyncGenerator[Tree, None]:
    """Run a tree for a block, as `open_tree()`, and check that none of its tasks is left behind.

    Errors: AssertionError, and those of `open_tree()`.
    """
    async with open_tree(root) as tree:
        yield tree
    assert_no_tasks_left()


@attrs.frozen
class Crash:
    """A crash under way; await it to learn how the child ended."""

    _incarnation: Incarnation

    def __await__(self) -> Generator[Any, Any, Exit | None]:
        yield from self._incarnation.done.wait().__await__()
        return self._incarnation.exit


def crash(ref: ActorRef[Any], error: Exception | None = None) -> Crash:
    """Make the running child end at once, as if its service had raised `error`.

    Like all crashes from outside it is not seen by the service itself: `on_stop` is not called.
    `await crash(ref)` waits for the end. Errors: NoProc.
    """
    incarnation = ref.latest()
    if incarnation is None or not incarnation.is_alive:
        raise NoProc(f"nobody runs at {ref}")
    incarnation.fail(Boom() if error is None else error)
    return Crash(incarnation)


async def settle() -> None:
    """Wait until all tasks wait for something other than the next turn of the event loop."""
    await trio.testing.wait_all_tasks_blocked()


def events_of(tree: Tree) -> list[Event]:
    """Make a list to which all events of a tree are added from now on."""
    events: list[Event] = []
    tree.add_hook(events.append)
    return events


def assert_no_tasks_left() -> None:
    """Check that no task of any tree is alive but the current one. Errors: AssertionError."""
    current = trio.lowlevel.current_task()
    left = [
        task.name
        for task in _all_tasks()
        if task is not current and task.context.get(current_incarnation) is not None
    ]
    if left:
        raise AssertionError(f"tasks of a supervision tree are left: {left}")


def _all_tasks() -> Iterator[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    pending = [] if root is None else [root]
    while pending:
        task = pending.pop()
        yield task
        for nursery in task.child_nurseries:
            pending.extend(nursery.child_tasks)
