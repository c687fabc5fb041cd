"""What can be set about the cluster."""

import attrs
from attrs import validators

from cortexd.domain.server_url import ServerUrl


@attrs.frozen(kw_only=True)
class ClusterSettings:
    """[cluster] in cortexd.toml: what nodes share over Redis. Times in seconds.

    `redis_url` `None`: the node is by itself. `name`: nodes of the same name are one cluster.
    `address`: where others find this node's doors for operators, `None` where they need not.
    """

    redis_url: ServerUrl | None = None
    name: str = attrs.field(default="cortexd", validator=validators.min_len(1))
    address: str | None = None
    lease_seconds: float = attrs.field(default=10.0, validator=validators.ge(1))
    beat_seconds: float = attrs.field(default=3.0, validator=validators.gt(0))
