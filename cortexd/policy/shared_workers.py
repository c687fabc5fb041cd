"""What a node has to do so that its workers are as the nodes have agreed.

Rules of this file: the later version of a worker wins; what the node has from its own configuration
or from its operator stays as it is until somebody has changed it since.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import SharedStaff, SharedWorker

_REFERENCES: Final = ("env:", "file:", "credential:")


@attrs.frozen
class TakeOn:
    """Have this worker, in place of the one of its name if there is one."""

    name: WorkerName
    table: Mapping[str, Any]
    is_active: bool


@attrs.frozen
class LetGo:
    """Have it no longer."""

    name: WorkerName


@attrs.frozen
class Switch:
    """Give it requests, or none."""

    name: WorkerName
    is_active: bool


Step: TypeAlias = TakeOn | LetGo | Switch


def steps(
    known: Mapping[WorkerName, SharedWorker],
    staff: SharedStaff,
    here: Mapping[WorkerName, bool],
) -> Iterator[Step]:
    """In the order in which it was done.

    `known`: what the node has taken up so far, the changes of its own operator among it; `here`:
    the workers it has, and whether they are active.
    """
    for name, worker in known.items():
        is_forgotten = name not in staff.workers and bool(worker.version)
        # Removed so long ago that not even that is remembered.
        if is_forgotten and worker.table is not None and name in here:
            yield LetGo(name)
    for worker in sorted(staff.workers.values(), key=lambda each: each.version):
        before = known.get(worker.name)
        if before is not None and before.version == worker.version:
            continue
        yield from _step(before, worker, is_active=here.get(worker.name))


def _step(
    before: SharedWorker | None, after: SharedWorker, *, is_active: bool | None
) -> Iterator[Step]:
    """`is_active`: as it is here now; `None` where it is not here."""
    if after.is_removed:
        if is_active is not None:
            yield LetGo(after.name)
        return
    is_another = before is not None and before.table is not None and before.table != after.table
    if after.table is not None and (is_active is None or is_another):
        yield TakeOn(after.name, after.table, after.is_active)
    elif is_active is not None and is_active is not after.is_active:
        yield Switch(after.name, after.is_active)


def why_not_shared(table: Mapping[str, Any]) -> str | None:
    """Why a worker's table stays on its node; `None`: it may go to all."""
    keys = table.get("api_keys", ())
    if all(isinstance(key, str) and key.startswith(_REFERENCES) for key in keys):
        return None
    return "its keys are no references such as env:NAME, and secrets do not travel"
