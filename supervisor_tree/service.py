"""What a supervisor can run, and how a plain coroutine function becomes that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, Protocol

import trio

P = ParamSpec("P")


class Service(Protocol):
    """One incarnation of a child."""

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Work until done or told to stop; call `task_status.started()` once, when ready.

        Whatever was acquired must be released before returning, by cancellation as well: the next
        incarnation starts as soon as this one has ended.
        """

    def request_stop(self) -> None:
        """Ask for an orderly end. Returns at once; asking again changes nothing."""


class SupervisorService:
    """Marks the services that run children, and so get all the time they need to stop them."""


class _Task:
    """A coroutine function as a service: stopping it means cancelling it."""

    def __init__(self, fn: Callable[..., Awaitable[object]], *, reports_started: bool) -> None:
        self._fn = fn
        self._reports_started = reports_started
        self._scope = trio.CancelScope()

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        with self._scope:
            if self._reports_started:
                await self._fn(task_status=task_status)
            else:
                task_status.started()
                await self._fn()

    def request_stop(self) -> None:
        self._scope.cancel(reason="stopped by its supervisor")


def task(
    fn: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs
) -> Callable[[], Service]:
    """Make a factory of services that run `fn(*args, **kwargs)`.

    The service is ready at once, and stopping it cancels `fn`; cleanup which awaits needs a shield
    with a time limit of its own.
    """
    return partial(_Task, partial(fn, *args, **kwargs), reports_started=False)


def started_task(fn: Callable[..., Awaitable[object]], *args: object) -> Callable[[], Service]:
    """Make a factory like `task()`, for functions that take `task_status` and report started.

    `started_task(trio.serve_tcp, handler, 8080)` is the typical use.
    """
    return partial(_Task, partial(fn, *args), reports_started=True)
