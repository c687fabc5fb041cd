"""The node's place in its cluster: it beats, and publishes who is there, who leads and who owns.

Losing Redis costs nothing but that: the view says ALONE before anybody else can have taken over.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs
import trio

from cortexd.actors.handler_limit import HANDLER_S_MAX
from cortexd.actors.published import Published
from cortexd.cluster_ports import ClusterStore
from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    NameTaken,
    NodeName,
    NodeReport,
    WorkerKey,
)
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import ClusterStateChanged, Emit, NodeJoined, NodeLeft
from cortexd.domain.ids import WorkerName
from cortexd.policy.membership import (
    LeaseTerms,
    Standing,
    alone_view,
    member_view,
    next_change_at,
    suspects,
)
from supervisor_tree import Actor, Exit, Name

RETRY_S: Final = 0.5
"""A beat that failed is sent again this soon."""

LEAVING_S_MAX: Final = 1.0


@attrs.frozen(kw_only=True, eq=False)
class MembershipParts:
    """What the actor works on.

    `report` gives what the node has to tell of itself; what only the cluster knows of its workers
    (since when, and whether they are owned) is filled in here. `look_at` has a worker checked soon.
    `stopping`: the node is to end.
    """

    store: ClusterStore
    terms: LeaseTerms
    view: Published[ClusterView]
    report: Callable[[], NodeReport]
    look_at: Callable[[WorkerName], None]
    stopping: trio.Event
    emit: Emit


class ClusterMembership(Actor):
    """Each incarnation joins anew, with a token of its own."""

    max_handler_time = HANDLER_S_MAX

    def __init__(self, parts: MembershipParts) -> None:
        self._parts = parts
        self._standing: Standing | None = None
        self._since: dict[WorkerKey, float] = {}
        self._known_token = 0
        self._told: dict[NodeName, int] = {}
        self._judge_anew = trio.Event()

    async def on_start(self) -> None:
        """Begin to beat; what an incarnation before has believed is over."""
        self._be_alone("it has not joined")
        self.nursery.start_soon(self._beat_on)
        self.nursery.start_soon(self._let_time_pass)

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        """Say good-bye, so that nobody has to wait for the lease to run out."""
        del exit
        await self._leave()

    async def _beat_on(self) -> None:
        stopping, beat_s = self._parts.stopping, self._parts.terms.beat_s
        while not stopping.is_set():
            is_good = await self._beat()
            with trio.move_on_after(beat_s if is_good else min(RETRY_S, beat_s)):
                await stopping.wait()
        await self._leave()

    async def _beat(self) -> bool:
        parts, standing = self._parts, self._standing
        sent_at = trio.current_time()
        report = self._with_claims(parts.report())
        token = 0 if standing is None else standing.sighting.token
        try:
            sighting = await parts.store.beat(report, token=token, known_token=self._known_token)
        except NameTaken as taken:
            self._be_alone(str(taken))
            return False
        except SharedStoreFailed as failure:
            if self._standing is None:
                self._be_alone(str(failure))
            return False
        if sighting.token != token:
            # All have to see anew which workers are here.
            self._since.clear()
        for worker in report.workers:
            self._since.setdefault(worker.key, sighting.at)
        tokens = (member.token for member in sighting.members)
        self._known_token = max(self._known_token, sighting.token, *tokens)
        self._standing = Standing(sent_at=sent_at, sighting=sighting)
        self._judge()
        self._judge_anew.set()
        return True

    def _with_claims(self, report: NodeReport) -> NodeReport:
        view = self._parts.view.value
        here = {worker.key for worker in report.workers}
        self._since = {worker: at for worker, at in self._since.items() if worker in here}
        claimed = (
            attrs.evolve(
                worker,
                since=self._since.get(worker.key),
                is_owned=view.owns(worker.key),
                verdict=worker.verdict if view.owns(worker.key) else None,
            )
            for worker in report.workers
        )
        return attrs.evolve(report, workers=tuple(claimed))

    async def _let_time_pass(self) -> None:
        """Judge anew whenever time alone changes what the node may believe."""
        while True:
            self._judge_anew = trio.Event()
            standing, terms = self._standing, self._parts.terms
            if standing is None:
                await self._judge_anew.wait()
                continue
            due = next_change_at(standing, terms, trio.current_time())
            with trio.move_on_at(due) as waiting:
                await self._judge_anew.wait()
            if waiting.cancelled_caught and self._standing is standing:
                self._judge()

    def _judge(self) -> None:
        standing, terms, now = self._standing, self._parts.terms, trio.current_time()
        if standing is None:
            return
        if now >= standing.lost_at(terms):
            self._be_alone(f"no beat has got through for {terms.held_s:g} s")
            return
        before, after = self._parts.view.value, member_view(standing, terms, now)
        self._parts.view.publish(after)
        if before.state is not ClusterState.MEMBER:
            self._parts.emit(ClusterStateChanged(state=after.state, reason=None))
        self._tell(after)
        for worker in suspects(before.members, after.members, terms.node):
            if worker in self._since:
                # What others find wrong is no verdict, but a reason to look.
                self._parts.look_at(worker[0])

    def _be_alone(self, reason: str) -> None:
        before = self._parts.view.value
        self._standing = None
        self._since.clear()
        self._parts.view.publish(alone_view(before, reason))
        if before.state is ClusterState.MEMBER:
            self._parts.emit(ClusterStateChanged(state=ClusterState.ALONE, reason=reason))

    def _tell(self, view: ClusterView) -> None:
        """Report who has come and gone since the node was last a member."""
        now = {each.name: each.token for each in view.members if each.name != view.node}
        for name in self._told.keys() - now.keys():
            self._parts.emit(NodeLeft(node=name, reason="left" if name in view.left else "lost"))
        for name, token in now.items():
            if self._told.get(name) != token:
                self._parts.emit(NodeJoined(node=name, token=token))
        self._told = now

    async def _leave(self) -> None:
        was_member = self._standing is not None
        self._be_alone("the node is stopping")
        if was_member:
            with (
                trio.move_on_after(LEAVING_S_MAX, shield=True),
                suppress(SharedStoreFailed),
            ):
                await self._parts.store.leave()


CLUSTER_MEMBERSHIP = Name[ClusterMembership]("cluster-membership")
