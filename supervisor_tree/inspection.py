"""Shows where a task waits, for the reports on children that cannot be stopped."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import trio


def task_stack(task: trio.lowlevel.Task) -> str:
    """Format the stack of a task and of all tasks below it, innermost frame last."""
    return "".join(_lines(task, depth=0))


def _lines(task: trio.lowlevel.Task, depth: int) -> Iterator[str]:
    indent = "    " * depth
    yield f"{indent}task {task.name!r}\n"
    for line in traceback.StackSummary.extract(task.iter_await_frames()).format():
        yield "".join(f"{indent}{part}\n" for part in line.splitlines())
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _lines(child, depth + 1)
