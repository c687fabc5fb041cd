"""A worker of an agent: its own adapter, which is not asked how it is while its agent is silent."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs

from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.fleet import AgentName, FleetWorker
from cortexd.domain.ids import FIRST_KEY, KeyIndex
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo
from cortexd.ports import ChatProvider, ChatStream

SILENT = "its agent has missed its status"


@attrs.frozen(kw_only=True, eq=False)
class FleetProvider(ChatProvider):
    """The adapter of the worker, and whose worker it is.

    `offer`: as the agent has registered it. A server may well answer while its agent is dead; but
    nobody would know what becomes of it.
    """

    inner: ChatProvider
    agent: AgentName
    offer: FleetWorker
    is_silent: Callable[[], bool]

    def info(self) -> WorkerInfo:
        """As the adapter has it."""
        return self.inner.info()

    @property
    def priority(self) -> int:
        """As the adapter has it."""
        return self.inner.priority

    async def health_check(self) -> tuple[str, ...]:
        """Ask the worker, if its agent is there."""
        if self.is_silent():
            raise WorkerFailed(self.info().name, FailureKind.UNREACHABLE, SILENT)
        models = await self.inner.health_check()
        if self.is_silent():
            # It has fallen silent meanwhile: that was the later news.
            raise WorkerFailed(self.info().name, FailureKind.UNREACHABLE, SILENT)
        return models

    def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AbstractAsyncContextManager[ChatStream]:
        """As the adapter does."""
        return self.inner.open_chat(request, model=model, key=key)

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """As the adapter does."""
        return await self.inner.embed(request, model=model, key=key)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """As the adapter does."""
        return await self.inner.count_tokens(request, model=model, key=key)

    def connections(self) -> ConnectionStatistics | None:
        """As the adapter has it."""
        return self.inner.connections()

    async def aclose(self) -> None:
        """As the adapter does."""
        await self.inner.aclose()
