"""A line to a broker that a test holds in its hand."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs
import trio

from cortexd.domain.fleet import FleetActivity, FleetMessage, LineStanding, MessageId

Published: TypeAlias = tuple[FleetMessage, str | None, MessageId]


@attrs.define(eq=False)
class FakeLine:
    """The port `FleetLine`. `sent`: what was published, to whom, under which id.

    `standing` is what the test says; while it is up, it proves itself all the time. `failure` is
    raised by whoever publishes; `is_stuck`: the broker takes nothing, and says nothing.
    `on_publish` is called with what goes out.
    """

    is_up: bool = True
    is_blocked: bool = False
    proved_at: float | None = None
    steady_since: float = 0.0
    failure: Exception | None = None
    is_stuck: bool = False
    sent: list[Published] = attrs.Factory(list)
    on_publish: Callable[[FleetMessage, MessageId], None] | None = None

    @property
    def standing(self) -> LineStanding:
        """As the test says."""
        return LineStanding(
            is_up=self.is_up,
            is_blocked=self.is_blocked,
            failure=None if self.is_up else "down",
            proved_at=trio.current_time() if self.proved_at is None else self.proved_at,
            steady_since=self.steady_since,
        )

    async def publish(
        self, message: FleetMessage, *, to: str | None, id_: MessageId, life_s: float
    ) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.sent.append((message, to, id_))
        if self.on_publish is not None:
            self.on_publish(message, id_)
        if self.is_stuck:
            await trio.sleep_forever()


@attrs.define(eq=False)
class FakeFleetHistory:
    """The port `FleetHistory` in memory."""

    entries: list[FleetActivity] = attrs.Factory(list)

    async def keep(self, entries: Sequence[FleetActivity]) -> None:
        """Keep them."""
        await trio.lowlevel.checkpoint()
        self.entries += entries

    async def page(
        self, limit: int, *, agent: str | None, since: float, before: int | None
    ) -> tuple[Sequence[tuple[int, FleetActivity]], int]:
        """The latest of them."""
        await trio.lowlevel.checkpoint()
        numbered = [
            (number, entry)
            for number, entry in enumerate(self.entries, 1)
            if entry.at >= since and agent in {None, entry.agent}
        ]
        page = [each for each in reversed(numbered) if before is None or each[0] < before]
        return page[:limit], len(numbered)
