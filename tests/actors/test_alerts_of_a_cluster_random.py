"""Alerts of a cluster to which anything happens: all of them are told, and none of them twice.

But for what a leader has told in the very moment in which it dies or loses the store: whoever is
next cannot know, and tells it again rather than never.
"""

import random

import pytest
import trio

from cortexd.domain.cluster import NodeName
from tests.actors.alert_cluster import Cluster, Telling, cluster_of
from tests.actors.alert_store import BEAT_S, LEASE_S, Writes

NAMES = ("a", "b", "c", "d")
SEEDS = 12
EPISODES = 5
TAKING_OUT_S = 0.6
"""A leader that has told something has it written when it lives, and has the store, for longer."""


class _Weather:
    """What happens to the nodes, and from when to when which of them may lose its office."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self.losses: list[tuple[float, float, NodeName]] = []

    async def blow(self) -> None:
        """Have something happen again and again, until cancelled."""
        while True:
            await trio.sleep(self._chance.uniform(0.5, 12.0))
            kinds = (self._kill, self._kill, self._cut, self._be_late, self._lose_answers)
            await self._chance.choice((*kinds, self._wipe))()

    async def _kill(self) -> None:
        name = self._one()
        self._lost(name)
        self._cluster.kill(name)
        await trio.sleep(self._chance.uniform(0.0, 3 * LEASE_S))
        self._cluster.start(name)

    async def _cut(self) -> None:
        name = self._one()
        self._lost(name)
        self._cluster.nodes[name].wire.is_cut = True
        await trio.sleep(self._chance.uniform(0.0, 4 * LEASE_S))
        self._cluster.nodes[name].wire.is_cut = False

    async def _be_late(self) -> None:
        name, late_s = self._one(), self._chance.uniform(0.0, 2 * LEASE_S)
        during_s = self._chance.uniform(0.0, 4 * LEASE_S)
        self._lost(name, during_s + late_s)
        self._cluster.nodes[name].beats_late_s = late_s
        await trio.sleep(during_s)
        self._cluster.nodes[name].beats_late_s = 0.0

    async def _lose_answers(self) -> None:
        name = self._one()
        self._cluster.nodes[name].wire.writes = Writes.UNANSWERED
        await trio.sleep(self._chance.uniform(0.0, 2.0))
        self._cluster.nodes[name].wire.writes = Writes.DONE

    async def _wipe(self) -> None:
        during_s = self._chance.uniform(0.0, 3 * LEASE_S)
        for name in self._cluster.nodes:
            # Until the first beat afterwards, an old leader leads.
            self._lost(name, during_s + 2 * BEAT_S)
        self._cluster.store.is_down = True
        await trio.sleep(during_s)
        self._cluster.store.wipe()
        self._cluster.store.is_down = False

    def _one(self) -> NodeName:
        return self._chance.choice((self._cluster.leader, *self._cluster.nodes)) or NodeName("a")

    def _lost(self, name: NodeName, during_s: float = 0.0) -> None:
        now = trio.current_time()
        self.losses.append((now, now + during_s, name))

    def excuses(self, first: Telling) -> bool:
        """Whether who told it may have had no time to have it written."""
        begin, end = first.at - TAKING_OUT_S, first.settled_at + TAKING_OUT_S
        return any(
            name == first.node and since < end and begin < until
            for since, until, name in self.losses
        )

    def was_cut_off(self, name: NodeName, at: float) -> bool:
        """Whether a node was losing the store then: what a leader tells of it, it cannot see."""
        return any(
            each == name and since - 1.0 < at < until + LEASE_S
            for since, until, each in self.losses
        )

    @property
    def history(self) -> str:
        """All there is to know."""
        told = (f"{each.at:8.2f} {each.node} {each.what}" for each in self._cluster.told)
        losses = (f"{since:8.2f} to {until:8.2f} {name}" for since, until, name in self.losses)
        return "\n".join((*told, "losses", *losses))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_all_is_told_and_nothing_twice(seed: int) -> None:
    """Breakers that open on all nodes, one after the other, each until somebody is told."""
    chance = random.Random(seed)  # noqa: S311  a test's own
    async with cluster_of(*NAMES, seed=seed) as cluster:
        weather = _Weather(cluster, chance)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(weather.blow)
            for number in range(EPISODES):
                for node in cluster.nodes.values():
                    node.hook.takes_s = chance.choice((0.0, 0.0, 1.0))
                cluster.breaks(f"w{number}")
                await _told(cluster, f"fired breaker_open:w{number}")
                await trio.sleep(chance.uniform(0.0, 10.0))
                cluster.breaks()
                await _told(cluster, f"resolved breaker_open:w{number}")
            nursery.cancel_scope.cancel()
        twice = _told_twice(cluster, "breaker_open")
        assert all(weather.excuses(first) for first, _ in twice), weather.history


async def _told(cluster: Cluster, what: str) -> None:
    with trio.fail_after(3600):
        while what not in cluster.whats:  # noqa: ASYNC110  as people do
            await trio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_what_is_the_matter_with_one_node_is_told_as_well(seed: int) -> None:
    """By whoever can at that time, and not again, but by one who could not know."""
    chance = random.Random(seed)  # noqa: S311  a test's own
    async with cluster_of(*NAMES, seed=seed) as cluster:
        weather = _Weather(cluster, chance)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(weather.blow)
            name = NodeName(chance.choice(NAMES))
            for what, letters in (("fired", 51), ("resolved", 0)):
                while f"{what} dead_letters:{name}" not in cluster.whats:
                    if name in cluster.nodes:
                        cluster.nodes[name].keeps_letters(letters)
                    await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        twice = _told_twice(cluster, "dead_letters")
        assert all(
            weather.excuses(first) or weather.was_cut_off(name, first.at) for first, _ in twice
        ), weather.history


def _told_twice(cluster: Cluster, rule: str) -> list[tuple[Telling, Telling]]:
    """What people were told again that they knew: first, and again."""
    last: dict[str, Telling] = {}
    twice: list[tuple[Telling, Telling]] = []
    for telling in cluster.told:
        alert_id = telling.notice.alert_id
        before = last.get(alert_id)
        if alert_id.startswith(rule):
            if before is not None and before.what == telling.what:
                twice.append((before, telling))
            last[alert_id] = telling
    return twice
