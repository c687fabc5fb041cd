"""Runs a service as the root of a tree of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from supervisor_tree.crash_capture import capture_crash
from supervisor_tree.incarnation import Incarnation, current_incarnation
from supervisor_tree.slot import ChildState
from supervisor_tree.tree import Tree, current_tree

if TYPE_CHECKING:
    from supervisor_tree.service import Service


async def run_root(service: Service, tree: Tree, task_status: trio.TaskStatus[Any]) -> None:
    """Run a service at the root of `tree` until it ends. Errors: whatever it ends with, bare."""
    root = tree.root

    def note_ready(incarnation: Incarnation) -> None:
        root.enter(ChildState.RUNNING)
        task_status.started(incarnation.started_value)

    def note_killed(_incarnation: Incarnation) -> None:
        """Nobody is there who could go on without it."""

    incarnation = root.begin(on_ready=note_ready, on_killed=note_killed)
    incarnation.task = trio.lowlevel.current_task()
    incarnation.service = service

    def record(crash: BaseException) -> None:
        incarnation.error = crash

    tree_before = current_tree.set(tree)
    incarnation_before = current_incarnation.set(incarnation)
    try:
        with incarnation.scope:
            await capture_crash(partial(service.run, task_status=incarnation), record)
    finally:
        current_incarnation.reset(incarnation_before)
        current_tree.reset(tree_before)
        root.last_exit = incarnation.conclude()
        root.halt()
        tree.close()
    if incarnation.error is not None and not incarnation.killed:
        raise incarnation.error
