"""The latest exchanges with the way that each has gone, for operators."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cortexd.domain.events import Event, ExchangeEnded
from cortexd.observability.event_documents import event_document

EXCHANGES_MAX: Final = 200


class RecentExchanges:
    """A sink of events, which keeps the accounts of the latest exchanges and no other event.

    `wall_clock` gives seconds since the epoch. There is no prompt and no answer in an account.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._ended: deque[tuple[float, ExchangeEnded]] = deque(maxlen=EXCHANGES_MAX)

    def observe(self, event: Event) -> None:
        """Take in an event."""
        if type(event) is ExchangeEnded:
            self._ended.append((self._wall_clock(), event))

    def documents(self) -> list[dict[str, Any]]:
        """The accounts, newest first."""
        return [
            {"ended_at": datetime.fromtimestamp(at, UTC).isoformat(), **event_document(event)}
            for at, event in reversed(self._ended)
        ]
