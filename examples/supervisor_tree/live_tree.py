#!/usr/bin/env python3
"""Draws a tree again and again while its children crash, for two seconds.

On a terminal the picture stays in place; elsewhere all pictures follow each other.
"""

# ruff: noqa: T201  # printing is what an example does

import random
import sys
from collections.abc import Iterator

import trio

from supervisor_tree import (
    Backoff,
    ChildSpec,
    NodeSnapshot,
    Strategy,
    Supervisor,
    Tree,
    open_tree,
    task,
)

PICTURES = 10
PAUSE_S = 0.2
CLEAR = "\x1b[2J\x1b[H"
MARKS = {"running": "●", "starting": "◌", "restarting": "↻", "stopped": "○"}


async def steady() -> None:
    """Do nothing, reliably."""
    await trio.sleep_forever()


async def fragile(life_s: float) -> None:
    """Crash after some time; chance only varies the time."""
    await trio.sleep(life_s * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
    raise RuntimeError("worn out")


def plan() -> Supervisor:
    """Two branches: a chain whose middle breaks, and a child that is given more and more time."""
    # Nothing here is meant to escalate: that would end the example.
    return Supervisor(
        ChildSpec(
            "chain",
            lambda: Supervisor(
                ChildSpec("first", task(steady)),
                ChildSpec("middle", task(fragile, 0.5)),
                ChildSpec("last", task(steady)),
                strategy=Strategy.REST_FOR_ONE,
                max_restarts=100,
            ),
        ),
        ChildSpec(
            "alone",
            lambda: Supervisor(
                ChildSpec("hopeless", task(fragile, 0.1), backoff=Backoff(initial=0.3)),
                ChildSpec("steady", task(steady)),
                max_restarts=100,
            ),
        ),
    )


def draw(node: NodeSnapshot, depth: int = 0) -> Iterator[str]:
    """One line for each node."""
    name = "  " * depth + MARKS[node.state] + " " + node.path.rpartition("/")[2]
    yield f"{name:<18} {node.state:<11} #{node.incarnation:<3} {node.last_exit or ''}".rstrip()
    for child in node.children:
        yield from draw(child, depth + 1)


async def watch(tree: Tree) -> None:
    """Draw the tree until it has been seen often enough."""
    for number in range(1, PICTURES + 1):
        await trio.sleep(PAUSE_S)
        print(CLEAR if sys.stdout.isatty() else "", end="")
        print(f"picture {number} of {PICTURES}")
        print(*draw(tree.snapshot()), "", sep="\n")


async def main() -> None:
    """Watch for a while, then stop everything in order."""
    async with open_tree(plan()) as tree:
        await watch(tree)
    print(*draw(tree.snapshot()), sep="\n")


trio.run(main)
