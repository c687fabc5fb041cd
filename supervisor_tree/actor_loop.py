"""The machine inside an actor: takes messages one by one and runs their handlers.

Rules of this file: all handlers, `on_start` and `on_stop` run in one task; what the loop knows is
kept here and not in the actor, whose namespace belongs to its author.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from supervisor_tree.crash_capture import capture_crash
from supervisor_tree.errors import InvalidSpec, NoProc, ReplyError
from supervisor_tree.exit_reason import Circumstances, Exit, ExitKind, conclude, unwrap
from supervisor_tree.mailbox import Mailbox, MailboxLimits
from supervisor_tree.message import (
    Call,
    Handler,
    Handling,
    Message,
    Propagated,
)
from supervisor_tree.reply import Reply
from supervisor_tree.timer import Down, Monitor, Timer
from supervisor_tree.validation import is_count

if TYPE_CHECKING:
    from supervisor_tree.actor import Actor
    from supervisor_tree.actor_ref import ActorRef
    from supervisor_tree.incarnation import Incarnation

# So many handlers may run without a pause; then other tasks get their turn.
_MESSAGES_PER_TURN = 16


class ActorLoop:
    """Runs one incarnation of an actor."""

    def __init__(self, actor: Actor, incarnation: Incarnation) -> None:
        if not is_count(actor.mailbox_size) or actor.mailbox_size == 0:
            raise InvalidSpec(f"{incarnation.slot.path}: mailbox_size must be at least 1")
        if not actor.max_handler_time > 0:
            raise InvalidSpec(f"{incarnation.slot.path}: max_handler_time must be positive")
        self._actor = actor
        self._incarnation = incarnation
        self.mailbox: Mailbox = Mailbox(
            incarnation,
            MailboxLimits(
                messages_max=actor.mailbox_size,
                call_timeout=actor.call_timeout,
                propagate=actor.propagate,
            ),
        )
        incarnation.mailbox = self.mailbox
        incarnation.slot.call_timeout = actor.call_timeout
        self._reply_errors: tuple[type[Exception], ...] = (ReplyError, *actor.reply_errors)
        self._machinery: trio.Nursery | None = None
        self._monitors: set[Monitor] = set()
        self._bound: dict[Handler, Handler] = {}
        self._stopping = False
        self._reason: object = None

    async def run(self) -> None:
        """Live until stopped; raises what the actor crashed with, perhaps in a group."""
        try:
            if self._actor.max_handler_time == math.inf:
                await self._live_and_end()
                return
            async with trio.open_nursery() as around:
                around.start_soon(self._watch, name=f"{self._incarnation.slot.path} watchdog")
                await self._live_and_end()
                around.cancel_scope.cancel(reason="the actor has ended")
        finally:
            for monitor in tuple(self._monitors):
                monitor.cancel()

    def stop(self, reason: object) -> None:
        """End after the present handler; an exception as reason makes it a crash."""
        if self._stopping:
            return
        self._stopping = True
        self._reason = reason
        if self._actor.drain:
            self.mailbox.seal()
        else:
            self.mailbox.close(Exit(ExitKind.NORMAL))
        self.mailbox.wake()

    def start_timer(
        self, make_message: Callable[[], Message], run: Callable[[Timer], Awaitable[None]]
    ) -> Timer:
        """Start a timer that dies with this incarnation. Errors: NoProc before the start."""
        if self._machinery is None:
            raise NoProc("timers belong into on_start or a handler")
        timer = Timer(self.mailbox, make_message)
        self._machinery.start_soon(run, timer, name=f"{self._incarnation.slot.path} timer")
        return timer

    def monitor(self, ref: ActorRef[Any], target: Incarnation | None) -> Monitor:
        """Have a Down delivered when `target` ends, or now if it has."""

        def deliver(number: int, exit: Exit) -> Message:  # noqa: A002  # the glossary's word
            self._monitors.discard(monitor)
            return Message(type(self._actor).handle_info, (Down(ref, number, exit),), {})

        monitor = Monitor(self.mailbox, deliver)
        self._monitors.add(monitor)
        if target is None:
            monitor.report(0, Exit(ExitKind.SHUTDOWN, NoProc(f"nobody runs at {ref}")))
        elif target.exit is not None:
            monitor.report(target.number, target.exit)
        else:
            monitor.watch(target)
        return monitor

    async def _live_and_end(self) -> None:
        crashes: list[BaseException] = []
        await capture_crash(self._live, crashes.append)
        error = crashes[0] if crashes else None
        if self._incarnation.is_ready:
            await self._end(error)
        elif error is not None:
            raise error

    async def _live(self) -> None:
        path = self._incarnation.slot.path
        async with trio.open_nursery() as self._machinery:
            self._machinery.start_soon(self.mailbox.unanswered.reap, name=f"{path} call timeouts")
            async with trio.open_nursery() as helpers:
                self._actor.nursery = self.mailbox.helpers = helpers
                await self._run(self._actor.on_start)
                self._incarnation.started()
                await self._serve()
                helpers.cancel_scope.cancel(reason="the actor ends")
            self._machinery.cancel_scope.cancel(reason="the actor ends")

    async def _watch(self) -> None:
        """Kill the actor when a handler runs for too long, from outside: it may be deaf.

        Never asleep for longer than the limit, this sees each handler that could reach it.
        """
        limit = self._actor.max_handler_time
        while True:
            handling = self.mailbox.handling
            since = trio.current_time() if handling is None else handling.since
            await trio.sleep_until(since + limit)
            if handling is not None and handling.active:
                hung = trio.TooSlowError(f"hung: {handling.method} ran for {limit} s")
                self._incarnation.kill(hung)

    async def _serve(self) -> None:
        in_a_row = 0
        mailbox = self.mailbox
        while not self._stopping or mailbox.has_work:
            message = mailbox.take()
            if message is None:
                await mailbox.wait()
                in_a_row = 0
                continue
            await self._handle(message)
            in_a_row += 1
            if in_a_row == _MESSAGES_PER_TURN:
                await trio.lowlevel.checkpoint()
                in_a_row = 0
        if isinstance(self._reason, Exception):
            raise self._reason

    async def _end(self, error: BaseException | None) -> None:
        end = conclude(
            Circumstances(
                error=error,
                ready=True,
                killed=False,
                stop_ordered=self._incarnation.stop_ordered,
            )
        )
        # Callers must not wait for the cleanup. In good order, on_stop may still answer the calls
        # that were deferred.
        if end.abnormal:
            self.mailbox.bury(end)
        else:
            self.mailbox.close(end)
        try:
            if error is not None:
                raise error
        finally:
            # Inside `finally`, so that an error in on_stop keeps the crash as its context.
            await self._run(self._actor.on_stop, end)

    async def _handle(self, message: Message) -> None:
        call = message if isinstance(message, Call) else None
        method = self._bound.get(message.method) or self._bind(message.method)
        args: Sequence[Any] = message.args
        deferred = call is not None and call.deferred
        if call is not None and call.deferred:
            args = (Reply[Any](call, self.mailbox), *args)
        if message.propagated:
            method = partial(_run_with_context, message.propagated, method)
        try:
            with Handling(self._incarnation, message.method, call, self.mailbox):
                result = await method(*args, **message.kwargs)
        except self._reply_errors as error:
            # To those who cast, a reply means nothing, whether good or bad.
            if call is not None:
                call.fail(error)
        except BaseExceptionGroup as group:
            single = unwrap(group)
            if not isinstance(single, self._reply_errors):
                raise
            if call is not None:
                call.fail(single)
        else:
            if call is not None and not deferred:
                call.settle(result)
        finally:
            self.mailbox.handled += 1

    def _bind(self, method: Handler) -> Handler:
        """Bind a method as Python itself would: overridden in a subclass means overridden here."""
        if getattr(method, "__self__", None) is self._actor:
            return method
        name = getattr(method, "__name__", "")
        if any(vars(base).get(name) is method for base in type(self._actor).__mro__):
            # There are only so many methods in a class, so this does not grow.
            bound: Handler = getattr(self._actor, name)
            self._bound[method] = bound
            return bound
        return partial(method, self._actor)

    async def _run(self, method: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run what is part of every actor's life."""
        with Handling(self._incarnation, method, None, self.mailbox):
            await method(*args)


async def _run_with_context(
    context: Propagated, run: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
) -> Any:
    restore = [(variable, variable.set(value)) for variable, value in context]
    try:
        return await run(*args, **kwargs)
    finally:
        for variable, token in restore:
            variable.reset(token)
