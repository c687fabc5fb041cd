"""Layer 3: the client's time limit, and the end of the drain, become a cancel scope.

Why here: all that is inside, waiting for a slot as well, counts against the limit; accounting,
which is outside, sees what the limit did.
"""

import trio

from cortexd.domain.errors import DeadlineExceeded, NodeStopping
from cortexd.pipeline.exchange import ChatService, Exchange

REQUEST_SECONDS_MAX = 3600.0
"""No exchange lives longer, whatever its client asks for."""


class Cutoff:
    """Ends every exchange of the node at once, when a drain has run out of time."""

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()
        self.passed = False

    @property
    def in_flight(self) -> int:
        """Exchanges that would be cut."""
        return len(self._scopes)

    def cut(self) -> None:
        """End all exchanges, and refuse those that still come."""
        self.passed = True
        for scope in self._scopes:
            scope.cancel()

    def cover(self, scope: trio.CancelScope) -> None:
        """Have `scope` cancelled by `cut`, until it is let go."""
        self._scopes.add(scope)

    def let_go(self, scope: trio.CancelScope) -> None:
        """What was in it has ended."""
        self._scopes.discard(scope)


class DeadlineLayer:
    """Bounds the exchange in time."""

    def __init__(self, inner: ChatService, *, cutoff: Cutoff) -> None:
        self._inner = inner
        self._cutoff = cutoff

    async def __call__(self, exchange: Exchange) -> None:
        """Answer within the limit. Raises `DeadlineExceeded` or `NodeStopping` when it is over."""
        if self._cutoff.passed:
            raise NodeStopping("this node is stopping; ask another one")
        seconds = min(exchange.timeout_s or REQUEST_SECONDS_MAX, REQUEST_SECONDS_MAX)
        scope = trio.CancelScope(deadline=trio.current_time() + seconds)
        self._cutoff.cover(scope)
        try:
            with scope:
                await self._inner(exchange)
                return
        finally:
            self._cutoff.let_go(scope)
        if exchange.downstream.is_sent:
            # Time ran out while the worker's connection was put away.
            return
        if self._cutoff.passed:
            raise NodeStopping("this node is stopping; the answer ends here")
        raise DeadlineExceeded(
            f"no complete answer within {seconds:g} s; allow more with x-request-timeout"
        )
