"""Keeps a core from falling asleep between two pieces of a stream.

On a virtual machine a core that has nothing to do is given away, and comes back with cold caches.
What waits for streams then seems to cost up to twice as much, by an amount that says more about the
host and the pace of the load than about the gateway.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from bench.gateway.process import end_group

# At idle priority it gives way to whatever else wants to run. It ends with its parent, even one
# that is killed.
_SPIN: Final = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@asynccontextmanager
async def keep_awake(core: int) -> AsyncIterator[None]:
    """Use up what is left of a core, for the length of the block."""
    process = await trio.lowlevel.open_process(
        ["chrt", "--idle", "0", "taskset", "--cpu-list", str(core), sys.executable, "-c", _SPIN],
        start_new_session=True,
    )
    try:
        yield
    finally:
        await end_group(process)
