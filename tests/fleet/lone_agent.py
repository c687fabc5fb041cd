"""An agent whose nodes are all in the hand of a test."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import attrs

from cortexd.agent.actor import take_message
from cortexd.agent.board import AgentBoard
from cortexd.domain.fleet import Command, MessageId, Received, Status, Verb
from tests.fakes.fleet_line import FakeLine

STATUS_S: Final = 5.0


@attrs.define(eq=False)
class LoneAgent:
    """An agent, and the hand that is all its nodes."""

    line: FakeLine
    board: AgentBoard

    async def obey(
        self, verb: Verb, worker: str | None = None, *, id_: str = "c", deadline: float = 1e9
    ) -> None:
        """Have a command come over the line."""
        message = Command(verb=verb, worker=worker)
        await take_message(Received(id=MessageId(id_), message=message, deadline=deadline))

    @property
    def statuses(self) -> list[Status]:
        """What it has said of itself so far."""
        return [message for message, _, _ in self.line.sent if isinstance(message, Status)]


StartAgent: TypeAlias = Callable[[], AbstractAsyncContextManager[LoneAgent]]
