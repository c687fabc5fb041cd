"""A service with a mailbox: its methods run one at a time, in the order they were asked for."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar

import trio

from supervisor_tree.actor_loop import ActorLoop
from supervisor_tree.actor_ref import ActorRef
from supervisor_tree.context import Context
from supervisor_tree.exit_reason import Exit
from supervisor_tree.incarnation import Incarnation
from supervisor_tree.message import Message
from supervisor_tree.timer import Monitor, Timer, check_delay

_log = logging.getLogger("supervisor_tree")

Method = Callable[..., Awaitable[object]]


class Actor:
    """Subclass it; every `async def` method is a handler that others reach through an ActorRef.

    A handler that raises ReplyError, or one of `reply_errors`, answers its caller with it. Any
    other exception crashes the actor, and the caller gets ActorDied. A handler blocks all others:
    it touches state and returns; slow work belongs into `nursery`, answered with a Reply.

    Times are in seconds. `call_timeout` is for callers without a nearer deadline of their own;
    a handler that runs for longer than `max_handler_time` gets the actor killed; with `drain` the
    queued messages are served before the actor stops; the values that the ContextVars in
    `propagate` have at the caller are visible in the handler.
    """

    mailbox_size: ClassVar[int] = 1024
    call_timeout: ClassVar[float] = 5.0
    max_handler_time: ClassVar[float] = math.inf
    drain: ClassVar[bool] = False
    propagate: ClassVar[tuple[ContextVar[Any], ...]] = ()
    reply_errors: ClassVar[tuple[type[Exception], ...]] = ()

    nursery: trio.Nursery
    """For helper tasks: they end with the actor, and a crash of theirs is its own."""

    ctx: Context
    """The actor's place in the tree."""

    _loop: ActorLoop | None = None
    _stop_early = False

    async def on_start(self) -> None:
        """Prepare; the actor counts as started when this returns.

        Raise Ignore to decline. After any other exception `on_stop` is not called.
        """

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        """Clean up after `exit`; helper tasks have ended by now. Not called when killed."""

    async def handle_info(self, message: object) -> None:
        """Handle what is no method call, such as Down."""
        _log.warning("%s got a message that it does not handle: %r", self.ctx.path, message)

    def stop(self, reason: object = None) -> None:
        """End after the present handler; an exception as `reason` makes that a crash."""
        self._running().stop(reason)

    def continue_with(self, method: Method, *args: Any) -> None:
        """Run a method next, before all queued messages, once the present handler has replied."""
        self._running().mailbox.put_urgent(Message(method, args, {}))

    def send_after(self, delay: float, method: Method, *args: Any) -> Timer:
        """Run a method as a message to itself in `delay` seconds. Errors: ValueError."""
        check_delay(delay)
        return self._running().start_timer(
            partial(Message, method, args, {}), partial(_run_once, delay)
        )

    def every(self, interval: float, method: Method, *args: Any) -> Timer:
        """Run a method as a message to itself each `interval` seconds. Errors: ValueError."""
        check_delay(interval, above=0)
        return self._running().start_timer(
            partial(Message, method, args, {}), partial(_run_every, interval)
        )

    def monitor(self, ref: ActorRef[Any]) -> Monitor:
        """Have `handle_info` told, by a Down, when the incarnation now at `ref` ends."""
        return self._running().monitor(ref, ref.latest())

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Live under a supervisor; nobody else calls this. Errors: the actor's crash."""
        if not isinstance(task_status, Incarnation):
            raise TypeError("an actor runs below a supervisor only")
        self.ctx = Context(task_status)
        self._loop = ActorLoop(self, task_status)
        if self._stop_early:
            self._loop.stop(None)
        await self._loop.run()

    def request_stop(self) -> None:
        """Ask for an orderly end: the present handler finishes, queued calls fail."""
        if self._loop is None:
            self._stop_early = True
        else:
            self._loop.stop(None)

    def _running(self) -> ActorLoop:
        if self._loop is None:
            raise RuntimeError("the actor has not been started")
        return self._loop


async def _run_once(delay: float, timer: Timer) -> None:
    await timer.run_once(delay)


async def _run_every(interval: float, timer: Timer) -> None:
    await timer.run_every(interval)
