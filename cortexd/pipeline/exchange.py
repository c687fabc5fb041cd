"""One request and everything that becomes of it."""

from typing import Protocol

import attrs

from cortexd.actors.roster import RegisteredWorker
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.request import ModelRequest
from cortexd.domain.usage import Usage
from cortexd.ports import Downstream


@attrs.frozen
class Choice:
    """A worker that routing has found able to serve, with its own name of the model."""

    worker: RegisteredWorker
    model: str


@attrs.frozen
class Attempt:
    """One worker that was asked; `failure` says why it gave no whole answer, if it did not."""

    worker: WorkerName
    model: str
    failure: WorkerFailed | None = None


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Made by a door, filled in by the pipeline, gone with the request.

    `timeout_s`: what the client allows for all of it. `choices`: set by routing, best first.
    `worker` and `model`: who is being asked, set by failover before the worker is called.
    `first_sent_at`: when the first batch of the answer went downstream, on the monotonic clock.
    """

    request_id: RequestId
    door: str
    request: ModelRequest
    downstream: Downstream
    timeout_s: float | None = None
    choices: tuple[Choice, ...] = ()
    choice: Choice | None = None
    attempts: list[Attempt] = attrs.Factory(list)
    first_sent_at: float | None = None
    usage: Usage | None = None
    outcome: Outcome | None = None

    @property
    def worker(self) -> WorkerName | None:
        """Who is being asked, or has answered."""
        return self.choice.worker.name if self.choice else None

    @property
    def model(self) -> str | None:
        """The name that worker has for the model."""
        return self.choice.model if self.choice else None


class ChatService(Protocol):
    """The pipeline, and each layer of it: carries an exchange to its end.

    Returns when the whole answer has been sent to `exchange.downstream`.
    Errors: a `CortexError` in every other case but cancellation.
    """

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        ...
