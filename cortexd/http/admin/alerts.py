"""The alerts for operators: what there is, and that somebody sees to one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import trio

from cortexd.actors.alert_channel import AlertChannel
from cortexd.actors.alert_manager import (
    ALERT_MANAGER,
    AlertManager,
    AlertNotFiring,
    Alerts,
    NoSuchAlert,
)
from cortexd.actors.cluster_alerts import AlertsOutOfReach
from cortexd.domain.alert import AlertState
from cortexd.domain.alert_book import Alert
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.wire.quotation import quoted
from supervisor_tree import whereis

SHOWN_MAX: Final = 20
"""How many alerts the dashboard's document has."""

_ORDER: Final = {
    state: place
    for place, state in enumerate(
        (AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.PENDING, AlertState.RESOLVED)
    )
}


@attrs.frozen(kw_only=True, eq=False)
class AlertOperations:
    """What operators can ask about alerts. `wall_clock` gives seconds since the epoch."""

    alerts: Alerts
    channels: tuple[AlertChannel, ...]
    wall_clock: Callable[[], float]

    async def listed(self, request: DoorRequest) -> tuple[int, Any]:
        """All alerts, or those in one `state`: those that fire first, then the latest first."""
        state = _state(read_query(request, "state").get("state"))
        items = [alert for alert in self._sorted() if state is None or alert.state is state]
        return 200, {
            "items": [self._document(alert) for alert in items],
            "total": len(items),
            "next_cursor": None,
            "channels": [_channel(channel) for channel in self.channels],
        }

    async def acknowledge(self, request: DoorRequest) -> tuple[int, Any]:
        """Say that somebody sees to an alert: nobody is told of it again until it is over."""
        read_query(request)
        alert_id = request.params["alert_id"]
        if alert_id not in self.alerts.value:
            # Not asked of the manager: without alerts in the configuration there is none.
            raise _not_found(alert_id)
        try:
            alert = await whereis(ALERT_MANAGER).call(AlertManager.acknowledge, alert_id)
        except NoSuchAlert:
            raise _not_found(alert_id) from None
        except AlertNotFiring as error:
            raise RequestRefused(str(error), code="alert_not_firing", status=409) from None
        except AlertsOutOfReach as error:
            raise RequestRefused(str(error), code="cluster_unreachable", status=503) from None
        return 200, self._document(alert)

    def summary(self) -> dict[str, Any]:
        """The alerts' part of the dashboard: `active` are those that nobody sees to yet."""
        alerts = self._sorted()
        return {
            "active": sum(alert.state is AlertState.FIRING for alert in alerts),
            "total": len(alerts),
            "items": [self._document(alert) for alert in alerts[:SHOWN_MAX]],
        }

    def _sorted(self) -> list[Alert]:
        latest_first = sorted(
            self.alerts.value.values(), key=lambda alert: alert.since, reverse=True
        )
        return sorted(latest_first, key=lambda alert: _ORDER[alert.state])

    def _document(self, alert: Alert) -> dict[str, Any]:
        condition = alert.condition
        return {
            "id": condition.alert_id,
            "rule": condition.rule.value,
            "target": condition.target,
            "severity": condition.severity.value,
            "state": alert.state.value,
            "message": condition.message,
            "since_at": self._date(alert.since),
            "last_fired_at": self._date(alert.last_fired),
            "resolved_at": self._date(alert.resolved),
            "count": alert.count,
        }

    def _date(self, moment: float | None) -> str | None:
        if moment is None:
            return None
        ago_s = trio.current_time() - moment
        return datetime.fromtimestamp(self.wall_clock() - ago_s, UTC).isoformat(
            timespec="milliseconds"
        )


def _state(name: str | None) -> AlertState | None:
    if name is None:
        return None
    for state in AlertState:
        if state.value == name:
            return state
    states = ", ".join(state.value for state in AlertState)
    raise RequestRefused(f"must be one of: {states}", param="state", code="invalid_value")


def _not_found(alert_id: str) -> RequestRefused:
    return RequestRefused(
        f"there is no alert {quoted(alert_id)}", param="alert_id", code="not_found", status=404
    )


def _channel(channel: AlertChannel) -> dict[str, Any]:
    outbox = channel.outbox
    return {
        "name": channel.name,
        "type": channel.type,
        "queued": outbox.queued,
        "delivered": outbox.delivered_count,
        "lost": outbox.lost,
        "failure": outbox.failure,
    }
