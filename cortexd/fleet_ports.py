"""The interfaces between the brain and its fleet: a page of their own beside `ports.py`."""

from collections.abc import Sequence
from typing import Protocol

from cortexd.domain.fleet import FleetActivity, FleetMessage, LineStanding, MessageId


class FleetLine(Protocol):
    """The line to the broker of a fleet, from a node's or an agent's end.

    Errors: `LineDown`, `MessageUndeliverable`. Cancellation: the caller stops waiting, and the
    message may go out all the same.
    """

    @property
    def standing(self) -> LineStanding:
        """How it stands now."""
        ...

    async def publish(
        self, message: FleetMessage, *, to: str | None, id_: MessageId, life_s: float
    ) -> None:
        """Have the broker take charge of it, again and again within the life of the message.

        `to`: the agent it is for; `None` for all. It is not heeded after its life is over.
        """
        ...


class FleetHistory(Protocol):
    """What has become of agents and their workers, across restarts. Errors: `StorageFailed`."""

    async def keep(self, entries: Sequence[FleetActivity]) -> None:
        """Keep these, and forget what is too old."""
        ...

    async def page(
        self, limit: int, *, agent: str | None, since: float, before: int | None
    ) -> tuple[Sequence[tuple[int, FleetActivity]], int]:
        """The newest `limit` from `since` on, each with its number, and how many there are in all.

        `agent`: its entries alone. `before`: those with smaller numbers alone.
        """
        ...
