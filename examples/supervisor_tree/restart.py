#!/usr/bin/env python3
"""An actor crashes and is started again: its state is gone, the reference to it still works."""

# ruff: noqa: T201  # printing is what an example does

import trio

from supervisor_tree import Actor, ActorDied, ChildSpec, Name, Supervisor, open_tree, whereis


class Divider(Actor):
    """Divides, and counts how often it has done so."""

    def __init__(self) -> None:
        self._done = 0

    async def divide(self, dividend: int, divisor: int) -> float:
        """Crash when the divisor is 0: nobody here knows what to do about that."""
        quotient = dividend / divisor
        self._done += 1
        return quotient

    async def report(self) -> str:
        """Say which incarnation this is, and what it has done."""
        return f"incarnation {self.ctx.incarnation} has divided {self._done} times"


DIVIDER = Name[Divider]("divider")


async def main() -> None:
    """Divide three times."""
    async with open_tree(Supervisor(ChildSpec("divider", Divider, name=DIVIDER))):
        divider = whereis(DIVIDER)
        print("8 / 2 =", await divider.call(Divider.divide, 8, 2))
        print(await divider.call(Divider.report))
        try:
            await divider.call(Divider.divide, 1, 0)
        except ActorDied as died:
            print("the divider died of", repr(died.__cause__))
        # No waiting and no new lookup: the call waits until the next incarnation is ready.
        print("9 / 3 =", await divider.call(Divider.divide, 9, 3))
        print(await divider.call(Divider.report))


trio.run(main)
