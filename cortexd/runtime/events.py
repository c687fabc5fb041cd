"""Who is told of what happens in the node: the log, and those who keep it for operators."""

import attrs

from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.observability.event_feed import EventFeed
from cortexd.observability.event_sinks import EventSinks
from cortexd.observability.recent_exchanges import RecentExchanges
from cortexd.runtime.metrics import Counters, counters
from cortexd.runtime.supervision_feed import SUPERVISION_KINDS
from cortexd.runtime.surroundings import Surroundings


@attrs.frozen(kw_only=True, eq=False)
class NodeEvents:
    """Those who keep some of it. `emit` tells them all, and the log."""

    emit: Emit
    feed: EventFeed
    recent: RecentExchanges
    counters: Counters


def node_events(config: Config, around: Surroundings) -> NodeEvents:
    """Make it all; nothing has happened yet."""
    feed = EventFeed(around.wall_clock, more_kinds=SUPERVISION_KINDS)
    recent, counted = RecentExchanges(around.wall_clock), counters(config)
    sinks = EventSinks((around.emit, feed.observe, recent.observe, *counted.sinks))
    return NodeEvents(emit=sinks.emit, feed=feed, recent=recent, counters=counted)
