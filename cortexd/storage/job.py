"""Something to do with a database: asked for in the event loop, done in the database's thread."""

import sqlite3
from collections.abc import Callable
from typing import Any

import attrs
import trio


@attrs.define(eq=False, kw_only=True)
class Job:
    """One piece of work, and what became of it: `result` or `error`, once `done` is set.

    `frees`: it makes room, and so is let through when the disk is full. `given_up`: nobody waits
    for it any more, so it need not be begun.
    """

    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    frees: bool = False
    given_up: bool = False
    result: Any = None
    error: Exception | None = None
    done: trio.Event = attrs.Factory(trio.Event)

    def give_up(self) -> None:
        """Do not begin it, and let go of what it holds: a disk may hang for long."""
        self.given_up, self.work = True, _nothing


def _nothing(_connection: sqlite3.Connection) -> None:
    pass
