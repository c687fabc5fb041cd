"""The end of a line whose connection does not close: nobody waits for it without a limit."""

import asyncio
from typing import Final

import pytest
import trio

from cortexd.domain.fleet import LineStanding
from cortexd.fleet.failures import LineFailed
from cortexd.fleet.link import CLOSE_S_MAX
from cortexd.fleet.topology import agent_topology
from tests.fleet.line import an_end

NEVER_S: Final = 1e6


class HangingSession:
    """Stands for a session that is up, and that does not come to its end."""

    def __init__(self, *_: object, pulse_s: float) -> None:
        self.failure: LineFailed | None = None
        self.is_blocked = False
        self.pulses = 0

    async def open(self) -> None:
        """At once."""

    async def close(self) -> None:
        """Not at all."""
        await asyncio.sleep(NEVER_S)

    def fail(self, failure: LineFailed) -> None:
        self.failure = self.failure or failure


async def test_a_connection_that_does_not_close_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The agent or the node ends all the same, and says that the line is down."""
    monkeypatch.setattr("cortexd.fleet.link.Session", HangingSession)
    end = an_end("amqp://nowhere", "a", agent_topology("a"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end.line.run)
        await end.wait_up()
        began_at = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() <= began_at + 2 * CLOSE_S_MAX
    assert end.line.standing == LineStanding(failure="the line is not being kept up")
