"""Reading the configuration again while the node runs: all of it is taken, or nothing changes.

What can fail comes first and leaves no trace: reading, checking, making adapters, and the one
message to the registry. What follows neither waits nor fails.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from cortexd.actors.health_monitor import check_soon
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, Roster
from cortexd.actors.worker_registry import WORKER_REGISTRY, RosterChange, WorkerRegistry
from cortexd.config.problems import ConfigInvalid
from cortexd.config.schema import Config
from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.domain.events import ConfigReloaded, Emit
from cortexd.domain.worker import WorkerSettings
from cortexd.http.admin.configuration import Reloaded, ReloadRefused
from cortexd.runtime.reload_plan import ReloadPlan, plan_reload
from supervisor_tree import CallFailed, whereis

READING_S_MAX: Final = 10.0
"""Secrets may be on disks that do not answer."""

REGISTRY_S_MAX: Final = 10.0

log = structlog.get_logger("cortexd")


@attrs.frozen(kw_only=True)
class Reloadable:
    """A section that can change while the node runs.

    `apply` is given the whole of the new configuration whenever there is one; it neither waits nor
    fails. There may be several for one section.
    """

    section: str
    apply: Callable[[Config], None]


@attrs.frozen(kw_only=True)
class ReloadParts:
    """What a reload works on.

    `read` gives the configuration as it is now, or raises `ConfigInvalid`; `None` where the node
    was not started from a file. `recruit` makes a worker ready to be registered: see
    `runtime/workers.py`.
    """

    read: Callable[[], Config] | None
    live: Published[Config]
    roster: Roster
    recruit: Callable[[WorkerSettings, Config], RegisteredWorker]
    reloadables: Sequence[Reloadable]
    is_draining: Callable[[], bool]
    emit: Emit


class Reloader:
    """One reload at a time, whoever asks for it."""

    def __init__(self, parts: ReloadParts) -> None:
        self._parts = parts
        self._turn = trio.Lock()
        self._ordered = trio.Event()

    def order(self) -> None:
        """Ask for a reload; several orders before it begins are one."""
        self._ordered.set()

    async def wait_ordered(self) -> None:
        """Until somebody has asked."""
        await self._ordered.wait()
        self._ordered = trio.Event()

    async def reload(self) -> Reloaded:
        """Take up the configuration as it is now; streams in flight notice nothing.

        Errors: `ReloadRefused` with all that is wrong with it; `RequestRefused` (503) when this is
        no time for it. Then nothing has changed.
        Cancellation: the node has the old configuration or the new one, and nothing in between.
        """
        parts = self._parts
        async with self._turn:
            if parts.is_draining():
                raise _refused("the node is stopping", "node_stopping")
            before, after = parts.live.value, await self._read()
            plan = plan_reload(
                before,
                after,
                hired=[worker.settings for worker in parts.roster.value],
                live={each.section for each in parts.reloadables},
            )
            newcomers = self._recruit(plan)
            with trio.CancelScope(shield=True):
                await self._change_roster(plan, newcomers)
            parts.live.publish(plan.running)
            for each in parts.reloadables:
                each.apply(plan.running)
            for newcomer in newcomers:
                check_soon(newcomer.name)
            if plan.changes:
                parts.emit(ConfigReloaded(changes=plan.changes))
            return Reloaded(changes=plan.changes, restart_needed=plan.restart_needed)

    async def _read(self) -> Config:
        if self._parts.read is None:
            raise ReloadRefused(("this node was not started from a file",))
        with trio.move_on_after(READING_S_MAX):
            try:
                return await trio.to_thread.run_sync(self._parts.read, abandon_on_cancel=True)
            except ConfigInvalid as invalid:
                raise ReloadRefused(tuple(map(str, invalid.problems))) from invalid
        raise ReloadRefused((f"the configuration could not be read within {READING_S_MAX:g} s",))

    def _recruit(self, plan: ReloadPlan) -> list[RegisteredWorker]:
        recruits: list[RegisteredWorker] = []
        problems: list[str] = []
        for settings in plan.newcomers:
            try:
                recruits.append(self._parts.recruit(settings, plan.running))
            except ValueError as error:
                problems.append(f"workers.{settings.name}: {error}")
        if problems:
            raise ReloadRefused(tuple(problems))
        return recruits

    async def _change_roster(self, plan: ReloadPlan, newcomers: Sequence[RegisteredWorker]) -> None:
        if not (plan.leavers or newcomers):
            return
        change = RosterChange(leavers=plan.leavers, newcomers=newcomers)
        with trio.move_on_after(REGISTRY_S_MAX):
            try:
                await whereis(WORKER_REGISTRY).call(WorkerRegistry.change, change)
            except CallFailed as failure:
                raise _refused(f"the worker registry is not there: {failure}", "busy") from failure
            return
        raise _refused("the worker registry does not answer", "busy")

    async def reload_and_log(self) -> None:
        """Reload, and tell the log what has come of it: nobody else is there to be told."""
        try:
            done = await self.reload()
        except ReloadRefused as refused:
            _log_refusal(refused.problems)
        except CortexError as error:
            _log_refusal((str(error),))
        else:
            if not done.changes:
                log.info("reload finds nothing to change")
            if done.restart_needed:
                log.warning("a restart is needed for other changes", keys=done.restart_needed)


def _refused(reason: str, code: str) -> RequestRefused:
    return RequestRefused(f"{reason}; nothing has changed", code=code, status=503)


def _log_refusal(problems: Sequence[str]) -> None:
    for problem in problems:
        log.error("wrong configuration", problem=problem)
    log.error("reload refused, nothing has changed", problems=len(problems))
