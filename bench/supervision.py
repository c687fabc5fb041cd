"""What calls, casts and children of supervisor_tree cost, against their budgets.

Messages are compared with `trio.lowlevel.checkpoint()`, the least that any await costs: so the
figures mean the same on every machine. Exits with 1 if something is over its budget.
"""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs
import trio

from bench.comparison import Comparison, Work, cpu_seconds, render
from supervisor_tree import (
    Actor,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    Name,
    Supervisor,
    open_tree,
    whereis,
)

MESSAGE_ROUNDS: Final = 25
MESSAGES_PER_ROUND: Final = 5_000
CALLERS: Final = 50
CASTS_IN_A_ROW: Final = 500

CHILDREN_ROUNDS: Final = 3
CHILDREN_FEW: Final = 1_000
CHILDREN_MANY: Final = 10_000
CHILDREN_RATIO_MAX: Final = 30.0


class Echo(Actor):
    """Does as little as an actor can."""

    async def answer(self) -> None:
        """Handle a message."""


ECHO: Final = Name[Echo]("echo")


@attrs.frozen(kw_only=True)
class Budget:
    """Some work that sends `MESSAGES_PER_ROUND` messages, and what each of them may cost."""

    work: Work
    checkpoints_max: float


async def checkpoints(count: int) -> None:
    """Give way and carry on, which is the unit of measurement."""
    for _ in range(count):
        await trio.lowlevel.checkpoint()


async def calls(ref: ActorRef[Echo], count: int) -> None:
    """Call and wait for the reply."""
    for _ in range(count):
        await ref.call(Echo.answer)


async def calls_of_many(ref: ActorRef[Echo], count: int) -> None:
    """Share the calls out among many callers, who wait at the same time."""
    async with trio.open_nursery() as nursery:
        for _ in range(CALLERS):
            nursery.start_soon(calls, ref, count // CALLERS)


async def casts(ref: ActorRef[Echo], count: int) -> None:
    """Cast and have all of it handled, in portions for which the mailbox has room."""
    for _ in range(count // CASTS_IN_A_ROW):
        for _ in range(CASTS_IN_A_ROW):
            ref.cast(Echo.answer)
        await ref.call(Echo.answer)  # answered when all before it has been handled


async def children(count: int) -> None:
    """Start children one by one, then stop all of them."""
    workers = DynamicSupervisor()
    async with open_tree(Supervisor(ChildSpec("workers", lambda: workers))):
        for _ in range(count):
            await workers.start_child(Echo)


async def compare_messages() -> list[Comparison]:
    """Measure calls and casts in turns with checkpoints."""
    async with open_tree(Supervisor(ChildSpec("echo", Echo, name=ECHO))):
        ref = whereis(ECHO)
        count = MESSAGES_PER_ROUND
        budgets = {
            "call, 1 caller": Budget(work=partial(calls, ref, count), checkpoints_max=4.0),
            f"call, {CALLERS} callers": Budget(
                work=partial(calls_of_many, ref, count), checkpoints_max=2.0
            ),
            "cast, handled": Budget(work=partial(casts, ref, count), checkpoints_max=1.0),
        }
        await _one_round(budgets)  # the first round warms the caches up
        rounds = [await _one_round(budgets) for _ in range(MESSAGE_ROUNDS)]
    return [
        Comparison(
            subject=subject,
            ratios=[ratios[subject] for ratios in rounds],
            ratio_max=budget.checkpoints_max,
        )
        for subject, budget in budgets.items()
    ]


async def _one_round(budgets: Mapping[str, Budget]) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for subject, budget in budgets.items():
        unit = await cpu_seconds(partial(checkpoints, MESSAGES_PER_ROUND))
        ratios[subject] = await cpu_seconds(budget.work) / unit
    return ratios


async def compare_children() -> Comparison:
    """Measure many children against few: each should cost the same, however many there are."""
    ratios: list[float] = []
    for _ in range(CHILDREN_ROUNDS):
        few = await cpu_seconds(partial(children, CHILDREN_FEW))
        ratios.append(await cpu_seconds(partial(children, CHILDREN_MANY)) / few)
    return Comparison(
        subject=f"{CHILDREN_MANY:,} children against {CHILDREN_FEW:,}",
        ratios=ratios,
        ratio_max=CHILDREN_RATIO_MAX,
    )


async def measure() -> list[Comparison]:
    """Take all measurements."""
    return [*await compare_messages(), await compare_children()]


def main() -> int:
    """Print the table; 1 if something is over its budget."""
    comparisons = trio.run(measure)
    print(render(comparisons))  # noqa: T201  # a command's output
    return 0 if all(each.is_within_budget for each in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
