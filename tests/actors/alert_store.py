"""Where the nodes of a cluster meet in tests, in the place of Redis: members, and a ledger."""

from collections.abc import Callable
from enum import Enum, unique
from typing import Final

import attrs
import trio

from cortexd.cluster_ports import AlertLedger, LedgerReading
from cortexd.domain.alert_ledger import Ledger, LedgerNote
from cortexd.domain.cluster import Member, NodeName, NodeReport, Sighting
from cortexd.domain.errors import SharedStoreFailed

LEASE_S: Final = 3.0
BEAT_S: Final = 0.5


@attrs.define(eq=False)
class Store:
    """What would be Redis: members, and a ledger; `is_down`: for everybody.

    `unreadable_revision`: that of a ledger that nobody can read.
    """

    is_down: bool = False
    born_at: float = 0.0
    last_token: int = 0
    members: dict[NodeName, tuple[Member, float]] = attrs.Factory(dict)
    left: set[NodeName] = attrs.Factory(set)
    token: int = 0
    ledger: Ledger = attrs.Factory(Ledger)
    unreadable_revision: int = 0
    notes: list[LedgerNote] = attrs.Factory(list)

    @property
    def revision(self) -> int:
        """What must be newer that is to be written."""
        return max(self.ledger.revision, self.unreadable_revision)

    def wipe(self) -> None:
        """It has started anew, empty."""
        self.born_at = trio.current_time()
        self.last_token = self.token = 0
        self.members, self.left, self.ledger, self.notes = {}, set(), Ledger(), []

    def beat(self, node: NodeName, report: NodeReport, token: int, known_token: int) -> Sighting:
        """As `cluster_ports.ClusterStore.beat`."""
        now = trio.current_time()
        self.members = {
            name: (member, until) for name, (member, until) in self.members.items() if until > now
        }
        mine = self.members.get(node)
        if mine is None or mine[0].token != token:
            self.last_token = max(self.last_token, known_token) + 1
            token, joined_at = self.last_token, now
        else:
            joined_at = mine[0].joined_at
        member = Member(name=node, token=token, joined_at=joined_at, report=report, reported_at=now)
        self.members[node] = member, now + LEASE_S - BEAT_S
        self.left.discard(node)
        return Sighting(
            token=token,
            at=now,
            born_at=self.born_at,
            members=tuple(each for each, _ in self.members.values()),
            left=frozenset(self.left),
        )

    def leave(self, node: NodeName) -> None:
        """As `cluster_ports.ClusterStore.leave`."""
        self.members.pop(node, None)
        self.left.add(node)


@unique
class Writes(Enum):
    """What becomes of what a leader writes."""

    DONE = "done, and said so"
    UNANSWERED = "done"
    REFUSED = "neither"


@attrs.define(eq=False)
class Wire(AlertLedger):
    """One node's way to the store.

    `is_cut`: nothing gets through. `is_hanging`: nor does a refusal. `tried`: how often a writing
    has not been said to be done. `in_between`: what happens between a writing and its answer.
    """

    store: Store
    is_cut: bool = False
    is_hanging: bool = False
    writes: Writes = Writes.DONE
    tried: int = 0
    in_between: Callable[[], None] = lambda: None

    async def look(self, known: int, *, with_notes: bool = False) -> LedgerReading:
        """See the port."""
        await self.passed()
        store = self.store
        return LedgerReading(
            revision=store.revision,
            token=store.token,
            ledger=store.ledger if store.ledger.revision not in {known, 0} else None,
            notes=tuple(store.notes) if with_notes else (),
            notes_count=len(store.notes) if with_notes else 0,
        )

    async def write(self, ledger: Ledger, *, token: int, notes_done: int) -> bool:
        """See the port."""
        await self.passed()
        if self.writes is Writes.REFUSED:
            self.tried += 1
            raise SharedStoreFailed("refused")
        store = self.store
        is_done = token >= store.token and ledger.revision > store.revision
        if is_done:
            store.token, store.ledger = token, ledger
            del store.notes[:notes_done]
        self.in_between()
        await trio.lowlevel.checkpoint()
        if self.writes is Writes.UNANSWERED:
            self.tried += 1
            raise SharedStoreFailed("no answer")
        return is_done

    async def offer(self, ledger: Ledger, *, leader: int) -> bool:
        """See the port."""
        await self.passed()
        store = self.store
        is_done = store.token < leader and ledger.revision > store.revision
        if is_done:
            store.ledger = ledger
        return is_done

    async def hand_in(self, note: LedgerNote) -> None:
        """See the port."""
        await self.passed()
        self.store.notes.append(note)

    async def passed(self) -> None:
        """Nothing if the store is reached."""
        await trio.lowlevel.checkpoint()
        if self.is_hanging:
            await trio.sleep_forever()
        if self.is_cut or self.store.is_down:
            raise SharedStoreFailed("cut")
