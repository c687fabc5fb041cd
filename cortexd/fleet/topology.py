"""The exchanges and queues of a fleet: what is declared by whom, and with which limits.

Agents publish to `register` and `status`, of which every node has a queue of its own, so that each
sees the whole fleet. Nodes publish to `commands`, of which every agent has a queue of its own. What
cannot be used is put into one queue for dead letters, where people can look at it; by whoever found
it so, and not by the broker, which would put there as well what has merely grown old.
"""

from typing import Any, Final

import attrs

_PREFIX: Final = "cortexd.fleet"
REGISTER: Final = f"{_PREFIX}.register"
STATUS: Final = f"{_PREFIX}.status"
COMMANDS: Final = f"{_PREFIX}.commands"
DEAD_LETTERS: Final = f"{_PREFIX}.dead"
PULSES: Final = f"{_PREFIX}.pulses"
"""Leads nowhere: what is sent there comes back, which proves the line."""

TO_ALL: Final = "*"
"""The routing key of what all agents get."""

_MS: Final = 1000
_MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class ExchangePlan:
    """A durable exchange."""

    name: str
    kind: str


@attrs.frozen(kw_only=True)
class QueuePlan:
    """A durable queue, what it is bound to, and on which channel it is read."""

    name: str
    exchange: str
    keys: tuple[str, ...] = ("",)
    arguments: dict[str, Any]
    channel: str | None = None


@attrs.frozen(kw_only=True)
class Topology:
    """What one component needs. `publishes`: by exchange, the channel for what goes there."""

    exchanges: tuple[ExchangePlan, ...]
    queues: tuple[QueuePlan, ...]
    publishes: dict[str, str]


_EXCHANGES: Final = (
    ExchangePlan(name=REGISTER, kind="fanout"),
    ExchangePlan(name=STATUS, kind="fanout"),
    ExchangePlan(name=COMMANDS, kind="direct"),
    ExchangePlan(name=DEAD_LETTERS, kind="fanout"),
    ExchangePlan(name=PULSES, kind="fanout"),
)

_DEAD_LETTERS: Final = QueuePlan(
    name=DEAD_LETTERS,
    exchange=DEAD_LETTERS,
    # The oldest go first.
    arguments={"x-max-length": 1000, "x-max-length-bytes": 16 * _MIB},
)

_REGISTER_CHANNEL: Final = "register"
_STATUS_CHANNEL: Final = "status"
_COMMANDS_CHANNEL: Final = "commands"


def _limits(*, messages: int, life_s: float, gone_after_s: float) -> dict[str, Any]:
    """`gone_after_s`: a queue that nobody has read for so long is of one that will not return."""
    return {
        "x-max-length": messages,
        "x-max-length-bytes": 32 * _MIB,
        "x-message-ttl": int(life_s * _MS),
        "x-expires": int(gone_after_s * _MS),
    }


def node_topology(node: str) -> Topology:
    """Of a node of cortexd: it reads what agents say, and tells them what to do."""
    return Topology(
        exchanges=_EXCHANGES,
        queues=(
            _DEAD_LETTERS,
            QueuePlan(
                name=f"{REGISTER}.{node}",
                exchange=REGISTER,
                arguments=_limits(messages=10_000, life_s=600, gone_after_s=900),
                channel=_REGISTER_CHANNEL,
            ),
            QueuePlan(
                name=f"{STATUS}.{node}",
                exchange=STATUS,
                # A status that is older says nothing: the next one is there.
                arguments=_limits(messages=10_000, life_s=60, gone_after_s=900),
                channel=_STATUS_CHANNEL,
            ),
        ),
        publishes={COMMANDS: _COMMANDS_CHANNEL},
    )


def agent_topology(agent: str) -> Topology:
    """Of an agent: it says what it has and how it is, and reads what it is to do."""
    return Topology(
        exchanges=_EXCHANGES,
        queues=(
            _DEAD_LETTERS,
            QueuePlan(
                name=f"{COMMANDS}.{agent}",
                exchange=COMMANDS,
                keys=(agent, TO_ALL),
                arguments=_limits(messages=1000, life_s=600, gone_after_s=3600),
                channel=_COMMANDS_CHANNEL,
            ),
        ),
        publishes={REGISTER: _REGISTER_CHANNEL, STATUS: _STATUS_CHANNEL},
    )
