"""The ledger of a cluster's alerts, and what nodes have for its leader to write in."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from cortexd.domain.alert import Notice
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.domain.cluster import NodeName


@attrs.frozen(kw_only=True)
class Untold:
    """A notice, and the channels by which people have not been told of it yet."""

    notice: Notice
    channels: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Ledger:
    """All that is known of the cluster's alerts. Times are on the clock of the node that has it.

    `members`: the token with which each has handed over, 0 before; `lost`: since when.
    """

    revision: int = 0
    book: AlertBook = attrs.Factory(dict)
    untold: tuple[Untold, ...] = ()
    members: Mapping[NodeName, int] = attrs.Factory(dict)
    lost: Mapping[NodeName, float] = attrs.Factory(dict)

    def shifted(self, by_s: float) -> "Ledger":
        """The same on a clock that is ahead by this."""
        return attrs.evolve(
            self,
            book={name: alert.shifted(by_s) for name, alert in self.book.items()},
            untold=tuple(
                attrs.evolve(each, notice=each.notice.shifted(by_s)) for each in self.untold
            ),
            lost={name: since + by_s for name, since in self.lost.items()},
        )


@attrs.frozen(kw_only=True)
class Acknowledged:
    """Somebody sees to an alert."""

    alert_id: str


@attrs.frozen(kw_only=True)
class HandedOver:
    """What a node knows better than the leader of its own alerts, having been alone with them.

    `token`: by which membership of the node's; from then on it leaves them to the leader.
    """

    node: NodeName
    token: int
    alerts: tuple[Alert, ...]


LedgerNote: TypeAlias = Acknowledged | HandedOver
"""What a node has for the leader to write in."""
