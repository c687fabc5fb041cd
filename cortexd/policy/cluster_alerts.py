"""Alerts where nodes are a cluster: what is every node's own matter, and what they share.

A matter that is shared is the same alert on all nodes, however many of them see it, and people are
told of it by the leader alone. A node's own matter has the node's name in its target, so that two
nodes with full memory are two alerts; a node that is cut off from the others goes on to tell it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.alert import Condition, Rule, Severity
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.domain.cluster import NodeName
from cortexd.policy.alert_states import has_warnings

CONDITIONS_MAX: Final = 64
"""So many conditions of one node count; of more, the worst."""

TEXT_CHARACTERS_MAX: Final = 500
"""So long are the message and the target of a condition."""


@unique
class Reach(Enum):
    """Whose matter it is."""

    NODE = "of one node"
    CLUSTER = "of all nodes"


REACHES: Final[Mapping[Rule, Reach]] = {
    # A worker, its certificate and its keys are the same to all; whoever sees to one of them on
    # account of one node has seen to it for the others.
    Rule.BREAKER_OPEN: Reach.CLUSTER,
    Rule.UNTRUSTED_WORKER: Reach.CLUSTER,
    Rule.KEY_OFF: Reach.CLUSTER,
    # What the leader says of others, who cannot.
    Rule.NODE_LOST: Reach.CLUSTER,
    # A node that finds fewer workers than the others do is the one to look at.
    Rule.NO_AVAILABLE_WORKERS: Reach.NODE,
    Rule.FEW_AVAILABLE_WORKERS: Reach.NODE,
    # Its own files and its own process.
    Rule.DEAD_LETTERS: Reach.NODE,
    Rule.STORAGE: Reach.NODE,
    Rule.HIGH_MEMORY: Reach.NODE,
    Rule.RESTARTS: Reach.NODE,
    # Its own requests: one node in trouble behind a load balancer must not hide among the others.
    Rule.ERROR_RATE: Reach.NODE,
    Rule.SLOW_TTFT: Reach.NODE,
    Rule.DEGRADED: Reach.NODE,
    # Its own way to what nodes share, and to the broker.
    Rule.CLUSTER_LOST: Reach.NODE,
    Rule.FLEET_LOST: Reach.NODE,
}


def for_cluster(conditions: Collection[Condition], node: NodeName) -> tuple[Condition, ...]:
    """What a node finds wrong, as the cluster is to hear of it."""
    worst = sorted(conditions, key=lambda each: -each.severity.rank)[:CONDITIONS_MAX]
    return tuple(
        attrs.evolve(
            each,
            target=_target(each, node)[:TEXT_CHARACTERS_MAX],
            message=each.message[:TEXT_CHARACTERS_MAX],
        )
        for each in worst
    )


def is_of(condition: Condition, node: NodeName) -> bool:
    """Whether it is that node's own matter."""
    if REACHES[condition.rule] is Reach.CLUSTER:
        return False
    return condition.target == node or condition.target.startswith(f"{node}/")


def is_of_any(condition: Condition, nodes: Collection[NodeName]) -> bool:
    """Whether it is the own matter of one of them."""
    return any(is_of(condition, node) for node in nodes)


def own_conditions(conditions: Collection[Condition], node: NodeName) -> tuple[Condition, ...]:
    """Those which are the node's own matter."""
    return tuple(each for each in conditions if is_of(each, node))


def own_alerts(book: AlertBook, node: NodeName) -> dict[str, Alert]:
    """Those alerts which are the node's own matter."""
    return {name: alert for name, alert in book.items() if is_of(alert.condition, node)}


def has_warnings_about(book: AlertBook, node: NodeName) -> bool:
    """As `has_warnings`, but for what is the matter with other nodes."""
    return has_warnings(
        {
            name: alert
            for name, alert in book.items()
            if REACHES[alert.condition.rule] is Reach.CLUSTER or is_of(alert.condition, node)
        }
    )


def united(found: Mapping[NodeName, Sequence[Condition]]) -> tuple[Condition, ...]:
    """What the nodes find wrong, of each alert once: as bad as the worst of them finds it."""
    by_id: dict[str, dict[NodeName, Condition]] = {}
    for node, conditions in found.items():
        for condition in conditions:
            by_id.setdefault(condition.alert_id, {})[node] = condition
    return tuple(_united(each, nodes=len(found)) for each in by_id.values())


def lost_nodes(names: Collection[NodeName]) -> Iterator[Condition]:
    """What is wrong when these nodes are gone without having left."""
    for name in names:
        yield Condition(
            rule=Rule.NODE_LOST,
            target=name,
            severity=Severity.WARNING,
            message=f"node {name} has not been heard of for a lease and did not leave: see to its"
            " machine, or start it again; the others have taken over its workers",
        )


def _target(condition: Condition, node: NodeName) -> str:
    if REACHES[condition.rule] is Reach.CLUSTER:
        return condition.target
    return f"{node}/{condition.target}" if condition.target else node


def _united(seen: Mapping[NodeName, Condition], *, nodes: int) -> Condition:
    worst = max(seen.values(), key=lambda each: each.severity.rank)
    if REACHES[worst.rule] is Reach.NODE or len(seen) == nodes:
        return worst
    message = f"{worst.message} (seen only by {', '.join(sorted(seen))})"
    return attrs.evolve(worst, message=message[:TEXT_CHARACTERS_MAX])
