"""What a new configuration changes about a running node, and what it can only change by a restart.

Rule of this file: it decides, and does nothing. No text names a value: it may be a secret.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from cortexd.config.schema import Config
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType

_READ_ONLY: Final = frozenset({"allow_inline_secrets", "workers"})
"""The first says how the file is read and nothing more; the second is planned worker by worker."""


@attrs.frozen(kw_only=True)
class ReloadPlan:
    """`running`: the configuration when all is done; what needs a restart has its old value in it.

    `leavers` and `newcomers`: who is to be taken out, and in; a newcomer may have the name of one
    that is there, and takes its place.
    """

    running: Config
    changes: tuple[str, ...]
    restart_needed: tuple[str, ...]
    leavers: tuple[WorkerName, ...]
    newcomers: tuple[WorkerSettings, ...]


def plan_reload(
    before: Config, after: Config, *, hired: Sequence[WorkerSettings], live: Collection[str]
) -> ReloadPlan:
    """Compare. `hired`: the workers there are now; `live`: the sections that can change.

    Workers that were added to the running node stay, unless the file has their name now.
    """
    changes: list[str] = []
    restart_needed: list[str] = []
    kept: dict[str, Any] = {}
    for field in attrs.fields(Config):
        if field.name in _READ_ONLY:
            continue
        old, new = getattr(before, field.name), getattr(after, field.name)
        keys = list(_changed_keys(field.name, old, new))
        if field.name in live:
            changes += [f"{key}: changed" for key in keys]
        else:
            restart_needed += keys
            kept[field.name] = old
    staff = _plan_workers(before.workers, after.workers, hired)
    return ReloadPlan(
        running=attrs.evolve(after, workers=staff.workers, **kept),
        changes=(*staff.changes, *changes),
        restart_needed=(*staff.restart_needed, *restart_needed),
        leavers=tuple(staff.leavers),
        newcomers=tuple(staff.newcomers),
    )


def _changed_keys(section: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if not attrs.has(type(old)) or type(old) is not type(new):
        yield section
        return
    for field in attrs.fields(type(old)):
        if getattr(old, field.name) != getattr(new, field.name):
            yield f"{section}.{field.name}"


@attrs.define
class _Staff:
    """The plan for the workers, as it comes about."""

    workers: tuple[WorkerSettings, ...] = ()
    changes: list[str] = attrs.Factory(list)
    restart_needed: list[str] = attrs.Factory(list)
    leavers: list[WorkerName] = attrs.Factory(list)
    newcomers: list[WorkerSettings] = attrs.Factory(list)


def _plan_workers(
    before: Sequence[WorkerSettings],
    after: Sequence[WorkerSettings],
    hired: Sequence[WorkerSettings],
) -> _Staff:
    staff = _Staff()
    was = {worker.name: worker for worker in before}
    there = {worker.name: worker for worker in hired}
    running: dict[WorkerName, WorkerSettings] = {}
    for worker in after:
        name, old = worker.name, there.get(worker.name)
        if old == worker:
            running[name] = worker
        elif _has_engine(worker, old):
            # Its engine is a part of the tree, which stands as it is.
            staff.restart_needed.append(f"workers.{name}")
            _keep(running, was, name)
        else:
            running[name] = worker
            staff.newcomers.append(worker)
            told = "added" if old is None else f"changed ({', '.join(_differing(old, worker))})"
            staff.changes.append(f"workers.{name}: {told}")
    for name in was.keys() - {worker.name for worker in after}:
        if _has_engine(there.get(name)):
            staff.restart_needed.append(f"workers.{name}")
            _keep(running, was, name)
        elif name in there:
            staff.leavers.append(name)
            staff.changes.append(f"workers.{name}: removed")
    staff.workers = tuple(running.values())
    return staff


def _has_engine(*workers: WorkerSettings | None) -> bool:
    return any(worker is not None and worker.type is WorkerType.EMBEDDED for worker in workers)


def _keep(
    running: dict[WorkerName, WorkerSettings],
    was: Mapping[WorkerName, WorkerSettings],
    name: WorkerName,
) -> None:
    if name in was:
        running[name] = was[name]


def _differing(old: WorkerSettings, new: WorkerSettings) -> Iterator[str]:
    for field in attrs.fields(WorkerSettings):
        if getattr(old, field.name) != getattr(new, field.name):
            yield field.name
