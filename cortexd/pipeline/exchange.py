"""One request and everything that becomes of it."""

from typing import Protocol

import attrs

from cortexd.domain.chat import ChatRequest
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage
from cortexd.ports import Downstream


@attrs.frozen
class Attempt:
    """One worker that was asked; `failure` is `None` for the one that answered."""

    worker: WorkerName
    model: str
    failure: FailureKind | None = None
    detail: str | None = None


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """Made by a door, filled in by the pipeline, gone with the request.

    `timeout_s`: what the client allows for all of it. `worker` and `model`: who is answering, set
    before the first batch is sent.
    """

    request_id: RequestId
    door: str
    request: ChatRequest
    downstream: Downstream
    timeout_s: float | None = None
    attempts: list[Attempt] = attrs.Factory(list)
    worker: WorkerName | None = None
    model: str | None = None
    usage: Usage | None = None
    outcome: Outcome | None = None


class ChatService(Protocol):
    """The pipeline, and each layer of it: carries an exchange to its end.

    Returns when the whole answer has been sent to `exchange.downstream`.
    Errors: a `CortexError` in every other case but cancellation.
    """

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        ...
