"""An actor's queue of messages, bounded, and the calls it still owes a reply.

Rules of this file: nothing here awaits but the actor (`wait`) and its callers, who are parked in
their messages. Whatever ends an actor ends in `bury`, so no caller can be forgotten.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from supervisor_tree.errors import ActorDied, ActorStopped, CallFailed, MailboxFull
from supervisor_tree.events import MailboxFullEvent
from supervisor_tree.exit_reason import Exit, ExitKind
from supervisor_tree.message import Call, Handling, Message, Parked
from supervisor_tree.unanswered_calls import UnansweredCalls

if TYPE_CHECKING:
    from supervisor_tree.incarnation import Incarnation

_GOOD_ENDS = frozenset({ExitKind.NORMAL, ExitKind.SHUTDOWN})
_MISSING: Any = object()


@attrs.frozen(kw_only=True)
class MailboxLimits:
    """What an actor class says about its mailbox; times in seconds."""

    messages_max: int
    call_timeout: float
    propagate: tuple[ContextVar[Any], ...] = ()


class Mailbox:
    """First in, first out; senders who wait for room are let in by age."""

    def __init__(self, incarnation: Incarnation, limits: MailboxLimits) -> None:
        self._incarnation = incarnation
        self._limits = limits
        self._urgent: deque[Message] = deque()
        self._queue: OrderedDict[Message, None] = OrderedDict()
        self._waiting: OrderedDict[Parked, None] = OrderedDict()
        self._reader: trio.lowlevel.Task | None = None
        self.unanswered: UnansweredCalls = UnansweredCalls(incarnation, limits.call_timeout)
        self._told_full = False
        self.is_open: bool = True
        self.helpers: trio.Nursery | None = None  # the actor's own nursery
        self.handling: Handling | None = None  # the message being worked on
        self.handled = 0
        self.depth_max: int = 0
        self.times_full: int = 0

    @property
    def depth(self) -> int:
        """How many messages are queued."""
        return len(self._queue)

    @property
    def has_work(self) -> bool:
        """Whether there is something to take."""
        return bool(self._urgent or self._queue)

    @property
    def is_full(self) -> bool:
        """Whether new messages have to wait or be refused."""
        return len(self._queue) >= self._limits.messages_max

    # --- senders

    def put(self, message: Message) -> None:
        """Queue a message. Errors: MailboxFull."""
        if self.is_full:
            self._note_full()
            raise MailboxFull(f"{self._incarnation.slot.path}: {self.depth} messages are queued")
        if self._limits.propagate:
            self._stamp(message)
        self._accept(message)

    def put_system(self, message: Message) -> None:
        """Queue what the tree itself has to say; that is bounded elsewhere and never refused."""
        if self.is_open:
            self._accept(message)

    def withdraw(self, message: Message) -> None:
        """Take a message back, if the actor has not come to it yet."""
        if message in self._queue:
            del self._queue[message]
            self._admit_waiting()

    def holds(self, message: Message) -> bool:
        """Whether that message is still queued."""
        return message in self._queue

    def put_urgent(self, message: Message) -> None:
        """Queue in front of everything that has come from outside."""
        self._urgent.append(message)
        self._wake_reader()

    def put_call(self, call: Call, *, reap: bool) -> None:
        """Queue a call, whose caller then waits until it is settled, and forgets it.

        With `reap` the actor's `call_timeout` applies; without it the caller limits the time.
        """
        self.unanswered.add(call, reap=reap)
        self._enqueue(call)

    async def wait_queued(self, message: Parked) -> None:
        """Queue a message without a reply, waiting for room where there is none."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._enqueue(message)
        if message in self._waiting:
            await message.wait_settled(self.forget)
        else:
            message.settle()
            await trio.lowlevel.cancel_shielded_checkpoint()

    # --- the actor

    def take(self) -> Message | None:
        """Remove the next message, if there is one."""
        if self._urgent:
            return self._urgent.popleft()
        if not self._queue:
            return None
        message = self._queue.popitem(last=False)[0]
        if self._told_full or self._waiting:
            self._admit_waiting()
        return message

    async def wait(self) -> None:
        """Wait until there may be something to take, or `wake` is called."""
        self._reader = trio.lowlevel.current_task()

        def abort(_raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def wake(self) -> None:
        """Make the actor look up."""
        self._wake_reader()

    def seal(self) -> None:
        """Take nothing new; what is queued will still be served."""
        self._shut(self._stopped_error)

    def close(self, exit: Exit) -> None:  # noqa: A002  # the glossary's word
        """Take nothing new and turn away what is queued; a call being served may still finish."""
        failure = self._stopped_error
        if exit.kind not in _GOOD_ENDS:
            failure = partial(self._died_error, exit)
        self._shut(failure)
        lost = [message for message in self._queue if not isinstance(message, Call)]
        queued = [message for message in self._queue if isinstance(message, Call)]
        self._queue.clear()
        self._urgent.clear()
        self._fail_all(queued, failure)
        if lost:
            slot, number = self._incarnation.slot, self._incarnation.number
            slot.tree.dead_letter(slot, lost[0].name, incarnation=number, count=len(lost))

    def bury(self, exit: Exit) -> None:  # noqa: A002  # the glossary's word
        """The actor has ended: nobody gets an answer any more."""
        self.close(exit)
        self._fail_all(self.unanswered, partial(self._died_error, exit))

    def died(self, call: Call, exit: Exit) -> None:  # noqa: A002  # the glossary's word
        """Tell one caller that its reply will never come."""
        call.fail(self._died_error(exit))

    # --- inside

    def _shut(self, failure: Callable[[], CallFailed]) -> None:
        self.is_open = False
        self._fail_all(self._waiting, failure)
        # Those who would call now have to find out whether to wait for the next incarnation.
        self._incarnation.slot.announce()

    def _accept(self, message: Message) -> None:
        self._queue[message] = None
        depth = len(self._queue)
        if depth > self.depth_max:  # noqa: PLR1730  # max() costs twice as much, for each message
            self.depth_max = depth
        if self._reader is not None:
            self._wake_reader()

    def _enqueue(self, message: Parked) -> None:
        if self._limits.propagate:
            self._stamp(message)
        if self.is_full:
            self._note_full()
            self._waiting[message] = None
        else:
            self._accept(message)

    def _admit_waiting(self) -> None:
        self._told_full = False
        while self._waiting and not self.is_full:
            message = self._waiting.popitem(last=False)[0]
            self._accept(message)
            if not isinstance(message, Call):
                message.settle()

    def forget(self, message: Parked) -> None:
        """Let go of a message whose sender does not wait any more, for whatever reason."""
        if self._waiting:
            self._waiting.pop(message, None)
        if isinstance(message, Call):
            self.unanswered.discard(message)
            if message in self._queue:
                self.withdraw(message)

    def _stamp(self, message: Message) -> None:
        found = ((variable, variable.get(_MISSING)) for variable in self._limits.propagate)
        message.propagated = tuple(pair for pair in found if pair[1] is not _MISSING)

    def _note_full(self) -> None:
        self.times_full += 1
        if not self._told_full:
            self._told_full = True
            slot = self._incarnation.slot
            slot.tree.emit(
                MailboxFullEvent, slot, incarnation=self._incarnation.number, depth=self.depth
            )

    def _wake_reader(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def _fail_all(self, messages: Iterable[Parked], error: Callable[[], CallFailed]) -> None:
        # Each gets an error of its own: a traceback belongs to one caller.
        for message in tuple(messages):
            message.fail(error())

    def _stopped_error(self) -> CallFailed:
        return ActorStopped(f"{self._incarnation.slot.path} is stopping")

    def _died_error(self, exit: Exit) -> CallFailed:  # noqa: A002  # the glossary's word
        return ActorDied(self._incarnation.slot.path, self._incarnation.number, exit)
