"""Every interface between the brain and its edges, on one page.

Those to other nodes and to a fleet have pages of their own: `cluster_ports.py`, `fleet_ports.py`.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import attrs

from cortexd.domain.alert import AlertDigest
from cortexd.domain.answer import Batch, Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.client_key import ClientKey, ClientKeyId, Instant
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.dead_letter import DeadLetter, DeadLetterStats, Retry
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.ids import FIRST_KEY, DeadLetterId, KeyIndex
from cortexd.domain.node_sample import NodeSample
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo

ChatStream: TypeAlias = AsyncIterator[Batch]
"""The answer as it comes.

It stops after the batch that ends with `Finished`, and only then: an answer that is not complete
raises `WorkerFailed` instead.
"""


class ChatProvider(Protocol):
    """A worker as the rest of the node sees it.

    Errors: `health_check`, `open_chat` and the iteration of its stream, `embed` and `count_tokens`
    raise `WorkerFailed` and no exception of a library.
    Cancellation: none of them sets a time limit of its own but for connecting. The caller's cancel
    scopes do, and cancelling ends the upstream request at once.
    Keys: which one a request carries is the caller's choice; a worker without keys ignores it. A
    health check tries them in turn by itself.
    """

    def info(self) -> WorkerInfo:
        """What is known of the worker without asking it."""
        ...

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        ...

    async def health_check(self) -> tuple[str, ...]:
        """Ask the worker, at no cost in tokens, whether it can serve.

        Returns the names of the models it serves; raises `WorkerFailed` when it cannot serve.
        """
        ...

    def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AbstractAsyncContextManager[ChatStream]:
        """Ask for an answer from `model`, the worker's own name of it.

        Entering waits until the worker has accepted the request (its response headers are there).
        Leaving the block ends the upstream request, whatever has been read.
        """
        ...

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """Turn texts into vectors; asked only of a worker with the feature EMBEDDINGS."""
        ...

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """How many tokens the prompt has; `None` from a worker that has no means to tell."""
        ...

    def connections(self) -> ConnectionStatistics | None:
        """How its connections stand; `None` for a worker that needs none."""
        ...

    async def aclose(self) -> None:
        """Close all connections, once nobody uses the worker any more; bounded in time."""
        ...


class Downstream(Protocol):
    """The client's side of an exchange, as the pipeline sees it."""

    async def send(self, events: Batch) -> None:
        """Write one batch to the client; waiting for a slow one is what holds the worker back."""
        ...

    def start_over(self) -> bool:
        """Forget what was sent, for another worker to begin; false if the client has seen any."""
        ...

    @property
    def is_sent(self) -> bool:
        """Whether the client has all of it: whatever comes now, it was served."""
        ...


@attrs.frozen(kw_only=True)
class FeedEntry:
    """Something that has happened, as it is told outside; `data` is JSON."""

    number: int
    kind: str
    data: bytes


@attrs.frozen(kw_only=True)
class Reading:
    """What a reader of the feed gets at once.

    `missed`: how many entries before these it has come too late for, `None` where nobody can tell.
    """

    missed: int | None
    entries: Sequence[FeedEntry]


class Feed(Protocol):
    """The latest events, numbered, for those who watch; see `observability/event_feed.py`."""

    kinds: frozenset[str]
    is_closed: bool

    @property
    def latest(self) -> int:
        """The number of the latest entry."""
        ...

    def read(self, after: int, *, entries_max: int) -> Reading:
        """The entries behind that number, the oldest ones first."""
        ...

    async def wait_beyond(self, number: int) -> None:
        """Until there is an entry behind that number, or the feed has closed."""
        ...


class Notifier(Protocol):
    """The way to tell people of alerts by one channel.

    `send_s_max`: how long a message may take; the caller sees to it.
    """

    send_s_max: float

    async def send(self, digest: AlertDigest) -> None:
        """Tell people what is in it. Errors: `NotificationFailed`, and no other."""
        ...


class MetricsExposition(Protocol):
    """The metrics as text, for Prometheus and its kin."""

    def expose(self, accept: str) -> tuple[str, Iterator[bytes]]:
        """The content type that suits this `Accept`, and the text in parts, made one by one."""
        ...


class MetricsHistory(Protocol):
    """How the node was doing, kept across restarts: each sample for an hour, then by the minute.

    Errors: `StorageFailed`. Cancellation: the caller stops waiting.
    """

    async def keep(self, samples: Sequence[NodeSample]) -> None:
        """Keep these, which are newer than all that was kept, and forget what is too old."""
        ...

    async def samples(self, since: float) -> list[NodeSample]:
        """Those kept from this moment on (seconds since the epoch), oldest first."""
        ...

    async def minutes(self, since: float, until: float) -> list[NodeSample]:
        """One for each minute that begins in this time, oldest first."""
        ...


@attrs.frozen(kw_only=True)
class KeptKeys:
    """The client keys that a node has made, and what has become of any of its keys.

    `revoked_at` and `last_used_at` are also of keys that the configuration names. Times are in
    seconds since 1970. `is_whole`: false if there were others, which are lost.
    """

    keys: Sequence[ClientKey] = ()
    revoked_at: Mapping[ClientKeyId, Instant] = attrs.Factory(dict)
    last_used_at: Mapping[ClientKeyId, Instant] = attrs.Factory(dict)
    is_whole: bool = True


class ClientKeyStore(Protocol):
    """Where client keys survive a restart. Errors: `StorageFailed`, and no other."""

    async def load(self) -> KeptKeys:
        """All that is kept."""
        ...

    async def add(self, key: ClientKey) -> None:
        """Keep a new key; returns when it would survive a loss of power."""
        ...

    async def revoke(self, key_id: ClientKeyId, at: Instant) -> None:
        """Keep that a key is revoked."""
        ...

    async def note_uses(self, uses: Mapping[ClientKeyId, Instant]) -> None:
        """Keep when keys were last used."""
        ...


class DeadLetterStore(Protocol):
    """Where requests that failed for good survive the node.

    A letter that cannot be read, being damaged or of a newer cortexd, is kept as it is: it counts,
    and is in no list.

    Errors: `StorageFailed`, and no other. Cancellation: the caller stops waiting, and what it asked
    for is done or not as a whole.
    """

    @property
    def changes(self) -> int:
        """Another number after each change; those by other hands do not count."""
        ...

    async def keep(self, letter: DeadLetter) -> None:
        """Keep it; returns when it would survive a loss of power. The oldest may go for it."""
        ...

    async def list_page(
        self, count: int, *, before: DeadLetterId | None, error: str | None
    ) -> tuple[Sequence[DeadLetter], int]:
        """The newest `count` older than `before`, without bodies, and how many there are in all.

        `error`: only those with this kind of failure.
        """
        ...

    async def find(self, letter: DeadLetterId) -> DeadLetter | None:
        """One of them, with its body and the answer of its retry.

        Errors: also `StorageFailed` where it cannot be read.
        """
        ...

    async def retried(self, letter: DeadLetterId, retry: Retry) -> bool:
        """Keep what came of a retry, in place of the one before; false if the letter is gone."""
        ...

    async def delete(self, letter: DeadLetterId) -> bool:
        """Forget one of them; false if it is not there."""
        ...

    async def purge(self, *, kept_before: float, sparing: Collection[DeadLetterId]) -> int:
        """Forget those kept before this time (seconds since the epoch); how many there were."""
        ...

    async def expire(self, now_s: float) -> None:
        """Drop, and count as dropped, what is too old at this time, or too much."""
        ...

    async def statistics(self) -> DeadLetterStats:
        """What there is, and what has gone."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is wrong with the place, if anything."""
        ...


@attrs.frozen(kw_only=True)
class AuditEntry:
    """What an operator has done: `who` by which credential, `client` from which address.

    `at` is in seconds since 1970; `status` is what was answered, 0 where nothing was.
    """

    at: float
    who: str
    client: str
    method: str
    path: str
    status: int
    request_id: str


class AuditTrail(Protocol):
    """Where it can be looked up what operators have done."""

    async def keep(self, entry: AuditEntry) -> None:
        """Keep an entry. Raises nothing, and is over in a few seconds whatever the disk does."""
        ...
