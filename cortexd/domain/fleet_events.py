"""What happens in a fleet, as values."""

import attrs

from cortexd.domain.fleet import AgentName
from cortexd.domain.ids import WorkerName


@attrs.frozen(kw_only=True)
class FleetLineChanged:
    """The line to the broker carries, or does not any more.

    `is_blocked`: the broker takes nothing, for want of memory or disk. `reason`: why it is down.
    """

    is_up: bool
    is_blocked: bool
    reason: str | None


@attrs.frozen(kw_only=True)
class AgentRegistered:
    """An agent has said that it is there, for the first time or again; `workers`: how many."""

    agent: AgentName
    version: str
    workers: int


@attrs.frozen(kw_only=True)
class AgentReported:
    """What has changed with an agent, by its own account: `FIELD: BEFORE -> AFTER`.

    `worker`: with which of its workers, by the agent's name for it; `None`: with the agent itself.
    """

    agent: AgentName
    worker: str | None
    changes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AgentLost:
    """An agent has missed its status; its workers get nothing until it is heard again."""

    agent: AgentName
    silent_s: float


@attrs.frozen(kw_only=True)
class AgentReturned:
    """An agent that had been lost is heard again."""

    agent: AgentName


@attrs.frozen(kw_only=True)
class AgentLeft:
    """An agent has gone; its workers leave when they have answered what they were asked."""

    agent: AgentName


@attrs.frozen(kw_only=True)
class FleetWorkerRefused:
    """A worker that an agent has offered is none that this node can take on."""

    worker: WorkerName
    problems: tuple[str, ...]


@attrs.frozen(kw_only=True)
class FleetCommandDone:
    """An agent was told to do something. `response_s` `None`: it gave no answer in time.

    `worker`: with which of its workers; `None`: with all. `problem`: why it was not done.
    """

    command: str
    agent: AgentName
    worker: str | None
    response_s: float | None
    problem: str | None


@attrs.frozen(kw_only=True)
class FleetMessageRejected:
    """Something has come over the broker that cannot be used; it is kept there as a dead letter."""

    queue: str
    reason: str
