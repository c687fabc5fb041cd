#!/usr/bin/env python3
"""A pool that grows and shrinks while it runs: one child for each worker, each for itself."""

# ruff: noqa: T201  # printing is what an example does

from collections.abc import Sequence

import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    MaxChildren,
    Supervisor,
    open_tree,
)

UNLUCKY = 13


class Worker(Actor):
    """Squares numbers, but for one that it has a bug with."""

    async def square(self, number: int) -> int:
        """Take a while, then answer."""
        await trio.sleep(0.05)
        if number == UNLUCKY:
            raise RuntimeError(f"no worker survives {number}")
        return number * number


async def square(worker: ActorRef[Worker], number: int) -> None:
    """Have a worker square a number. Its crash is no crash of ours."""
    try:
        print(f"{number}² = {await worker.call(Worker.square, number)}")
    except ActorDied as died:
        print(f"{number}² is unknown: {died.__cause__}")


async def square_all(workers: Sequence[ActorRef[Worker]], numbers: Sequence[int]) -> None:
    """Give each worker one number, all at the same time."""
    async with trio.open_nursery() as nursery:
        for worker, number in zip(workers, numbers, strict=True):
            nursery.start_soon(square, worker, number)


async def main() -> None:
    """Fill the pool, use it, make it smaller."""
    pool = DynamicSupervisor(max_children=3)
    # A restarted pool may be the same object: it starts empty every time.
    async with open_tree(Supervisor(ChildSpec("pool", lambda: pool))) as tree:
        workers = [await pool.start_child(Worker) for _ in range(3)]
        try:
            await pool.start_child(Worker)
        except MaxChildren as full:
            print("a fourth worker:", full)

        await square_all(workers, (12, 13, 14))
        # The worker that crashed is a new one by now, under the same reference.
        await square_all(workers, (15, 16, 17))
        for node in tree.snapshot().children[0].children:
            print(f"{node.path} is incarnation {node.incarnation}")

        await pool.terminate_child(workers[0])
        print(f"{pool.count_children().active} workers are left")


trio.run(main)
