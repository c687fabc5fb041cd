"""What an actor is told later: the time has come, or somebody has ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from supervisor_tree.actor_ref import ActorRef
    from supervisor_tree.exit_reason import Exit
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.mailbox import Mailbox
    from supervisor_tree.message import Message


@attrs.frozen
class Down:
    """Delivered to `handle_info` when a monitored incarnation has ended.

    A reference where nothing ever ran is reported as incarnation 0.
    """

    ref: ActorRef[Any]
    incarnation: int
    exit: Exit


class Timer:
    """A message to come, once or again and again, as long as the actor lives."""

    def __init__(self, mailbox: Mailbox, make_message: Callable[[], Message]) -> None:
        self._mailbox = mailbox
        self._make_message = make_message
        self._message: Message | None = None
        self._scope = trio.CancelScope()

    def cancel(self) -> None:
        """Let it never fire again, even if its message is queued already."""
        self._scope.cancel(reason="timer cancelled")
        if self._message is not None:
            self._mailbox.withdraw(self._message)

    async def run_once(self, delay: float) -> None:
        """Fire after `delay` seconds."""
        with self._scope:
            await trio.sleep(delay)
            self._fire()

    async def run_every(self, interval: float) -> None:
        """Fire each `interval` seconds; a tick is left out while the last one is still queued."""
        due = trio.current_time()
        with self._scope:
            while True:
                # After a pause of the whole process, missed ticks are not made up for.
                due = max(due + interval, trio.current_time())
                await trio.sleep_until(due)
                if self._message is None or not self._mailbox.holds(self._message):
                    self._fire()

    def _fire(self) -> None:
        self._message = self._make_message()
        self._mailbox.put_system(self._message)


def check_delay(seconds: float, *, above: float = -math.inf) -> None:
    """Refuse times that make no sense where they are given. Errors: ValueError."""
    if not (seconds >= 0 and seconds > above):
        raise ValueError(f"no time to wait: {seconds!r} s")


class Monitor:
    """Tells the mailbox once that an incarnation has ended."""

    def __init__(self, mailbox: Mailbox, deliver: Callable[[int, Exit], Message]) -> None:
        self._mailbox = mailbox
        self._deliver = deliver
        self._message: Message | None = None
        self._watched: Incarnation | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Let no Down come any more, even if it is queued already."""
        self._cancelled = True
        if self._watched is not None:
            self._watched.unwatch(self)
            self._watched = None
        if self._message is not None:
            self._mailbox.withdraw(self._message)

    def watch(self, incarnation: Incarnation) -> None:
        """Wait for the end of one incarnation."""
        self._watched = incarnation
        incarnation.watch(self, self._ended)

    def report(self, incarnation: int, exit: Exit) -> None:  # noqa: A002  # the glossary's word
        """Deliver the Down."""
        self._watched = None
        if not self._cancelled:
            self._message = self._deliver(incarnation, exit)
            self._mailbox.put_system(self._message)

    def _ended(self, incarnation: Incarnation, exit: Exit) -> None:  # noqa: A002  # as above
        self.report(incarnation.number, exit)
