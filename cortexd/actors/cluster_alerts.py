"""A node's part in the alerts of its cluster: it leads, follows, or is alone.

Who leads writes what is to be told into the ledger, and only then tells people, and takes it out
when they are told. Its successor tells what is left, so nothing is lost; and nothing is told twice,
but for what was told and not yet taken out when the leader died or was cut off. Who follows reads
the ledger and tells nobody. Who is alone tells of itself, and leaves what is shared to the leader
it cannot see; being a member again, it hands over what has become of that.

Rules of this file: between two waits everything changes or nothing; a look ends within
`LOOK_S_MAX`, whatever the ledger does.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.published import Published
from cortexd.cluster_ports import AlertLedger, LedgerReading
from cortexd.domain.alert import AlertState, Condition, Notice
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.domain.alert_ledger import Acknowledged, HandedOver, Ledger
from cortexd.domain.cluster import ClusterState, ClusterView, NodeName
from cortexd.domain.errors import SharedStoreFailed
from cortexd.policy.alert_ledger import AMENDED, WRITTEN, Sight, lead, untold_of, waiting_of
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import acknowledge, advance
from cortexd.policy.cluster_alerts import for_cluster, own_alerts, own_conditions
from supervisor_tree import ReplyError

LOOK_S_MAX: Final = 1.0

ALONE_S: Final = 2.0
"""So long after it was last a member, a node is alone for sure: it cannot be so any more without
joining anew, nor does the leader speak for it."""

HAND_OVER_S: Final = 2.0
"""How long the leader has for taking something over before it is handed in again."""

ACKNOWLEDGING_S: Final = 5.0
"""For so long an alert that was acknowledged here is shown so, before the leader has it written."""

Waiting = Mapping[str, Sequence[Notice]]
"""For each channel by its name, what it is to tell."""


class AlertsOutOfReach(ReplyError):
    """The node cannot reach whoever keeps the alert."""


@attrs.frozen(kw_only=True, eq=False)
class ClusterAlertParts:
    """What it works with. `reported`: what the node finds wrong, for the others to know."""

    settings: AlertSettings
    view: Published[ClusterView]
    ledger: AlertLedger
    reported: Published[tuple[Condition, ...]]
    outboxes: Mapping[str, AlertOutbox]
    lease_s: float


@attrs.frozen
class _Attempt:
    """A ledger that was sent off to be written, and what is to be told once it is."""

    ledger: Ledger
    fresh: Waiting


class ClusterAlerts:
    """What the node knows of the cluster's alerts. It outlives the alert manager."""

    def __init__(self, parts: ClusterAlertParts) -> None:
        self._parts = parts
        self._known = Ledger()
        # The node's own alerts, once it was alone with them and until it has handed them over.
        self._own: AlertBook | None = None
        # The token by which this node leads: what is untold is in its outboxes.
        self._office: int | None = None
        self._attempt: _Attempt | None = None
        self._alone_since: float | None = None
        self._was_member = False
        self._handed_over_at = float("-inf")
        self._acknowledged: dict[str, float] = {}

    @property
    def book(self) -> AlertBook:
        """All alerts of the cluster, as far as the node knows."""
        book = dict(self._known.book)
        if self._own is not None:
            for alert_id in own_alerts(book, self._parts.view.value.node):
                del book[alert_id]
            book.update(self._own)
        for alert_id in self._acknowledged:
            if alert_id in book and book[alert_id].state is AlertState.FIRING:
                book.update(acknowledge(book, alert_id))
        return book

    async def wait_leader_changed(self) -> None:
        """Wait until another node leads, or none, or this one."""
        before = self._parts.view.value
        await self._parts.view.wait_until(
            lambda view: (view.state, view.leader) != (before.state, before.leader)
        )

    async def look(self, found: Sequence[Condition]) -> None:
        """Take in what is wrong now."""
        parts, now = self._parts, trio.current_time()
        view = parts.view.value
        mine = for_cluster(found, view.node)
        parts.reported.publish(mine)
        self._acknowledged = {
            alert_id: at
            for alert_id, at in self._acknowledged.items()
            if now < at + ACKNOWLEDGING_S
        }
        if view.state is ClusterState.MEMBER:
            self._was_member, self._alone_since = True, None
            self._hold(is_held=not await self._is_exchanged(view, mine))
            return
        self._step_down()
        self._hold(is_held=False)
        if self._alone_since is None:
            self._alone_since = now
        if now >= self._alone_since + (ALONE_S if self._was_member else parts.lease_s):
            self._go_on_alone(view.node, mine, now)

    async def acknowledge(self, alert: Alert) -> None:
        """Have it acknowledged everywhere, before long. Errors: `AlertsOutOfReach`."""
        alert_id = alert.condition.alert_id
        view = self._parts.view.value
        if self._own is not None and alert_id in self._own:
            self._own = acknowledge(self._own, alert_id)
        elif view.state is not ClusterState.MEMBER:
            raise AlertsOutOfReach("the cluster cannot be reached now; try again")
        if view.state is ClusterState.MEMBER:
            try:
                with trio.fail_after(LOOK_S_MAX):
                    await self._parts.ledger.hand_in(Acknowledged(alert_id=alert_id))
            except (SharedStoreFailed, trio.TooSlowError) as error:
                raise AlertsOutOfReach(
                    "the alerts of the cluster cannot be reached now; try again"
                ) from error
            self._acknowledged[alert_id] = trio.current_time()

    async def _is_exchanged(self, view: ClusterView, mine: Sequence[Condition]) -> bool:
        """Do a member's part; false if the ledger does not answer, which the link reports."""
        with trio.move_on_after(LOOK_S_MAX), suppress(SharedStoreFailed):
            await (self._lead(view, mine) if view.is_leader else self._follow(view))
            await self._hand_over(view)
            return True
        return False

    def _hold(self, *, is_held: bool) -> None:
        # What is told while the ledger cannot be reached cannot be taken out of it either, and
        # whoever leads next would tell it again.
        for outbox in self._parts.outboxes.values():
            outbox.hold(is_held=is_held and self._office is not None)

    async def _lead(self, view: ClusterView, mine: Sequence[Condition]) -> None:
        token = view.token
        reading = await self._parts.ledger.look(self._known.revision, with_notes=True)
        if reading.token > token or not self._leads(token):
            self._step_down()
            return
        self._take_up(reading, token)
        led = lead(
            self._known,
            Sight(view=view, own=mine, notes=reading.notes),
            now=trio.current_time(),
            settings=self._parts.settings,
        )
        fresh = self._fresh(led.notices)
        waiting = {
            name: (*outbox.unsettled, *fresh[name]) for name, outbox in self._parts.outboxes.items()
        }
        ledger = attrs.evolve(led.ledger, untold=untold_of(waiting))
        if self._office == token and ledger == self._known and not reading.notes_count:
            return
        behind = max(self._known.revision, reading.revision)
        ledger = attrs.evolve(ledger, revision=behind - behind % WRITTEN + WRITTEN)
        self._attempt = _Attempt(ledger, fresh)
        is_written = await self._parts.ledger.write(
            ledger, token=token, notes_done=reading.notes_count
        )
        if is_written:
            self._written(token)
        else:
            self._attempt = None

    def _take_up(self, reading: LedgerReading, token: int) -> None:
        """Go on from what is written, if that is newer."""
        attempt = self._attempt
        if attempt and (reading.token, reading.revision) == (token, attempt.ledger.revision):
            # Its writing was done, although nobody said so.
            self._written(token)
        elif reading.ledger is not None and reading.revision > self._known.revision:
            self._step_down()
            self._known = reading.ledger

    def _written(self, token: int) -> None:
        """Have people told of what is in the ledger now."""
        attempt = self._attempt
        self._attempt = None
        if attempt is None:
            return
        self._known = attempt.ledger
        if not self._leads(token):
            # Who leads now has it from the ledger.
            self._withdraw()
            return
        self._office = token
        for name, notices in attempt.fresh.items():
            for notice in notices:
                self._parts.outboxes[name].put(notice)

    def _fresh(self, notices: Sequence[Notice]) -> Waiting:
        """What the channels have to tell that is not in their outboxes yet."""
        left = () if self._office is not None else self._known.untold
        return {
            name: (*waiting_of(left, name), *(each for each in notices if outbox.takes(each)))
            for name, outbox in self._parts.outboxes.items()
        }

    def _leads(self, token: int) -> bool:
        view = self._parts.view.value
        return view.is_leader and view.token == token

    def _step_down(self) -> None:
        """Leave to the next leader what is still to be told."""
        self._attempt = None
        if self._office is None:
            return
        untold = untold_of(
            {name: outbox.unsettled for name, outbox in self._parts.outboxes.items()}
        )
        if untold != self._known.untold:
            self._known = attrs.evolve(
                self._known, untold=untold, revision=self._known.revision + AMENDED
            )
        self._withdraw()

    def _withdraw(self) -> None:
        for outbox in self._parts.outboxes.values():
            outbox.withdraw()
        self._office = self._attempt = None

    async def _follow(self, view: ClusterView) -> None:
        self._step_down()
        reading = await self._parts.ledger.look(self._known.revision)
        if reading.revision < self._known.revision:
            leader = min(member.token for member in view.members)
            if await self._parts.ledger.offer(self._known, leader=leader):
                return
        if reading.ledger is not None:
            self._known = reading.ledger

    async def _hand_over(self, view: ClusterView) -> None:
        token, now = view.token, trio.current_time()
        if self._known.members.get(view.node) == token:
            self._own = None
        elif view.leader is not None and now >= self._handed_over_at + HAND_OVER_S:
            self._handed_over_at = now
            alerts = () if self._own is None else tuple(self._own.values())
            await self._parts.ledger.hand_in(HandedOver(node=view.node, token=token, alerts=alerts))

    def _go_on_alone(self, node: NodeName, mine: Sequence[Condition], now: float) -> None:
        after = advance(
            own_alerts(self._known.book, node) if self._own is None else self._own,
            own_conditions(mine, node),
            now=now,
            settings=self._parts.settings,
        )
        self._own = after.book
        for notice in after.notices:
            for outbox in self._parts.outboxes.values():
                outbox.put(notice)
