"""Several sinks for each event, none of which can harm the others or who emits."""

from collections.abc import Sequence

import structlog

from cortexd.domain.events import Emit, Event

log = structlog.get_logger(__name__)


class EventSinks:
    """Hands each event to all sinks, in their order."""

    def __init__(self, sinks: Sequence[Emit]) -> None:
        self._sinks = tuple(sinks)
        self._failed: set[Emit] = set()

    def emit(self, event: Event) -> None:
        """Tell them all. Never waits and never raises."""
        for sink in self._sinks:
            try:
                sink(event)
            except Exception:
                # Said once: a sink that fails at every event would flood the log.
                if sink not in self._failed:
                    self._failed.add(sink)
                    log.exception("a sink of events failed", sink=repr(sink))
