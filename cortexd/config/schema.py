"""All settings of a node in one checked value."""

import attrs

from cortexd.cluster.settings import ClusterSettings
from cortexd.config.node import NodeSettings
from cortexd.domain.client_key import ClientKeySettings
from cortexd.domain.worker import WorkerSettings
from cortexd.http.settings import AdminSettings, DataSettings
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.caching import CacheSettings
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.dead_letter import DlqSettings
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.fleet_settings import FleetSettings
from cortexd.policy.health import HealthSettings
from cortexd.policy.load_balancing import PoolSettings
from cortexd.policy.metrics_history import MetricsSettings
from cortexd.policy.rate_limit import LimitSettings
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.routing import RoutingSettings
from cortexd.providers.embedded.settings import EmbeddedSettings


@attrs.frozen(kw_only=True)
class Config:
    """The whole of cortexd.toml: one field a section, in the order of the reference.

    `allow_inline_secrets`: credentials may stand in the file itself.
    """

    allow_inline_secrets: bool = False
    node: NodeSettings
    data: DataSettings
    admin: AdminSettings
    keys: tuple[ClientKeySettings, ...] = ()
    limits: LimitSettings = attrs.Factory(LimitSettings)
    workers: tuple[WorkerSettings, ...]
    pool: PoolSettings
    routing: RoutingSettings
    health: HealthSettings
    breaker: BreakerSettings
    retry: RetrySettings
    cache: CacheSettings
    degradation: DegradationSettings
    alerts: AlertSettings
    dlq: DlqSettings
    metrics: MetricsSettings
    embedded: EmbeddedSettings
    cluster: ClusterSettings = attrs.Factory(ClusterSettings)
    fleet: FleetSettings = attrs.Factory(FleetSettings)
