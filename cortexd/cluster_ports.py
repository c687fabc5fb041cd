"""The interfaces between the brain and what it shares with other nodes, beside `ports.py`."""

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from cortexd.domain.alert_ledger import Ledger, LedgerNote
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.client_key import KeyRecords
from cortexd.domain.cluster import NodeReport, Sighting
from cortexd.domain.shared_worker import Epoch, SharedStaff, SharedWorker


@attrs.frozen(eq=False)
class AnswerClaim:
    """The word of a node that it gives an answer, so that no other needs to ask for it.

    `key`: that of the answer. `is_awaited`: whether it is still worth waiting for.
    """

    key: bytes
    text: str
    is_awaited: Callable[[], bool]


@attrs.frozen
class ClaimedElsewhere:
    """Another node gives the answer, to the request of this fingerprint."""

    fingerprint: bytes


class SharedAnswers(Protocol):
    """The answers that the nodes of a cluster keep for each other, by the keys of the cache.

    Each call takes a twentieth of a second at most, and no time while `is_up` is false.
    """

    @property
    def is_up(self) -> bool:
        """Whether it is there, as far as one knows."""
        ...

    async def find(self, key: bytes) -> CachedAnswer | None:
        """The answer, if there is one. Errors: `SharedStoreFailed`."""
        ...

    def new_claim(
        self, key: bytes, fingerprint: bytes, is_awaited: Callable[[], bool]
    ) -> AnswerClaim:
        """A claim to make. Whoever has tried to, keeps an answer in the end, or releases it."""
        ...

    async def find_or_claim(self, claim: AnswerClaim) -> CachedAnswer | ClaimedElsewhere | None:
        """The answer, or who is about to give it: `None` if that is this node now.

        Errors: `SharedStoreFailed`; then it may have been claimed or not.
        """
        ...

    async def keep(self, claim: AnswerClaim, answer: CachedAnswer) -> None:
        """Keep the answer, with which the claim ends; raises nothing."""
        ...

    async def release(self, claim: AnswerClaim) -> None:
        """End the claim, if it was made; raises nothing."""
        ...

    async def purge(self) -> int:
        """Forget all answers, and say how many there were. Errors: `SharedStoreFailed`."""
        ...


@attrs.frozen(kw_only=True)
class LedgerReading:
    """The ledger as it is found: its revision, and by which token it was written; 0 for none.

    `ledger`: `None` where the reader has that revision, or nobody can read it. `notes`: those that
    wait for the leader, of `notes_count` in all, with those that nobody can read.
    """

    revision: int = 0
    token: int = 0
    ledger: Ledger | None = None
    notes: Sequence[LedgerNote] = ()
    notes_count: int = 0


class AlertLedger(Protocol):
    """Where the leader of a cluster keeps its alerts, and the others look them up.

    Times are on the clock of the node that asks. Errors: `SharedStoreFailed`; what was to be
    written is there or not as a whole.
    """

    async def look(self, known: int, *, with_notes: bool = False) -> LedgerReading:
        """What is there; `known`: the revision that need not be told again."""
        ...

    async def write(self, ledger: Ledger, *, token: int, notes_done: int) -> bool:
        """Put it in the place of an older one, and have the first notes gone, which are in it.

        False if it was not done: somebody with a greater token has written, or a later revision.
        """
        ...

    async def offer(self, ledger: Ledger, *, leader: int) -> bool:
        """Put back what has been forgotten; false if there is something as new.

        It is not done once the present leader has written, whose token is `leader`.
        """
        ...

    async def hand_in(self, note: LedgerNote) -> None:
        """Have the leader read this before long."""
        ...


@attrs.frozen
class SpendingWish:
    """What a client wants to spend of one limit: `taken` if there is enough, `owed` in any case."""

    per_minute: int
    taken: float
    owed: float


@attrs.frozen
class SpendingVerdict:
    """What all nodes together have left for a client after a wish, and how long to wait for it.

    `wait_s`: 0 if all of it was granted.
    """

    level: float
    wait_s: float


class SharedLimits(Protocol):
    """What clients may still spend, for all nodes of a cluster together.

    Each call takes a twentieth of a second at most, and no time while `is_up` is false.
    """

    @property
    def is_up(self) -> bool:
        """Whether it is there, as far as one knows."""
        ...

    async def spend(
        self, client: str, wishes: Sequence[SpendingWish | None]
    ) -> Sequence[SpendingVerdict | None]:
        """Spend of the limits of a client: of each in its turn, until one has not enough.

        Errors: `SharedStoreFailed`; then it may have been spent or not.
        """
        ...


class SharedClientKeys(Protocol):
    """What the nodes of a cluster tell each other of their client keys.

    Only what a node with the same pepper has told is heard. Errors: `SharedStoreFailed`.
    """

    async def changed_since(self, version: str | None) -> tuple[str, KeyRecords] | None:
        """All that was told, and the version of that; `None` if it is this version still."""
        ...

    async def tell(self, news: KeyRecords) -> None:
        """Let the others know."""
        ...


class ClusterStore(Protocol):
    """Where the nodes of a cluster meet.

    Errors: `SharedStoreFailed`. Cancellation: what was asked for may be done or not.
    """

    async def beat(self, report: NodeReport, *, token: int, known_token: int) -> Sighting:
        """Be a member for another lease; a node without the token of one joins anew.

        `token`: what it had the last time, 0 before. `known_token`: the greatest that it has seen;
        a new one is greater still. Raises `NameTaken` while another node has the name.
        """
        ...

    async def leave(self) -> None:
        """Be a member no longer, and have the others know that this is no death."""
        ...


class SharedWorkerStore(Protocol):
    """What the nodes know together of their workers; only a member changes it.

    Errors: `SharedStoreFailed`. Cancellation: what was asked for may be done or not.
    """

    async def version(self) -> tuple[Epoch, int]:
        """Whether anything has changed: the same as before if nothing has."""
        ...

    async def read(self) -> SharedStaff:
        """All of it."""
        ...

    async def share(self, change: SharedWorker, *, token: int, known_version: int) -> int | None:
        """Have it be so for all: its version, or `None` if a later change is there already.

        Its table is left as it is where the change has none. `known_version`: see `beat`.
        """
        ...

    async def remind(self, workers: Sequence[SharedWorker], *, token: int) -> None:
        """Put back what Redis has forgotten; what it has in a later version stays."""
        ...
