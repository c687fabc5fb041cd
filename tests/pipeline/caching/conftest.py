"""The caching layer over an inner service that does as the test says."""

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs
import pytest
import trio

from cortexd.cluster_ports import SharedAnswers
from cortexd.domain.answer import AnswerEvent, Batch, Finished, FinishReason, TextDelta
from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
from cortexd.domain.errors import CortexError, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import RequestId, Tenant, WorkerName
from cortexd.domain.request import ModelRequest
from cortexd.pipeline.caching import CachingLayer, CachingParts
from cortexd.pipeline.exchange import CacheWishes, Exchange
from cortexd.pipeline.flights import Flights
from cortexd.policy.answer_cache import AnswerCache
from cortexd.policy.caching import CacheSettings

WORKER = WorkerName("w")
END = Finished(FinishReason.STOP)

Step: TypeAlias = str | float | AnswerEvent | Exception | trio.Event | Callable[[Exchange], None]
"""A text or an event is sent, a number slept, an error raised, an event waited for."""


@attrs.define(eq=False)
class FakeInner:
    """What is inside of caching. `seen`: its exchanges; `running`: those it has not finished."""

    steps: Sequence[Step]
    seen: list[Exchange] = attrs.Factory(list)
    running: int = 0

    async def __call__(self, exchange: Exchange) -> None:
        """Play the steps, and tell who answered."""
        self.seen.append(exchange)
        self.running += 1
        trail = exchange.trail
        trail.worker, trail.model = WORKER, "m"
        try:
            for step in self.steps:
                await self._play(step, exchange)
        finally:
            self.running -= 1

    async def _play(self, step: Step, exchange: Exchange) -> None:
        match step:
            case Exception():
                raise step
            case float():
                await trio.sleep(step)
            case trio.Event():
                await step.wait()
            case str():
                await trio.lowlevel.checkpoint()
                await exchange.downstream.send((TextDelta(step),))
            case _ if callable(step):
                step(exchange)
            case _:
                await trio.lowlevel.checkpoint()
                await exchange.downstream.send((step,))


@attrs.define(eq=False)
class Client:
    """Keeps what it is sent. `pause_s`: how long it takes for each batch.

    `collects`: it wants the answer whole. `speechless`: its door has no words for any answer.
    """

    pause_s: float = 0.0
    collects: bool = False
    speechless: bool = False
    batches: list[Batch] = attrs.Factory(list)
    writing: int = 0
    ended_at: float | None = None
    error: BaseException | None = None

    async def send(self, events: Batch) -> None:
        """Take a batch, one at a time."""
        assert self.writing == 0
        if self.speechless:
            raise WorkerFailed(WORKER, FailureKind.SERVER_ERROR, "no words")
        self.writing += 1
        try:
            await trio.sleep(self.pause_s)
        finally:
            self.writing -= 1
        self.batches.append(events)

    def start_over(self) -> bool:
        """Take back what came, if it is kept until the end."""
        if self.collects:
            self.batches.clear()
        return not self.batches

    @property
    def is_sent(self) -> bool:
        """Whether all of it has gone out."""
        return bool(self.batches) and isinstance(self.batches[-1][-1], Finished)

    @property
    def events(self) -> list[AnswerEvent]:
        """All of them."""
        return [event for batch in self.batches for event in batch]

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def is_whole(self) -> bool:
        """Whether the end has come, once, and last."""
        ends = [isinstance(event, Finished) for event in self.events]
        return ends.count(True) == 1 and ends[-1]


@attrs.define(eq=False)
class Stand:
    """The layer and all around it."""

    inner: FakeInner
    parts: CachingParts
    layer: CachingLayer

    def exchange(
        self,
        text: str = "hello",
        *,
        client: Client | None = None,
        temperature: float | None = None,
        request: ModelRequest | None = None,
        model: str = "m",
        tenant: str = "t",
        wishes: CacheWishes | None = None,
    ) -> Exchange:
        """A new request."""
        chat = ChatRequest(
            model=model,
            messages=(text_message(Role.USER, text),),
            sampling=Sampling(temperature=temperature),
        )
        return Exchange(
            request_id=RequestId("r"),
            door="test",
            request=chat if request is None else request,
            downstream=client or Client(),
            tenant=Tenant(tenant),
            wishes=wishes or CacheWishes(),
        )

    async def ask(
        self, exchange: Exchange, leaves_after_s: float | None = None, *, timeout_s: float = 3600.0
    ) -> Client:
        """Have it answered; the client knows how that ended, also by leaving or by its deadline.

        To leave is to be cancelled without anybody having foreseen when.
        """
        client = exchange.downstream
        assert isinstance(client, Client)
        client.error = TimeoutError()
        if leaves_after_s is None:
            await self._ask(exchange, client, timeout_s)
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ask, exchange, client, timeout_s)
                await trio.sleep(leaves_after_s)
                nursery.cancel_scope.cancel()
        return client

    async def _ask(self, exchange: Exchange, client: Client, timeout_s: float) -> None:
        try:
            with trio.move_on_after(timeout_s):
                await self.layer(exchange)
                client.error = None
        except (CortexError, ArithmeticError) as error:
            client.error = error
        finally:
            client.ended_at = trio.current_time()

    @property
    def calls(self) -> int:
        """How often the inner layers were asked."""
        return len(self.inner.seen)

    def is_idle(self) -> bool:
        """Whether nothing is left in progress."""
        return self.inner.running == 0 and not self.parts.flights._flights


MakeStand: TypeAlias = Callable[..., Stand]


@pytest.fixture
def make_stand() -> MakeStand:
    """Makes a stand from the steps of the inner service."""

    def make(
        *steps: Step, settings: CacheSettings | None = None, shared: SharedAnswers | None = None
    ) -> Stand:
        inner = FakeInner(steps)
        settings = settings or CacheSettings(ttl_seconds=100.0)
        parts = CachingParts(
            settings=settings,
            cache=AnswerCache(settings.max_bytes),
            flights=Flights(),
            aliases={"fast": ("m",)},
            chance=random.Random(1),  # noqa: S311  a seed, no secret
            shared=shared,
        )
        return Stand(inner, parts, CachingLayer(inner, parts))

    return make
