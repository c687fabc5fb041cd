"""Layers 5 and 6 where nodes share the limits of their clients: reading, then spending.

Why here: one call for both limits, which is behind reading, because only then can tokens be
estimated. What admission does further out is to look at this node's picture of what is left: who
has nothing is turned away there without a call, and without being read.

A client without limits passes without a wait. Without Redis, each node has its part of each limit.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import attrs
import trio

from cortexd.cluster_ports import SharedLimits, SpendingVerdict, SpendingWish
from cortexd.domain.errors import RequestRefused, SharedStoreFailed
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.rate_limited import too_many_requests, too_many_tokens
from cortexd.pipeline.reading import ReadingLayer
from cortexd.pipeline.token_limit import estimate, tokens_spent
from cortexd.policy.rate_limit import Allowance, Bucket

ANONYMOUS: Final = "anonymous"
"""All clients without a key; longer than the id of any."""

TELL_S: Final = 0.25
"""How soon the other nodes know what was really spent, where no next request tells them."""

_REFUSALS: Final = (too_many_requests, too_many_tokens)


@attrs.frozen(eq=False)
class ClusterLimits:
    """What outlives every pipeline: the shared limits, and who owes something to them.

    `nodes`: by how many a limit is divided while Redis is not there.
    """

    shared: SharedLimits
    nodes: Callable[[], int]
    _owing: dict[str, Allowance] = attrs.field(factory=dict, init=False)

    async def spend(self, client: str, allowance: Allowance, *amounts: float) -> Sequence[float]:
        """Spend requests and tokens; for how long there is not enough of each, 0 where there is."""
        if self.shared.is_up:
            try:
                return await self._spend_shared(client, allowance, amounts)
            except SharedStoreFailed:
                pass
        now, nodes = trio.current_time(), self.nodes()
        waits_s: list[float] = []
        for bucket, amount in zip(allowance.buckets, amounts, strict=True):
            if bucket is None or any(waits_s):
                waits_s.append(0.0)
            else:
                bucket.part(nodes, now)
                waits_s.append(bucket.take(amount, now))
        return waits_s

    def settle(self, client: str, allowance: Allowance, bucket: Bucket, amount: float) -> None:
        """Spend `amount` more than was taken, whatever is there; below zero, give it back."""
        bucket.settle(amount, trio.current_time())
        if not bucket.is_apart:
            self._owing[client] = allowance

    async def run(self) -> None:
        """Tell the others what is owed, until cancelled."""
        while True:
            await trio.sleep(TELL_S)
            for client, allowance in tuple(self._owing.items()):
                if not self.shared.is_up:
                    break
                try:
                    await self._spend_shared(client, allowance, (0.0, 0.0))
                except SharedStoreFailed:
                    break

    async def _spend_shared(
        self, client: str, allowance: Allowance, amounts: Sequence[float]
    ) -> Sequence[float]:
        now = trio.current_time()
        wishes = [
            None if bucket is None else SpendingWish(bucket.per_minute, amount, bucket.owed(now))
            for bucket, amount in zip(allowance.buckets, amounts, strict=True)
        ]
        self._owing.pop(client, None)
        verdicts: Sequence[SpendingVerdict | None] = ()
        try:
            verdicts = await self.shared.spend(client, wishes)
        finally:
            if not verdicts:
                self._take_back(client, allowance, wishes)
        now = trio.current_time()
        for bucket, verdict in zip(allowance.buckets, verdicts, strict=True):
            if bucket is not None and verdict is not None:
                bucket.picture(verdict.level, now)
        return [0.0 if verdict is None else verdict.wait_s for verdict in verdicts]

    def _take_back(
        self, client: str, allowance: Allowance, wishes: Sequence[SpendingWish | None]
    ) -> None:
        for bucket, wish in zip(allowance.buckets, wishes, strict=True):
            if bucket is not None and wish is not None:
                bucket.owe(wish.owed)
        self._owing[client] = allowance


class SharedLimitLayer:
    """Has each client spend what all nodes together allow it."""

    def __init__(self, inner: ChatService, limits: ClusterLimits) -> None:
        self._inner = inner
        self._limits = limits
        self._unlimited = ReadingLayer(inner)

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer the exchange. Raises `RequestRefused`, `RateLimited`."""
        allowance = exchange.allowance
        if allowance is None or not any(allowance.buckets):
            return self._unlimited(exchange)
        return self._limited(exchange, allowance)

    async def _limited(self, exchange: Exchange, allowance: Allowance) -> None:
        limits, client = self._limits, exchange.key_id or ANONYMOUS
        try:
            if exchange.read is not None:
                await exchange.read(exchange)
        except RequestRefused:
            # One that cannot be understood was one all the same.
            if allowance.requests is not None:
                limits.settle(client, allowance, allowance.requests, 1.0)
            raise
        tokens = allowance.tokens
        reserved = 0 if tokens is None else estimate(exchange.request)
        waits_s = await limits.spend(client, allowance, 1, reserved)
        for bucket, wait_s, refusal in zip(allowance.buckets, waits_s, _REFUSALS, strict=True):
            if bucket is not None and wait_s:
                raise refusal(bucket.per_minute, wait_s)
        try:
            await self._inner(exchange)
        finally:
            if tokens is not None:
                limits.settle(client, allowance, tokens, tokens_spent(exchange) - reserved)
