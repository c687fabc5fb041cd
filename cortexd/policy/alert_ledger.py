"""The ledger of a cluster's alerts: one book for all nodes, which only their leader writes in.

What happens to it, rules of this file:

- A matter that nodes share is as wrong as the worst member finds it.
- A node's own matter counts from when the node has *handed over* what became of it while there was
  no leader for it, and is left as it is while the node is lost: only the node itself can know, and
  tells it to people by itself.
- A member that is gone without having left is lost, until it is back or `LOST_S_MAX` is over.
- What is to be told is in the ledger before anybody is told, and until everybody has been.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from cortexd.domain.alert import Condition, Notice
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.domain.alert_ledger import Acknowledged, HandedOver, Ledger, LedgerNote, Untold
from cortexd.domain.cluster import ClusterView, NodeName
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import IllegalAlertTransition, acknowledge, advance
from cortexd.policy.cluster_alerts import is_of, is_of_any, lost_nodes, united

LOST_S_MAX: Final = 6 * 3600.0
"""A node that does not come back is forgotten after this time, with what was the matter with it."""

WRITTEN: Final = 2
AMENDED: Final = 1
"""Each writing adds the first of these to the revision. What a leader has found out after its last
one, without being able to write, adds the second: it is newer than what others have read, and older
than what another leader has written since."""

CLOCKS_S: Final = 1.0
"""Times that were taken from one node to another are off by less than this."""

_NOT_HANDED_OVER: Final = 0


@attrs.frozen(kw_only=True)
class Sight:
    """What the leader has before it: who is there, what it finds wrong itself, and the notes."""

    view: ClusterView
    own: Sequence[Condition]
    notes: Sequence[LedgerNote] = ()

    @property
    def there(self) -> Mapping[NodeName, int]:
        """The members, by their tokens."""
        return {member.name: member.token for member in self.view.members}

    @property
    def found(self) -> tuple[Condition, ...]:
        """What all members find wrong; of the others, when they last said so."""
        others = {
            member.name: member.report.conditions
            for member in self.view.members
            if member.name != self.view.node
        }
        return united({**others, self.view.node: self.own})


@attrs.frozen
class Led:
    """What a look of the leader's has brought; the untold notices are those of before."""

    ledger: Ledger
    notices: tuple[Notice, ...]


def lead(ledger: Ledger, sight: Sight, *, now: float, settings: AlertSettings) -> Led:
    """The ledger after one more look at the cluster."""
    there = sight.there
    arrivals = tuple(_arrivals(ledger, sight))
    members = {name: ledger.members.get(name, _NOT_HANDED_OVER) for name in there}
    members.update({note.node: note.token for note in arrivals})
    lost = {
        name: since
        for name, since in _lost(ledger, sight.view.left, now)
        if name not in there and now - since < LOST_S_MAX
    }
    book = _with_notes(ledger.book, arrivals, sight.notes)
    # Of these only the nodes themselves know.
    held = [*lost, *(name for name in there if members[name] != there[name])]
    still = {name: alert for name, alert in book.items() if is_of_any(alert.condition, held)}
    after = advance(
        {name: alert for name, alert in book.items() if name not in still},
        [*(each for each in sight.found if not is_of_any(each, held)), *lost_nodes(lost)],
        now=now,
        settings=settings,
    )
    return Led(
        attrs.evolve(ledger, book={**still, **after.book}, members=members, lost=lost),
        after.notices,
    )


def untold_of(waiting: Mapping[str, Iterable[Notice]]) -> tuple[Untold, ...]:
    """What the channels have yet to tell, of each notice once."""
    channels: dict[Notice, list[str]] = {}
    for channel, notices in waiting.items():
        for notice in notices:
            channels.setdefault(notice, []).append(channel)
    return tuple(Untold(notice=notice, channels=tuple(names)) for notice, names in channels.items())


def waiting_of(untold: Iterable[Untold], channel: str) -> tuple[Notice, ...]:
    """What one channel has yet to tell."""
    return tuple(each.notice for each in untold if channel in each.channels)


def _arrivals(ledger: Ledger, sight: Sight) -> Iterator[HandedOver]:
    """The members that hand over now; what they repeat is older than what is written."""
    there = sight.there
    for note in sight.notes:
        if not isinstance(note, HandedOver) or there.get(note.node) != note.token:
            continue
        if ledger.members.get(note.node) != note.token:
            yield note


def _lost(
    ledger: Ledger, left: Collection[NodeName], now: float
) -> Iterator[tuple[NodeName, float]]:
    """Who may be lost: those who were, and all members."""
    yield from ledger.lost.items()
    for name in ledger.members:
        if name not in left:
            yield name, now


def _with_notes(
    book: AlertBook, arrivals: Iterable[HandedOver], notes: Iterable[LedgerNote]
) -> AlertBook:
    for arrival in arrivals:
        book = {**book, **dict(_better_known(book, arrival))}
    for note in notes:
        if isinstance(note, Acknowledged):
            book = _acknowledged(book, note.alert_id)
    return book


def _better_known(book: AlertBook, arrival: HandedOver) -> Iterator[tuple[str, Alert]]:
    """Its alerts, but for those of which people were told by a leader after all."""
    for alert in arrival.alerts:
        name = alert.condition.alert_id
        if is_of(alert.condition, arrival.node) and (
            name not in book or _told_at(book[name]) <= _told_at(alert) + CLOCKS_S
        ):
            yield name, alert


def _acknowledged(book: AlertBook, alert_id: str) -> AlertBook:
    try:
        return acknowledge(book, alert_id)
    except (KeyError, IllegalAlertTransition):
        return book  # it is over by now


def _told_at(alert: Alert) -> float:
    return float("-inf") if alert.told is None else alert.told.at
