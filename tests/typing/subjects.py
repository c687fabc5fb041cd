"""The services that right.py and wrong.py talk to; like them it is checked and never run."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio

from supervisor_tree import Actor, Name, Reply, ReplyError


@attrs.frozen
class Lease:
    """What a pool gives out."""

    model: str


class Pool(Actor):
    """An actor with every kind of handler."""

    def __init__(self, size: int = 1, *, models: Sequence[str] = ()) -> None:
        self._size = size
        self._models = models

    async def checkout(self, model: str, *, n: int = 1) -> Lease:
        """Take an argument and a keyword, and return a value."""
        if n > self._size:
            raise ReplyError(f"not more than {self._size}")
        return Lease(model)

    async def give_back(self, *leases: Lease) -> None:
        """Take any number of arguments, and return nothing."""

    async def complete(self, reply: Reply[str], prompt: str, *, tokens_max: int = 16) -> None:
        """Answer later."""
        reply.send(prompt[:tokens_max])

    async def models(self) -> Sequence[str]:
        """Take nothing."""
        return self._models

    def size(self) -> int:
        """Answer at once, so this is no handler."""
        return self._size


class LocalPool(Pool):
    """A pool with a handler more."""

    async def load(self, path: str) -> bool:
        """Load a model."""
        return path in await self.models()


class Gauge(Actor):
    """An actor that shares no handler with Pool."""

    async def read(self) -> float:
        """Return a number."""
        return 0.0


class Door:
    """A service that is no actor."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Report the port."""
        task_status.started(self.port)

    def request_stop(self) -> None:
        """Have nothing to stop."""


POOL = Name[Pool]("pool")


async def look_up(key: str, *, deep: bool = False) -> int:
    """Be a task with a result."""
    return len(key) if deep else 0


async def listen(port: int, *, task_status: trio.TaskStatus[int]) -> None:
    """Be a task that reports when it has started."""
    task_status.started(port)
