"""The alert manager: looks each second at what is wrong, and has people told of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.cluster_alerts import ClusterAlerts
from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.domain.alert import AlertState, Condition, Severity
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.domain.events import AlertChanged, Emit
from cortexd.policy.alert_rules import NodeReadings, conditions
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import IllegalAlertTransition, acknowledge, advance
from supervisor_tree import Actor, Name, ReplyError

TICK_S: Final = 1.0
CLUSTER_TICK_S: Final = 0.5
"""What one node of a cluster has to say to the leader, and the leader to all, is two ticks away."""

Alerts: TypeAlias = Published[AlertBook]
"""All alerts, as the alert manager publishes them."""


class NoSuchAlert(ReplyError):
    """There is no alert of that id."""


class AlertNotFiring(ReplyError):
    """The alert does not fire, so there is nothing to acknowledge."""


@attrs.frozen(kw_only=True, eq=False)
class AlertParts:
    """What the manager works with. All of it outlives the manager.

    `read` gives the readings of this moment, out of what others have published; it never waits.
    `cluster`: the node's part in the alerts of its cluster, if it has one.
    """

    settings: AlertSettings
    alerts: Alerts
    read: Callable[[], NodeReadings]
    outboxes: Sequence[AlertOutbox]
    emit: Emit
    cluster: ClusterAlerts | None = None


class AlertManager(Actor):
    """Owns no alert: they are published, and what is to be told is in the outboxes.

    Both change in one step without a wait in between, so that a manager that is killed has neither
    told what it does not know, nor knows what it has not told.
    """

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: AlertParts) -> None:
        self._parts = parts

    async def on_start(self) -> None:
        """Look at once, so that one that keeps crashing looks as well, and then each second."""
        self.continue_with(AlertManager.look)
        cluster = self._parts.cluster
        self.every(TICK_S if cluster is None else CLUSTER_TICK_S, AlertManager.look)
        if cluster is not None:
            self.nursery.start_soon(self._look_when, cluster.wait_leader_changed)
            for outbox in self._parts.outboxes:
                self.nursery.start_soon(self._look_when, outbox.wait_settled)

    async def look(self) -> None:
        """Take in what is wrong now; in a cluster that waits for a little while, see there."""
        parts = self._parts
        found = conditions(parts.read(), parts.settings)
        if parts.cluster is None:
            self._publish(self._taken_in(found))
        else:
            await parts.cluster.look(found)
            self._publish(parts.cluster.book)

    async def acknowledge(self, alert_id: str) -> Alert:
        """Have nobody told of an alert any more until it is over; gives it as it is then.

        Errors: `NoSuchAlert`, `AlertNotFiring`, `AlertsOutOfReach`.
        """
        before = self._parts.alerts.value
        try:
            after = acknowledge(before, alert_id)
        except KeyError:
            raise NoSuchAlert(f"there is no alert '{alert_id}'") from None
        except IllegalAlertTransition:
            state = before[alert_id].state.value
            raise AlertNotFiring(
                f"the alert '{alert_id}' is {state}: only one that fires can be acknowledged"
            ) from None
        if self._parts.cluster is not None:
            await self._parts.cluster.acknowledge(before[alert_id])
            self.continue_with(AlertManager.look)
        self._publish(after)
        return after[alert_id]

    async def _look_when(self, wait_due: Callable[[], Awaitable[None]]) -> None:
        while True:
            await wait_due()
            self.continue_with(AlertManager.look)

    def _taken_in(self, found: Sequence[Condition]) -> AlertBook:
        parts = self._parts
        now = trio.current_time()
        after = advance(parts.alerts.value, found, now=now, settings=parts.settings)
        for notice in after.notices:
            for outbox in parts.outboxes:
                outbox.put(notice)
        return after.book

    def _publish(self, book: AlertBook) -> None:
        before = self._parts.alerts.value
        self._parts.alerts.publish(book)
        self._tell_changes(before, book)

    def _tell_changes(self, before: AlertBook, after: AlertBook) -> None:
        for alert_id, alert in after.items():
            shown = _shown(alert)
            if shown is not None and shown != _shown(before.get(alert_id)):
                self._parts.emit(
                    AlertChanged(
                        alert_id=alert_id,
                        rule=alert.condition.rule,
                        target=alert.condition.target,
                        severity=alert.condition.severity,
                        state=alert.state,
                        message=alert.condition.message,
                    )
                )


def _shown(alert: Alert | None) -> tuple[AlertState, Severity | None] | None:
    """What makes an alert another one to those who watch: what is pending is no news yet."""
    if alert is None or (alert.state is AlertState.PENDING and not alert.count):
        return None
    return (alert.state, alert.condition.severity) if alert.is_active else _OVER


_OVER: Final = (AlertState.RESOLVED, None)

ALERT_MANAGER = Name[AlertManager]("alert-manager")
