"""What can be set about an agent, and what it offers."""

from pathlib import Path

import attrs
from attrs import validators

from cortexd.domain.fleet import FleetWorker
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl
from cortexd.domain.worker import WorkerType


@attrs.frozen(kw_only=True)
class AgentSettings:
    """[agent] in agent.toml. Times in seconds.

    `name`: unique within the fleet. `amqp_url` and `signing_key` are those of the nodes' [fleet].
    `status_seconds`: how often it says how it is; nodes that hear nothing for two of these give it
    up. `state_dir`: where it keeps what must survive a restart.
    """

    name: str
    amqp_url: ServerUrl
    signing_key: Secret
    status_seconds: float = attrs.field(
        default=5.0, validator=[validators.ge(1), validators.le(3600)]
    )
    state_dir: Path


@attrs.frozen(kw_only=True)
class OfferSettings:
    """One [[workers]] of agent.toml: a model server beside the agent.

    `base_url`: where the nodes find it; `local_url`: where the agent does, if that is elsewhere.
    The others are as in cortexd.toml; what is left out is up to the nodes.
    """

    name: str
    type: WorkerType
    base_url: str
    local_url: str | None = None
    models: tuple[str, ...] = ()
    max_concurrency: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    queue_max: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(0))
    )
    priority: int | None = None
    weight: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    context_tokens: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    first_token_seconds: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    idle_seconds: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    total_seconds: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )

    @property
    def probe_url(self) -> str:
        """Where the agent sees whether it is there."""
        return self.local_url or self.base_url

    def offer(self) -> FleetWorker:
        """As the nodes are told of it."""
        told = attrs.asdict(self, recurse=False)
        del told["local_url"]
        return FleetWorker(**told)


@attrs.frozen(kw_only=True)
class AgentConfig:
    """The whole of agent.toml."""

    agent: AgentSettings
    workers: tuple[OfferSettings, ...]
