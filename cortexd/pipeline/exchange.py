"""One request and everything that becomes of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn, Protocol

import attrs

from cortexd.actors.roster import RegisteredWorker
from cortexd.domain.answer import Batch
from cortexd.domain.attempt import Attempt, CandidateNote, Skipped
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.chat import ChatRequest
from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import RequestShed
from cortexd.domain.ids import (
    FIRST_KEY,
    NOBODY,
    DeadLetterId,
    KeyIndex,
    RequestId,
    Tenant,
    WorkerName,
)
from cortexd.domain.outcome import Outcome
from cortexd.domain.request import ModelRequest
from cortexd.policy.degradation import DegradationLevel, Strategy
from cortexd.policy.explanation import explain
from cortexd.policy.rate_limit import Allowance
from cortexd.ports import Downstream


@attrs.frozen
class Choice:
    """A worker that routing has found able to serve, with its own name of the model.

    `forced`: its circuit breaker is open, but so are all others.
    """

    worker: RegisteredWorker
    model: str
    forced: bool = False


@attrs.define(eq=False)
class Trail:
    """The upstream side of an exchange: who could be asked, who was, and who answers.

    Exchanges that one upstream call serves share one. `worker` and `model`: who is being asked, or
    has answered, and its own name of the model. `resumed_from`: those whose answers were carried
    on by the next.
    """

    choices: Sequence[Choice] = ()
    skipped: Sequence[Skipped] = ()
    attempts: list[Attempt] = attrs.Factory(list)
    worker: WorkerName | None = None
    model: str | None = None
    resumed_from: tuple[WorkerName, ...] = ()

    def explain(self) -> tuple[CandidateNote, ...]:
        """Why the request went where it went."""
        return explain([choice.worker.name for choice in self.choices], self.attempts, self.skipped)


@attrs.frozen(kw_only=True)
class CacheWishes:
    """What a client says about the cache. `idempotency_key`: equal requests are one request."""

    may_read: bool = True
    may_store: bool = True
    idempotency_key: str | None = None


class _Nowhere(Downstream):
    """The way back to a client that is not known yet."""

    async def send(self, events: Batch) -> NoReturn:  # noqa: ARG002  the port's
        """Fail: nothing is answered before it has been read."""
        raise AssertionError("the request has not been read")

    def start_over(self) -> bool:
        """There is nothing to forget."""
        return True

    @property
    def is_sent(self) -> bool:
        """Nothing has been."""
        return False


UNREAD: Final = ChatRequest(model=None, messages=())
"""Stands for the request as long as nobody has read it."""


@attrs.frozen
class Original:
    """The request as the client has sent it, for another try some day.

    `is_retry`: it is that other try, and so is not kept again.
    """

    path: str
    body: bytes
    is_retry: bool = False


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Made by a door, filled in by the pipeline, gone with the request.

    `read` sets `request` and `downstream`, where the door has not done that already.
    `key_id`: the key that the client has shown, and `allowance`: what it may spend.
    `timeout_s`: what the client allows for all of it. `first_sent_at`: when the first batch of the
    answer went downstream, on the monotonic clock. `body_bytes`: how much there is to be read.
    `level` and `strategies`: how low the node had fallen when the exchange was let in, and what is
    done about it. `haste`: by what the time limits of workers are multiplied for that. `otherwise`:
    the exchange may have an answer out of the cache, or else this is its end. `choice` and `key`:
    who is to be asked, with which of its API keys; set by failover, as is `upstream_request`: what
    it is to be asked, where that is not the request itself but the rest of an answer.
    """

    request_id: RequestId
    door: str
    original: Original | None = None
    read: "Callable[[Exchange], Awaitable[None]] | None" = None
    request: ModelRequest = UNREAD
    downstream: Downstream = attrs.Factory(_Nowhere)
    tenant: Tenant = NOBODY
    criticality: Criticality = Criticality.NORMAL
    key_id: ClientKeyId | None = None
    allowance: Allowance | None = None
    timeout_s: float | None = None
    body_bytes: int = 0
    level: DegradationLevel = DegradationLevel.HEALTHY
    strategies: frozenset[Strategy] = frozenset()
    haste: float = 1.0
    otherwise: RequestShed | None = None
    wishes: CacheWishes = CacheWishes()
    cache: CacheUse = CacheUse.BYPASS
    trail: Trail = attrs.Factory(Trail)
    choice: Choice | None = None
    key: KeyIndex = FIRST_KEY
    upstream_request: ModelRequest | None = None
    first_sent_at: float | None = None
    outcome: Outcome | None = None
    dead_letter: DeadLetterId | None = None

    @property
    def worker(self) -> WorkerName | None:
        """Who is being asked, or has answered."""
        return self.trail.worker

    @property
    def model(self) -> str | None:
        """The name that worker has for the model."""
        return self.trail.model


class ChatService(Protocol):
    """The pipeline, and each layer of it: carries an exchange to its end.

    Returns when the whole answer has been sent to `exchange.downstream`.
    Errors: a `CortexError` in every other case but cancellation.
    """

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        ...
