"""What can be set about the fleet."""

import attrs
from attrs import validators

from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl


@attrs.frozen(kw_only=True)
class FleetSettings:
    """[fleet] in cortexd.toml. Times in seconds.

    `amqp_url` `None`: the node has no fleet. `signing_key` is the same for all nodes and agents of
    a fleet. `command_seconds`: how long a command may take, and how long it is good for.
    `history_seconds`: how far back the history of agents and workers goes. `demonstration`: agents
    are activated and deactivated in turns, every `demonstration_seconds`.
    """

    amqp_url: ServerUrl | None = None
    signing_key: Secret | None = None
    command_seconds: float = attrs.field(
        default=10.0, validator=[validators.ge(1), validators.le(300)]
    )
    history_seconds: float = attrs.field(default=604_800.0, validator=validators.ge(60))
    demonstration: bool = False
    demonstration_seconds: float = attrs.field(default=30.0, validator=validators.ge(1))
