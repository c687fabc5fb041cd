"""A place for nodes to meet, in memory and on Trio's clock: what `cluster/membership.py` does.

It can lose what is asked of it, or its answers, and take its time for both; and it can begin anew,
with nothing or with what it had some time ago, as a Redis that is restarted.
"""

import copy
import random

import attrs
import trio

from cortexd.domain.cluster import Member, NameTaken, NodeName, NodeReport, Sighting
from cortexd.domain.errors import SharedStoreFailed

EPOCH_S = 1_700_000_000.0
"""What its clock shows at Trio's zero."""


@attrs.define
class _Lease:
    member: Member
    instance: str
    expires: float
    has_left: bool = False


@attrs.define
class _Kept:
    """What is in it."""

    leases: dict[str, _Lease] = attrs.Factory(dict)
    token: int = 0


@attrs.define(eq=False)
class FakeClusterStore:
    """What all nodes see. `weather` makes the trouble, `None`: there is none."""

    held_s: float
    kept: _Kept = attrs.Factory(_Kept)
    born_at: float = 0.0
    is_down: bool = False
    weather: random.Random | None = None
    cut_off: set[str] = attrs.Factory(set)
    snapshot: _Kept = attrs.Factory(_Kept)

    def end(self, node: str, instance: str = "1") -> "FakeClusterEnd":
        """A node's end of it."""
        return FakeClusterEnd(self, NodeName(node), instance)

    @property
    def time(self) -> float:
        """What its clock shows."""
        return EPOCH_S + trio.current_time()

    def save(self) -> None:
        """Remember what there is now for a restart."""
        self.snapshot = copy.deepcopy(self.kept)

    def restart(self) -> None:
        """Begin anew with what was saved: the tokens may be old ones, the members do not count."""
        self.kept = _Kept(token=self.snapshot.token)

    def beat(
        self, node: NodeName, instance: str, report: NodeReport, *, token: int, known_token: int
    ) -> Sighting:
        """One step, as the script is."""
        now, leases = self.time, self.kept.leases
        if not leases:
            self.born_at = now
        for name in [name for name, lease in leases.items() if lease.expires <= now]:
            del leases[name]
        mine = leases.get(node)
        if mine is not None and mine.has_left:
            mine = None
        if mine is not None and mine.instance != instance:
            raise NameTaken(f"another node is called {node}")
        joined_at = now
        if mine is not None and mine.member.token == token:
            joined_at = mine.member.joined_at
        else:
            self.kept.token = token = max(self.kept.token, known_token) + 1
        member = Member(name=node, token=token, joined_at=joined_at, report=report, reported_at=now)
        leases[node] = _Lease(member, instance, now + self.held_s)
        return Sighting(
            token=token,
            at=now,
            born_at=self.born_at,
            members=tuple(each.member for _, each in sorted(leases.items()) if not each.has_left),
            left=frozenset(NodeName(name) for name, each in leases.items() if each.has_left),
        )

    async def trouble(self, node: str, most_s: float) -> None:
        """What may happen on the way there, or on the way back."""
        await trio.lowlevel.checkpoint()
        if self.is_down or node in self.cut_off:
            raise SharedStoreFailed("it cannot be reached")
        if self.weather is not None:
            await trio.sleep(most_s * self.weather.random() ** 4)
            if self.weather.random() < 0.1:
                raise SharedStoreFailed("no answer")


@attrs.frozen(eq=False)
class FakeClusterEnd:
    """See `cluster_ports.ClusterStore`."""

    store: FakeClusterStore
    node: NodeName
    instance: str

    async def beat(self, report: NodeReport, *, token: int, known_token: int) -> Sighting:
        """Late or not, done or not, told or not."""
        await self.store.trouble(self.node, self.store.held_s)
        sighting = self.store.beat(
            self.node, self.instance, report, token=token, known_token=known_token
        )
        await self.store.trouble(self.node, self.store.held_s)
        return sighting

    async def leave(self) -> None:
        """Gone at once."""
        await self.store.trouble(self.node, 0.0)
        lease = self.store.kept.leases.get(self.node)
        if lease is not None and lease.instance == self.instance:
            lease.has_left = True
