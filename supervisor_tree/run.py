"""The two ways to run a tree: inside a Trio program, or as the whole program."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Self

import trio

from supervisor_tree.abandonment import Abandonment
from supervisor_tree.crash_capture import capture_crash
from supervisor_tree.errors import SupervisorDown
from supervisor_tree.exit_reason import unwrap
from supervisor_tree.root import run_root
from supervisor_tree.tree import Tree, current_tree

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection
    from signal import Signals
    from types import TracebackType

    from supervisor_tree.supervisor import Supervisor


@asynccontextmanager
async def open_tree(root: Supervisor) -> AsyncGenerator[Tree, None]:
    """Run a tree beside the body of an `async with`.

    The body begins when all is started, and leaving it stops the tree in order. A tree that fails
    cancels the body; one that ends by itself does not.

    Errors: StartFailed, RestartIntensityExceeded, and whatever the body raises, all of them bare.
    Cancellation: the ordered stop takes its time, bounded by the children's shutdown times.
    """
    async with _TreeHost(root) as host:
        token = current_tree.set(host.tree)
        try:
            with host.body:
                yield host.tree
        finally:
            current_tree.reset(token)


def run(
    root: Supervisor,
    *,
    signals: Collection[Signals] = (SIGINT, SIGTERM),
    abandon_after: float | None = None,
) -> None:
    """Run a tree as the whole program: `trio.run()` with signals.

    The first signal stops the tree in order, the second kills it. If it has not ended
    `abandon_after` seconds after its stop was requested, all stacks are written to stderr and the
    process exits with code 70.

    Errors: StartFailed, RestartIntensityExceeded: bare.
    """
    trio.run(_run_until_ended, root, signals, abandon_after)


async def _run_until_ended(
    root: Supervisor, signals: Collection[Signals], abandon_after: float | None
) -> None:
    tree = Tree()
    failures: list[BaseException] = []
    with Abandonment(tree, after=abandon_after):
        try:
            async with trio.open_nursery() as nursery:
                # First of all: a signal may come while the tree is still starting.
                if signals:
                    await nursery.start(_obey, tree, signals)
                await capture_crash(
                    partial(run_root, root, tree, trio.TASK_STATUS_IGNORED), failures.append
                )
                nursery.cancel_scope.cancel(reason="the tree has ended")
        except BaseExceptionGroup as group:
            raise unwrap(group) from None
    if failures:
        raise failures[0]


async def _obey(
    tree: Tree, signals: Collection[Signals], *, task_status: trio.TaskStatus[None]
) -> None:
    with trio.open_signal_receiver(*signals) as received:
        task_status.started()
        stopping = False
        async for _ in received:
            if stopping:
                tree.kill()
            else:
                tree.request_stop()
            stopping = True


class _TreeHost:
    """Runs a root beside the body of an `async with`, and stops it in order at the end.

    A context manager by hand, because a nursery would wrap the body's own error in a group.
    """

    def __init__(self, root: Supervisor) -> None:
        self.tree = Tree()
        self.body = trio.CancelScope()
        self._root = root
        self._nursery_manager = trio.open_nursery()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        nursery = await self._nursery_manager.__aenter__()
        try:
            await nursery.start(self._run, name="supervisor_tree root")
        except BaseException:
            await self._nursery_manager.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.tree.request_stop()
        try:
            await self._nursery_manager.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            # Only Cancelled gets here. Where the body has an error already, that one goes on.
            if exc is None:
                raise unwrap(group) from None
        if self._failure is not None and not isinstance(exc, trio.Cancelled):
            raise self._failure

    async def _run(self, *, task_status: trio.TaskStatus[object]) -> None:
        try:
            await capture_crash(partial(run_root, self._root, self.tree, task_status), self._fail)
        except (KeyboardInterrupt, SystemExit) as error:
            self._fail(error)
        incarnation = self.tree.root.incarnation
        if incarnation is None or not incarnation.is_ready:
            raise self._failure or SupervisorDown("stopped before it had started")

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self.body.cancel(reason="the supervision tree has failed")
