"""Layer 5: what the client has sent is read and understood.

Why here: inside admission, so that a request that is turned away is never parsed; inside
accounting, because one that cannot be understood has an outcome like any other; and before the
cache, which compares requests.
"""

from cortexd.pipeline.exchange import ChatService, Exchange


class ReadingLayer:
    """Has the door read its request."""

    def __init__(self, inner: ChatService) -> None:
        self._inner = inner

    async def __call__(self, exchange: Exchange) -> None:
        """Read, unless it has been read already. Raises `RequestRefused`."""
        if exchange.read is not None:
            await exchange.read(exchange)
        await self._inner(exchange)
