"""Lines to a broker, as nodes and agents have them, with a memory of what came."""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from cortexd.config.server_url import parse_server_url
from cortexd.domain.fleet import (
    AgentReport,
    Command,
    LineStanding,
    MessageId,
    Received,
    Registration,
    Status,
    Verb,
)
from cortexd.domain.secret import Secret
from cortexd.fleet.link import Line, LineParts
from cortexd.fleet.topology import Topology, agent_topology, node_topology
from tests.fleet.fleet import SIGNING_KEY

HANGS_S: Final = 30.0
"""A limit for what hangs; what is promised is ten seconds, on a machine that is not busy."""

_numbers: Final = itertools.count(1)


class Untaken(Exception):
    """Whoever had to take a message failed over it."""


def new_id() -> MessageId:
    """One that no message of this process has had."""
    return MessageId(f"message-{next(_numbers)}")


@attrs.define(eq=False)
class End:
    """One end of a line. `take` stands for what is done with what comes."""

    line: Line
    received: list[Received] = attrs.Factory(list)
    standings: list[LineStanding] = attrs.Factory(list)
    rejected: list[tuple[str, str]] = attrs.Factory(list)
    take: Callable[[Received], Awaitable[None]] | None = None

    @property
    def ids(self) -> list[str]:
        """Of all that came, as often as it came."""
        return [received.id for received in self.received]

    async def wait(self, satisfied: Callable[[], object]) -> None:
        """Until it is so."""
        with trio.fail_after(HANGS_S):
            while not satisfied():  # noqa: ASYNC110  what is waited for is in no event
                await trio.sleep(0.02)

    async def wait_up(self) -> None:
        """Until it carries."""
        await self.wait(lambda: self.line.standing.carries)

    async def say(self, sequence: int = 1, *, life_s: float = HANGS_S) -> MessageId:
        """Send a status; gives its id."""
        id_ = new_id()
        await self.line.publish(status(sequence), to=None, id_=id_, life_s=life_s)
        return id_

    async def tell(self, agent: str, *, life_s: float = HANGS_S) -> MessageId:
        """Send a command; gives its id."""
        id_ = new_id()
        await self.line.publish(Command(verb=Verb.PING), to=agent, id_=id_, life_s=life_s)
        return id_


def report(sequence: int = 1, **changes: object) -> AgentReport:
    """How an agent is that has no workers."""
    plain: dict[str, object] = {
        "incarnation": 1,
        "sequence": sequence,
        "status_seconds": 5.0,
        "at": 0.0,
        "load": 0.5,
        "activity": 0,
        "workers": (),
    }
    return AgentReport(**{**plain, **changes})  # type: ignore[arg-type]  # a test names its own


def status(sequence: int = 1) -> Status:
    """What an agent says every so often."""
    return Status(agent="a", report=report(sequence))


def registration(sequence: int = 1) -> Registration:
    """What an agent says at first."""
    return Registration(agent="a", version="1", workers=(), report=report(sequence))


def an_end(url: str, name: str, topology: Topology, *, key: str = SIGNING_KEY) -> End:
    """An end that is not up yet."""

    async def take(received: Received) -> None:
        end.received.append(received)
        if end.take is not None:
            await end.take(received)

    standings: list[LineStanding] = []
    line = Line(
        LineParts(
            url=parse_server_url(url),
            key=Secret(key),
            name=name,
            topology=topology,
            take=take,
            on_change=standings.append,
            on_reject=lambda queue, reason: end.rejected.append((queue, reason)),
            is_untaken=(Untaken,),
            pulse_s=0.4,
            chance=random.Random(1),  # noqa: S311  waits are no secret
        )
    )
    end = End(line, standings=standings)
    return end


@asynccontextmanager
async def open_ends(url: str, prefix: str) -> AsyncIterator[tuple[End, End]]:
    """A node and an agent that are connected, until the block ends."""
    node = an_end(url, f"{prefix}-node", node_topology(f"{prefix}-node"))
    agent = an_end(url, f"{prefix}-agent", agent_topology(f"{prefix}-agent"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.line.run)
        nursery.start_soon(agent.line.run)
        await node.wait_up()
        await agent.wait_up()
        yield node, agent
        nursery.cancel_scope.cancel()
