"""A cluster of alert managers in virtual time; what they meet over is the test's, as faults are.

Who is a member, and who leads, is judged by `policy/membership.py`, as on a node.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import attrs
import trio

from cortexd.actors.alert_channel import AlertChannel
from cortexd.actors.alert_manager import ALERT_MANAGER, AlertManager, AlertParts
from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.cluster_alerts import ClusterAlertParts, ClusterAlerts
from cortexd.actors.published import Published
from cortexd.domain.alert import (
    AlertDigest,
    AlertState,
    Condition,
    Notice,
    NotificationFailed,
    Severity,
)
from cortexd.domain.alert_book import AlertBook
from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    Member,
    NodeName,
    NodeReport,
)
from cortexd.domain.errors import SharedStoreFailed
from cortexd.policy.alert_rules import NodeReadings, WorkerReading
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.membership import LeaseTerms, Standing, alone_view, member_view
from cortexd.ports import Notifier
from supervisor_tree import ActorRef, ChildSpec, Supervisor, open_tree, whereis
from tests.actors.alert_store import BEAT_S, LEASE_S, Store, Wire

SETTINGS: Final = AlertSettings(pending_seconds=1, resolve_seconds=1.5, cooldown_seconds=100_000)
WELL: Final = NodeReadings(workers=(WorkerReading(name="a"), WorkerReading(name="b")))
NOBODY: Final = NodeName("")


@attrs.frozen
class Telling:
    """A notice that people got, when, and from which node, which knew of it at `settled_at`."""

    at: float
    settled_at: float
    node: NodeName
    notice: Notice

    @property
    def what(self) -> str:
        """In words: `fired breaker_open:x`."""
        return f"{self.notice.occasion.value} {self.notice.alert_id}"


@attrs.define(eq=False)
class Hook(Notifier):
    """The way to people from one node; `takes_s`: how long it takes, once people have been told."""

    node: NodeName
    told: list[Telling]
    takes_s: float = 0.0
    is_stuck: bool = False
    is_failing: bool = False
    send_s_max = 5.0

    async def send(self, digest: AlertDigest) -> None:
        """Tell them."""
        if self.is_stuck:
            await trio.sleep_forever()
        if self.is_failing:
            raise NotificationFailed("no")
        now = trio.current_time()
        settled_at = now + self.takes_s
        self.told += [Telling(now, settled_at, self.node, each) for each in digest.notices]
        await trio.sleep(self.takes_s)


@attrs.define(eq=False)
class Node:
    """One life of a node."""

    name: NodeName
    wire: Wire
    hook: Hook
    beats_late_s: float = 0.0
    readings: NodeReadings = WELL
    view: Published[ClusterView] = attrs.field(init=False)
    book: Published[AlertBook] = attrs.Factory(lambda: Published({}))
    reported: Published[tuple[Condition, ...]] = attrs.Factory(lambda: Published(()))
    outbox: AlertOutbox = attrs.Factory(lambda: AlertOutbox(Severity.INFO))
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    manager: ActorRef[AlertManager] | None = None
    alerts: ClusterAlerts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = Published(ClusterView(state=ClusterState.ALONE, node=self.name))
        self.alerts = ClusterAlerts(
            ClusterAlertParts(
                settings=SETTINGS,
                view=self.view,
                ledger=self.wire,
                reported=self.reported,
                outboxes={"hook": self.outbox},
                lease_s=LEASE_S,
            )
        )

    def breaks(self, *workers: str) -> None:
        """The breakers of these workers are open, and of no others."""
        broken = [WorkerReading(name=name, breaker=BreakerState.OPEN) for name in workers]
        self.readings = attrs.evolve(self.readings, workers=(*WELL.workers, *broken))

    def keeps_letters(self, count: int) -> None:
        """It has so many dead letters."""
        self.readings = attrs.evolve(self.readings, dead_letters=count)

    def state(self, alert_id: str) -> AlertState | None:
        """That of an alert, as it shows it."""
        alert = self.book.value.get(alert_id)
        return None if alert is None else alert.state

    async def acknowledge(self, alert_id: str) -> None:
        """As an operator would."""
        assert self.manager is not None
        await self.manager.call(AlertManager.acknowledge, alert_id)

    def leads(self, token: int) -> None:
        """Have it believe so, being alone in its cluster."""
        member = Member(name=self.name, token=token, joined_at=0.0)
        self.view.publish(
            ClusterView(
                state=ClusterState.MEMBER,
                node=self.name,
                members=(member,),
                leader=self.name,
                is_leader=True,
            )
        )

    async def live(self, chance: random.Random) -> None:
        """Until its scope is cancelled, which is as sudden as a SIGKILL."""
        parts = AlertParts(
            settings=SETTINGS,
            alerts=self.book,
            read=lambda: self.readings,
            outboxes=[self.outbox],
            emit=lambda _event: None,
            cluster=self.alerts,
        )
        channel = AlertChannel(name="hook", type="log", outbox=self.outbox, notifier=self.hook)
        manager = ChildSpec("manager", partial(AlertManager, parts), name=ALERT_MANAGER)
        with self.scope:
            async with open_tree(Supervisor(manager)), trio.open_nursery() as nursery:
                self.manager = whereis(ALERT_MANAGER)
                nursery.start_soon(self._beat, chance)
                await channel.run(chance, lambda _event: None)

    async def _beat(self, chance: random.Random) -> None:
        terms = LeaseTerms(node=self.name, lease_s=LEASE_S, beat_s=BEAT_S)
        standing: Standing | None = None
        token = known_token = 0
        while True:
            now = trio.current_time()
            try:
                with trio.fail_after(BEAT_S):
                    await self.wire.passed()
                report = NodeReport(conditions=self.reported.value)
                sighting = self.wire.store.beat(self.name, report, token, known_token)
            except (SharedStoreFailed, trio.TooSlowError):
                if standing is None or trio.current_time() >= standing.lost_at(terms):
                    self.view.publish(alone_view(self.view.value, "cut"))
            else:
                standing, token = Standing(sent_at=now, sighting=sighting), sighting.token
                known_token = max(known_token, *(member.token for member in sighting.members))
                self.view.publish(member_view(standing, terms, trio.current_time()))
            beats_at = trio.current_time() + BEAT_S * chance.uniform(0.9, 1.1) + self.beats_late_s
            if standing is not None and standing.lost_at(terms) < beats_at:
                await trio.sleep_until(standing.lost_at(terms))
                self.view.publish(alone_view(self.view.value, "late"))
            await trio.sleep_until(beats_at)


@attrs.define(eq=False)
class Cluster:
    """Nodes by their names, and all that people were told."""

    nursery: trio.Nursery
    chance: random.Random
    store: Store = attrs.Factory(Store)
    nodes: dict[NodeName, Node] = attrs.Factory(dict)
    told: list[Telling] = attrs.Factory(list)

    def start(self, *names: str) -> None:
        """Start nodes, or start them again, with what is wrong with the others now."""
        for each in names:
            name = NodeName(each)
            readings = next((node.readings for node in self.nodes.values()), WELL)
            node = Node(
                name=name,
                wire=Wire(self.store),
                hook=Hook(name, self.told),
                readings=attrs.evolve(readings, dead_letters=None),
            )
            self.nodes[name] = node
            self.nursery.start_soon(node.live, self.chance)

    def kill(self, name: NodeName) -> Node:
        """As by SIGKILL; gives what is left of it."""
        node = self.nodes.pop(name)
        node.wire.is_cut = True
        node.scope.cancel()
        return node

    @property
    def leader(self) -> NodeName:
        """Who takes itself for the leader: one at most."""
        leaders = [name for name, node in self.nodes.items() if node.view.value.is_leader]
        assert len(leaders) <= 1
        return leaders[0] if leaders else NOBODY

    def others(self, *names: str) -> list[Node]:
        """All nodes but these."""
        return [node for name, node in self.nodes.items() if name not in names]

    async def wait_leader(self) -> Node:
        """Until there is a leader that all live nodes know."""
        with trio.fail_after(60):
            while not (  # noqa: ASYNC110  as any client would
                self.leader
                and all(node.view.value.leader == self.leader for node in self.nodes.values())
            ):
                await trio.sleep(0.1)
        return self.nodes[self.leader]

    def breaks(self, *workers: str) -> None:
        """The breakers of these workers are open on all nodes."""
        for node in self.nodes.values():
            node.breaks(*workers)

    @property
    def whats(self) -> list[str]:
        """What people were told, in words."""
        return [each.what for each in self.told]

    async def wait_written(self, *alert_ids: str) -> None:
        """Until the ledger says that people are to be told of this."""
        with trio.fail_after(60):
            while not self._is_written(alert_ids):  # noqa: ASYNC110  as people do
                await trio.sleep(0.01)

    def _is_written(self, alert_ids: Sequence[str]) -> bool:
        return [each.notice.alert_id for each in self.store.ledger.untold] == [*alert_ids]

    async def wait_told(self, *whats: str, look_s: float = 0.1) -> None:
        """Until people were told all of this."""
        with trio.fail_after(120):
            while not set(whats) <= set(self.whats):  # noqa: ASYNC110  as people do
                await trio.sleep(look_s)


async def settle() -> None:
    """Long enough for whatever comes of something to have come."""
    await trio.sleep(15)


@asynccontextmanager
async def cluster_of(*names: str, seed: int = 1) -> AsyncIterator[Cluster]:
    """Nodes that have a leader, until the block ends."""
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, random.Random(seed))  # noqa: S311  a test's own
        cluster.store.wipe()
        cluster.start(*names)
        await cluster.wait_leader()
        yield cluster
        nursery.cancel_scope.cancel()
