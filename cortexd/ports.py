"""Every interface between the brain and its edges, on one page."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from cortexd.domain.answer import Batch, Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.ids import FIRST_KEY, KeyIndex
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
