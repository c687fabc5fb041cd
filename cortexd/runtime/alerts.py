"""The alerts put together: the channels with their outboxes, and what their manager works with."""

from collections.abc import Callable

import attrs

from cortexd.actors.alert_channel import AlertChannel
from cortexd.actors.alert_manager import AlertParts, Alerts
from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.observability.notifiers.build import build_notifier
from cortexd.policy.alert_rules import NodeReadings


@attrs.frozen(kw_only=True)
class NodeAlerts:
    """Who looks, and who tells people. Without alerts there are no channels."""

    parts: AlertParts
    channels: tuple[AlertChannel, ...]


def node_alerts(
    config: Config, *, alerts: Alerts, read: Callable[[], NodeReadings], emit: Emit
) -> NodeAlerts:
    """What the tree needs for alerts."""
    channels = _channels(config) if config.alerts.enabled else ()
    parts = AlertParts(
        settings=config.alerts,
        alerts=alerts,
        read=read,
        outboxes=tuple(channel.outbox for channel in channels),
        emit=emit,
    )
    return NodeAlerts(parts=parts, channels=channels)


def _channels(config: Config) -> tuple[AlertChannel, ...]:
    return tuple(
        AlertChannel(
            name=settings.name,
            type=settings.type.value,
            outbox=AlertOutbox(settings.min_severity),
            notifier=build_notifier(settings, node=config.node.name),
        )
        for settings in config.alerts.channels
    )
