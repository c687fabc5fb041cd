"""A request that asks for nothing but a model to be loaded is answered without its worker.

Ollama's clients send one before a conversation, so that the weights are in memory in time. Here
that is the worker's own affair: all that is answered is whether the model is served.
"""

import attrs

from cortexd.domain.answer import Finished, FinishReason
from cortexd.domain.chat import ChatRequest
from cortexd.http.doors.ollama_models import find_served
from cortexd.http.doors.served_model import ServedModels
from cortexd.pipeline.exchange import ChatService, Exchange


@attrs.frozen
class LoadService:
    """Ends exchanges that have no messages; all others go on to `inner`."""

    inner: ChatService
    served_models: ServedModels

    async def __call__(self, exchange: Exchange) -> None:
        """Answer, or pass on. Errors: `RequestRefused` (404) for a model that nobody serves."""
        request = exchange.request
        if not isinstance(request, ChatRequest) or request.messages:
            await self.inner(exchange)
            return
        find_served(request.model, self.served_models())
        await exchange.downstream.send((Finished(FinishReason.STOP),))
