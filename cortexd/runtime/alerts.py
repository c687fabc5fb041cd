"""The alerts put together: the channels with their outboxes, and what their manager works with."""

from collections.abc import Callable

import attrs

from cortexd.actors.alert_channel import AlertChannel
from cortexd.actors.alert_manager import AlertParts, Alerts
from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.cluster_alerts import ClusterAlertParts, ClusterAlerts
from cortexd.actors.published import Published
from cortexd.config.schema import Config
from cortexd.domain.alert import Condition
from cortexd.domain.events import Emit
from cortexd.http.admin.alerts import AlertOperations
from cortexd.observability.notifiers.build import build_notifier
from cortexd.policy.alert_rules import NodeReadings
from cortexd.policy.alert_states import has_warnings
from cortexd.policy.cluster_alerts import has_warnings_about
from cortexd.runtime.cluster import NodeCluster


@attrs.frozen(kw_only=True)
class NodeAlerts:
    """Who looks, and who tells people. Without alerts there are no channels.

    `reported`: what is wrong, for the other nodes of a cluster. `has_warnings`: whether something
    is wrong with this node, or with what it shares, that nobody sees to.
    """

    parts: AlertParts
    channels: tuple[AlertChannel, ...]
    reported: Published[tuple[Condition, ...]]
    has_warnings: Callable[[], bool]

    def admin(self, wall_clock: Callable[[], float]) -> AlertOperations:
        """What operators can do with them."""
        return AlertOperations(
            alerts=self.parts.alerts, channels=self.channels, wall_clock=wall_clock
        )


def node_alerts(
    config: Config,
    *,
    read: Callable[[], NodeReadings],
    cluster: NodeCluster,
    emit: Emit,
) -> NodeAlerts:
    """What the tree needs for alerts."""
    channels = _channels(config) if config.alerts.enabled else ()
    alerts: Alerts = Published({})
    reported: Published[tuple[Condition, ...]] = Published(())
    parts = AlertParts(
        settings=config.alerts,
        alerts=alerts,
        read=read,
        outboxes=tuple(channel.outbox for channel in channels),
        emit=emit,
        cluster=_cluster_alerts(config, channels, cluster, reported, emit),
    )
    return NodeAlerts(
        parts=parts,
        channels=channels,
        reported=reported,
        has_warnings=_warnings_of(alerts, cluster),
    )


def link_trouble(cluster: NodeCluster) -> Callable[[float], str | None]:
    """What is wrong at a moment with what the node shares with others, where it does."""
    return (lambda _now: None) if cluster.link is None else cluster.link.trouble


def _warnings_of(alerts: Alerts, cluster: NodeCluster) -> Callable[[], bool]:
    if cluster.link is None:
        return lambda: has_warnings(alerts.value)
    return lambda: has_warnings_about(alerts.value, cluster.view.value.node)


def _cluster_alerts(
    config: Config,
    channels: tuple[AlertChannel, ...],
    cluster: NodeCluster,
    reported: Published[tuple[Condition, ...]],
    emit: Emit,
) -> ClusterAlerts | None:
    if cluster.link is None:
        return None
    # Only here: a node without a cluster does not need the library.
    from cortexd.cluster.alert_ledger import RedisAlertLedger  # noqa: PLC0415

    return ClusterAlerts(
        ClusterAlertParts(
            settings=config.alerts,
            view=cluster.view,
            ledger=RedisAlertLedger(cluster.link, cluster=config.cluster.name, emit=emit),
            reported=reported,
            outboxes={channel.name: channel.outbox for channel in channels},
            lease_s=config.cluster.lease_seconds,
        )
    )


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
