"""All settings of a node in one checked value."""

import attrs

from cortexd.config.node import NodeSettings
from cortexd.domain.worker import WorkerSettings
from cortexd.http.settings import AdminSettings, DataSettings
from cortexd.policy.health import HealthSettings
from cortexd.policy.load_balancing import PoolSettings
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
    workers: tuple[WorkerSettings, ...]
    pool: PoolSettings
    routing: RoutingSettings
    health: HealthSettings
    embedded: EmbeddedSettings
