"""How to talk to a child: a reference to its place, to its name, or to one incarnation of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, Protocol, TypeVar

import attrs
import trio

from supervisor_tree.errors import ActorStopped, CallCycle, CallTimeout, NoProc
from supervisor_tree.message import Call, Message, Parked, handling_that_waits, waits_for
from supervisor_tree.slot import ChildState

if TYPE_CHECKING:
    from supervisor_tree.exit_reason import Exit
    from supervisor_tree.incarnation import Incarnation
    from supervisor_tree.mailbox import Mailbox
    from supervisor_tree.reply import Reply
    from supervisor_tree.slot import Slot
    from supervisor_tree.tree import Tree

A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class Address(Protocol):
    """What a reference points to, looked up anew for every message."""

    @property
    def tree(self) -> Tree:
        """The tree it belongs to."""
        ...

    def find(self) -> Slot | None:
        """Find the slot, if there is one now."""
        ...

    def latest(self) -> Incarnation | None:
        """Find the incarnation that runs or ran last."""
        ...

    def may_come_back(self) -> bool:
        """Whether waiting for a running incarnation makes sense."""
        ...


@attrs.frozen
class ActorRef(Generic[A_co]):
    """A reference to a child, which survives the child's restarts and those of its supervisors.

    Calls have no timeout arguments: put a `trio.fail_after()` around them. Without one, the
    receiver's `call_timeout` is the safety net.
    """

    _address: Address

    async def call(
        self,
        method: Callable[Concatenate[A_co, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run a method in the actor and return its result.

        While the actor is being restarted this waits for the next incarnation. Once queued, a call
        is for that incarnation only.

        Errors: NoProc, ActorStopped, ActorDied, CallTimeout, CallCycle; the ReplyError that the
        method raised; TypeError if no actor runs there. Cancellation: a queued call is taken back;
        one that is being served goes on, and its reply is dropped.
        """
        return await self._ask(Call(method, args, kwargs))  # type: ignore[no-any-return]

    async def call_deferred(
        self,
        method: Callable[Concatenate[A_co, Reply[R], P], Awaitable[None]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Like `call()`, for methods that are given a Reply and may answer after they returned."""
        return await self._ask(Call(method, args, kwargs, deferred=True))  # type: ignore[no-any-return]

    def cast(
        self,
        method: Callable[Concatenate[A_co, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Have a method run in the actor some time; never waits.

        If nobody is there the message is dropped, and a DeadLetter event says so.
        Errors: MailboxFull; TypeError if no actor runs there.
        """
        message = Message(method, args, kwargs)
        incarnation = self._living()
        mailbox = None if incarnation is None else self._mailbox_of(incarnation)
        if mailbox is not None and mailbox.is_open:
            mailbox.put(message)
        else:
            number = 0 if incarnation is None else incarnation.number
            self._address.tree.dead_letter(
                self._address.find() or str(self._address), message.name, incarnation=number
            )

    async def send(
        self,
        method: Callable[Concatenate[A_co, P], Awaitable[object]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Like `cast()`, but wait for room in the mailbox, and for the actor while it restarts.

        Errors: as `call()`. Cancellation: the message has not been sent.
        """
        message = Parked(method, args, kwargs)
        mailbox = self._open_mailbox()
        if mailbox is None:
            mailbox = await self._wait_mailbox()
        if mailbox.is_full:
            self._check_cycle()
        await mailbox.wait_queued(message)

    def pinned(self) -> ActorRef[A_co]:
        """Make a reference to the present incarnation only. Errors: NoProc."""
        incarnation = self._living()
        if incarnation is None:
            self._nobody()
        return ActorRef(_Pinned(incarnation))

    async def wait_exit(self) -> Exit:
        """Wait for the end of the present incarnation, or return the last one's.

        Errors: NoProc if nothing ever ran there; CallCycle from inside the child.
        """
        incarnation = self._address.latest()
        if incarnation is None:
            self._nobody()
        if incarnation.is_alive and self._is_inside(incarnation):
            raise CallCycle(f"{incarnation.slot.path} cannot wait for its own end")
        await incarnation.done.wait()
        if incarnation.exit is None:  # pragma: no cover  # done is set after exit
            raise AssertionError("ended without an exit")
        return incarnation.exit

    async def stop(self) -> None:
        """Ask for an orderly end and wait for it; for the supervisor this is a normal exit.

        Errors: NoProc; CallCycle from inside the child. Cancellation: the request stands.
        """
        incarnation = self._living()
        if incarnation is None:
            self._nobody()
        if self._is_inside(incarnation):
            raise CallCycle(f"{incarnation.slot.path} cannot wait for its own end")
        incarnation.request_stop()
        await incarnation.done.wait()

    def kill(self) -> None:
        """Cancel the child at once, without asking it; on one that has ended this does nothing."""
        incarnation = self._living()
        if incarnation is not None:
            incarnation.kill()

    def latest(self) -> Incarnation | None:
        """Find the incarnation that runs there or ran last; for `Actor.monitor()`."""
        return self._address.latest()

    @property
    def state(self) -> ChildState:
        """What the child is doing now."""
        slot = self._address.find()
        return ChildState.STOPPED if slot is None else slot.state

    @property
    def started_value(self) -> Any:
        """What the present incarnation passed to `task_status.started()`."""
        incarnation = self._address.latest()
        return None if incarnation is None else incarnation.started_value

    def __str__(self) -> str:
        return str(self._address)

    async def _ask(self, call: Call) -> Any:
        mailbox = self._open_mailbox()
        if mailbox is not None:
            if call.caller is not None:
                self._check_cycle()
            mailbox.put_call(call, reap=True)
            return await call.wait_settled(mailbox.forget)
        slot = self._address.find()
        with trio.move_on_after(5.0 if slot is None else slot.call_timeout):
            mailbox = await self._wait_mailbox()
            mailbox.put_call(call, reap=False)
            return await call.wait_settled(mailbox.forget)
        raise CallTimeout(f"{self}.{call.name}: no reply")

    def _open_mailbox(self) -> Mailbox | None:
        slot = self._address.find()
        if slot is None or slot.state is not ChildState.RUNNING:
            return None
        incarnation = slot.incarnation
        if incarnation is None or incarnation.exit is not None:
            return None
        mailbox = incarnation.mailbox or self._mailbox_of(incarnation)
        return mailbox if mailbox is not None and mailbox.is_open else None

    async def _wait_mailbox(self) -> Mailbox:
        """Wait for somebody to talk to."""
        while True:
            mailbox = self._open_mailbox()
            if mailbox is not None:
                return mailbox
            self._check_cycle()
            slot = self._address.find()
            if slot is None or not self._address.may_come_back():
                # Where caller and receiver are cancelled together, Cancelled is the answer.
                await trio.lowlevel.checkpoint_if_cancelled()
                if self._living() is not None:
                    raise ActorStopped(f"{self} is stopping")
                self._nobody()
            await slot.wait_changed()

    def _living(self) -> Incarnation | None:
        incarnation = self._address.latest()
        return incarnation if incarnation is not None and incarnation.is_alive else None

    def _mailbox_of(self, incarnation: Incarnation) -> Mailbox | None:
        if incarnation.mailbox is None and incarnation.is_ready:
            raise TypeError(f"{incarnation.slot.path} is no Actor, so it takes no messages")
        return incarnation.mailbox

    def _check_cycle(self) -> None:
        incarnation = self._living()
        if incarnation is not None and waits_for(handling_that_waits(), incarnation):
            raise CallCycle(f"{incarnation.slot.path} waits for the handler that calls it")

    def _is_inside(self, incarnation: Incarnation) -> bool:
        if trio.lowlevel.current_task() is incarnation.task:
            return True
        return waits_for(handling_that_waits(), incarnation)

    def _nobody(self) -> NoReturn:
        raise NoProc(f"nobody runs at {self}")


@attrs.frozen
class _Pinned:
    """One incarnation, like a pid."""

    _incarnation: Incarnation

    @property
    def tree(self) -> Tree:
        return self._incarnation.slot.tree

    def find(self) -> Slot | None:
        return self._incarnation.slot if self._incarnation.is_alive else None

    def latest(self) -> Incarnation | None:
        return self._incarnation

    def may_come_back(self) -> bool:
        # It may still become ready, but it will not be followed by another.
        return self._incarnation.is_alive and not self._incarnation.is_ready

    def __str__(self) -> str:
        return f"{self._incarnation.slot.path} (incarnation {self._incarnation.number})"
