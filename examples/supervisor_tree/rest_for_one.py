#!/usr/bin/env python3
"""A chain of children: a crash restarts those that were started after, and nobody before.

The keeper holds the data and does nothing else, so it has little reason to crash; the counter can
be replaced at any time and goes on where it was.
"""

# ruff: noqa: T201  # printing is what an example does

import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ChildExited,
    ChildSpec,
    ChildStarted,
    Event,
    Exit,
    Name,
    Strategy,
    Supervisor,
    open_tree,
    whereis,
)


class Keeper(Actor):
    """Keeps a number for others."""

    def __init__(self) -> None:
        self._number = 0

    async def load(self) -> int:
        """Give the number back."""
        return self._number

    async def save(self, number: int) -> None:
        """Remember a number."""
        self._number = number


class Counter(Actor):
    """Counts, starting from what the keeper has."""

    async def on_start(self) -> None:
        """Load the count."""
        self._count = await whereis(KEEPER).call(Keeper.load)

    async def add(self, amount: int) -> int:
        """Add, and have the sum kept; what is no number crashes the counter before that."""
        self._count += amount
        await whereis(KEEPER).call(Keeper.save, self._count)
        return self._count


class Display(Actor):
    """Depends on the counter, and so is restarted with it."""

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the library's name
        """Say that the end was in order."""
        print(f"    display cleans up after: {exit}")


KEEPER = Name[Keeper]("keeper")
COUNTER = Name[Counter]("counter")


def show(event: Event) -> None:
    """Print what starts and what ends."""
    match event:
        case ChildStarted():
            print(f"    + {event.path} (incarnation {event.incarnation})")
        case ChildExited():
            print(f"    - {event.path} ({event.exit.kind})")


async def main() -> None:
    """Count, crash in the middle, count on."""
    root = Supervisor(
        ChildSpec("keeper", Keeper, name=KEEPER),
        ChildSpec("counter", Counter, name=COUNTER),
        ChildSpec("display", Display),
        strategy=Strategy.REST_FOR_ONE,
    )
    async with open_tree(root) as tree:
        tree.add_hook(show)
        counter = whereis(COUNTER)
        print("count:", await counter.call(Counter.add, 40))
        try:
            await counter.call(Counter.add, "two")  # type: ignore[arg-type]  # the bug
        except ActorDied as died:
            print("crash:", died.__cause__)
        print("count:", await counter.call(Counter.add, 2))
        print("the tree stops, last child first")


trio.run(main)
