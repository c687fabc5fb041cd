"""The alert manager: looks each second at what is wrong, and has people told of it."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.domain.alert import AlertState, Severity
from cortexd.domain.events import AlertChanged, Emit
from cortexd.policy.alert_rules import NodeReadings, conditions
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import (
    Alert,
    AlertBook,
    IllegalAlertTransition,
    acknowledge,
    advance,
)
from supervisor_tree import Actor, Name, ReplyError

TICK_S: Final = 1.0

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
    """

    settings: AlertSettings
    alerts: Alerts
    read: Callable[[], NodeReadings]
    outboxes: Sequence[AlertOutbox]
    emit: Emit


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
        self.every(TICK_S, AlertManager.look)

    async def look(self) -> None:
        """Take in what is wrong now."""
        parts = self._parts
        found = conditions(parts.read(), parts.settings)
        before = parts.alerts.value
        after = advance(before, found, now=trio.current_time(), settings=parts.settings)
        parts.alerts.publish(after.book)
        for notice in after.notices:
            for outbox in parts.outboxes:
                outbox.put(notice)
        self._tell_changes(before, after.book)

    async def acknowledge(self, alert_id: str) -> Alert:
        """Have nobody told of an alert any more until it is over; gives it as it is then.

        Errors: `NoSuchAlert`, `AlertNotFiring`.
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
        self._parts.alerts.publish(after)
        self._tell_changes(before, after)
        return after[alert_id]

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
