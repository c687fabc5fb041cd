"""Who is there, who leads, and who sees to which worker, as a node may believe at a moment.

Rules of this file: no two nodes believe at the same time that they lead, or that they own the same
worker, as long as a second is a second for all of them. A node goes by what its last good beat has
brought; all it concludes from it about *itself* is cautious (counted from when the beat was sent,
and from when it was surely served), so that it gives up before another one begins. What is new, a
Redis or a worker on a node, counts only when a lease has passed: by then every node has seen it,
or is a member no longer. And a node that is gone for others never makes one believe more than
before: whoever is first among all is first among those who are left.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    Member,
    NodeName,
    Sighting,
    WorkerKey,
    WorkerReport,
)
from cortexd.policy.health import Probe

CLOCK_S: Final = 0.001
"""By so much others are ahead of what the node thinks, so that rounding makes no two owners."""


@attrs.frozen(kw_only=True)
class LeaseTerms:
    """For whom, and how long: see `[cluster]`. Seconds."""

    node: NodeName
    lease_s: float
    beat_s: float

    @property
    def held_s(self) -> float:
        """How long a beat keeps a node a member.

        A death is seen at the first beat of the others after it, so within the lease.
        """
        return self.lease_s - self.beat_s


@attrs.frozen(kw_only=True)
class Standing:
    """What the last good beat has brought. `sent_at`: when it was sent, in monotonic seconds."""

    sent_at: float
    sighting: Sighting

    def lost_at(self, terms: LeaseTerms) -> float:
        """When the node's own lease can have run out, in monotonic seconds."""
        return self.sent_at + terms.held_s

    @property
    def clock_s(self) -> float:
        """By how much Redis time is ahead of the node's, at most: the beat took some time."""
        return self.sighting.at - self.sent_at

    def redis_time(self, now: float) -> float:
        """What the clock of Redis shows at most."""
        return now + self.clock_s + CLOCK_S


def member_view(standing: Standing, terms: LeaseTerms, now: float) -> ClusterView:
    """What a member may believe."""
    sighting = standing.sighting
    leader = _leader(sighting, terms)
    return ClusterView(
        state=ClusterState.MEMBER,
        node=terms.node,
        members=sighting.members,
        size_seen=max(1, len(sighting.members)),
        leader=leader,
        is_leader=leader == terms.node,
        owners=_owners(standing, terms, now),
        left=sighting.left,
        clock_s=standing.clock_s,
    )


def alone_view(before: ClusterView, reason: str) -> ClusterView:
    """What a node may believe that is no member: nothing about others."""
    return ClusterView(
        state=ClusterState.ALONE,
        node=before.node,
        reason=reason,
        size_seen=before.size_seen,
        clock_s=before.clock_s,
    )


def next_change_at(standing: Standing, terms: LeaseTerms, now: float) -> float:
    """When to judge anew without another beat, in monotonic seconds; the end of the lease at last.

    That is when another node may begin to own what this one has owned.
    """
    at = standing.redis_time(now)
    dues = (
        counts_from(entry, member, terms) - standing.clock_s
        for member in standing.sighting.members
        if member.name != terms.node
        for entry in member.report.workers
        if counts_from(entry, member, terms) > at
    )
    return min((standing.lost_at(terms), *dues))


def counts_from(entry: WorkerReport, member: Member, terms: LeaseTerms) -> float:
    """From when on (Redis time) the member may own this worker: all have seen that it has it."""
    since = member.reported_at if entry.since is None else entry.since
    return max(since, member.joined_at) + terms.lease_s


def rank(worker: WorkerKey, node: NodeName, *, is_preferred: bool) -> tuple[bool, bytes]:
    """The greatest of all owns the worker: one the settings name, else by rendezvous hashing."""
    text = "\0".join((*worker, node)).encode()
    return is_preferred, hashlib.blake2b(text, digest_size=8).digest()


def _leader(sighting: Sighting, terms: LeaseTerms) -> NodeName | None:
    # One who has led before this Redis was there may take itself for the leader until then.
    if sighting.at < sighting.born_at + terms.lease_s:
        return None
    return min(sighting.members, key=lambda member: member.token).name if sighting.members else None


def _owners(standing: Standing, terms: LeaseTerms, now: float) -> Mapping[WorkerKey, NodeName]:
    best: dict[WorkerKey, tuple[tuple[bool, bytes], NodeName]] = {}
    for member in standing.sighting.members:
        # Of the node itself, what was so for sure; of others, what may be so by now.
        is_self = member.name == terms.node
        at = standing.sighting.at if is_self else standing.redis_time(now)
        for entry in member.report.workers:
            if counts_from(entry, member, terms) > at:
                continue
            claim = rank(entry.key, member.name, is_preferred=entry.is_preferred), member.name
            best[entry.key] = max(best.get(entry.key, claim), claim)
    return {worker: name for worker, (_, name) in best.items()}


def suspects(
    before: Sequence[Member], after: Sequence[Member], node: NodeName
) -> Iterator[WorkerKey]:
    """The workers that another node has begun to find wrong: to be looked at, and no more."""
    known = set(_complaints(before, node))
    for complaint in _complaints(after, node):
        if complaint not in known:
            yield complaint[1]


def _complaints(members: Sequence[Member], node: NodeName) -> Iterator[tuple[NodeName, WorkerKey]]:
    for member in members:
        if member.name == node:
            continue
        for entry in member.report.workers:
            is_bad = entry.verdict is not None and not entry.verdict.is_good
            if is_bad or entry.breaker == "open":
                yield member.name, entry.key


def hearsay(view: ClusterView, worker: WorkerKey, *, age_s_max: float) -> Probe | None:
    """What the worker's owner has found by probing it, if that was good and not too long ago.

    `None` where this node owns it, or nobody does: then it probes by itself.
    """
    owner = view.owners.get(worker)
    if owner is None or owner == view.node:
        return None
    for member in view.members:
        if member.name == owner:
            for entry in member.report.workers:
                verdict = entry.verdict
                if entry.key == worker and verdict is not None:
                    is_of_use = verdict.is_good and verdict.age_s <= age_s_max
                    return Probe(models=verdict.models) if is_of_use else None
    return None
