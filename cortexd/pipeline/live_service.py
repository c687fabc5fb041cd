"""The pipeline in use, which a reload of the configuration replaces by another one."""

from collections.abc import Coroutine
from typing import Any

from cortexd.pipeline.exchange import ChatService, Exchange


class LiveService(ChatService):
    """Hands each exchange to the pipeline of the moment, in which it then stays to its end."""

    def __init__(self, service: ChatService) -> None:
        self._service = service

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer the exchange. Not async itself: that would cost a frame for each piece."""
        return self._service(exchange)

    def replace(self, service: ChatService) -> None:
        """Have the exchanges that begin from now on answered by this one."""
        self._service = service
