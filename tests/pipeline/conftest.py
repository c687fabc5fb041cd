"""Workers that do as they are told, and a client that keeps what it gets."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import TypeAlias

import attrs
import pytest
import trio

from cortexd.actors.published import Published
from cortexd.actors.roster import HiringTerms, RegisteredWorker, registered
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.answer import Batch, Embedded, Finished, FinishReason, TextDelta
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.events import Event, ExchangeEnded
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import FIRST_KEY, KeyIndex, RequestId, WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerHealth, WorkerInfo, WorkerSettings, WorkerStatus, WorkerType
from cortexd.pipeline.build import build_pipeline
from cortexd.pipeline.deadline import Cutoff
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.pipeline.shared_limits import ClusterLimits
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.degradation_state import DegradationState, forced_to
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.policy.retry_budget import RetrySettings
from cortexd.ports import ChatStream
from tests.parts import CHANCE, pipeline_parts

Step: TypeAlias = str | float | FailureKind
"""A text is sent, a number is slept, a kind is failed with."""


@attrs.define(eq=False)
class FakeWorker:
    """Plays its steps for each request and counts what happens to it."""

    name: WorkerName
    steps: Sequence[Step]
    opened: int = 0
    closed: int = 0
    priority: int = 10
    features: frozenset[Feature] = frozenset(Feature)
    resumes: bool = False
    closing_s: float = 0.0
    refused_keys: dict[KeyIndex, FailureKind] = attrs.Factory(dict)
    asked: list[ChatRequest] = attrs.Factory(list)
    keys: list[KeyIndex] = attrs.Factory(list)
    tokens: int | None = None
    vectors: tuple[tuple[float, ...], ...] | None = None

    def info(self) -> WorkerInfo:
        """Nothing special."""
        return WorkerInfo(
            name=self.name,
            type=WorkerType.SCRIPTED,
            priority=self.priority,
            models=("m",),
            features=self.features,
            resumes=self.resumes,
            context_tokens=None,
        )

    async def health_check(self) -> tuple[str, ...]:
        """Always well."""
        return ("m",)

    def connections(self) -> ConnectionStatistics | None:
        """There are none."""
        return None

    async def aclose(self) -> None:
        """Nothing to close."""

    def open_chat(
        self,
        request: ChatRequest,
        *,
        model: str,
        key: KeyIndex = FIRST_KEY,
    ) -> AbstractAsyncContextManager[ChatStream]:
        """Play the steps, from where the conversation already ends with them."""
        self.asked.append(request)
        self.keys.append(key)
        last = request.messages[-1]
        steps = [self.refused_keys[key]] if key in self.refused_keys else self.steps
        return self._open(steps, last.text if last.role is Role.ASSISTANT else "")

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """What the test says, else the length of each text; after the steps that are no text."""
        for step in self.steps:
            if isinstance(step, FailureKind):
                raise WorkerFailed(self.name, step, "as told")
            await trio.sleep(step if isinstance(step, float) else 0)
        lengths = tuple((float(len(text)),) for text in request.texts)
        return Embedded(lengths if self.vectors is None else self.vectors), Usage(3, 0)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """What the test says."""
        await trio.lowlevel.checkpoint()
        return self.tokens

    @asynccontextmanager
    async def _open(self, steps: Sequence[Step], said: str) -> AsyncIterator[ChatStream]:
        self.opened += 1
        try:
            async with aclosing(self._stream(steps, said)) as stream:
                yield stream
                await trio.sleep(self.closing_s)
        finally:
            self.closed += 1

    async def _stream(self, steps: Sequence[Step], said: str) -> AsyncGenerator[Batch, None]:
        for step in steps:
            if isinstance(step, FailureKind):
                raise WorkerFailed(self.name, step, "as told")
            if isinstance(step, str):
                await trio.lowlevel.checkpoint()
                rest = "" if said.startswith(step) else step.removeprefix(said)
                said = said.removeprefix(step) if not rest else ""
                if rest:
                    yield (TextDelta(rest),)
            else:
                await trio.sleep(step)
        yield (Finished(FinishReason.STOP, Usage(3, 2)),)


@attrs.define(eq=False)
class FakeClient:
    """Keeps the batches; `pause_s` makes it a slow reader, `collects` one who wants it whole."""

    pause_s: float = 0.0
    collects: bool = False
    batches: list[Batch] = attrs.Factory(list)

    async def send(self, events: Batch) -> None:
        """Take a batch."""
        await trio.sleep(self.pause_s)
        self.batches.append(events)

    def start_over(self) -> bool:
        """Take back what came, if it is kept until the end."""
        if self.collects:
            self.batches.clear()
        return not self.batches

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(
            event.text
            for events in self.batches
            for event in events
            if isinstance(event, TextDelta)
        )

    @property
    def is_sent(self) -> bool:
        """Whether all of it has gone out."""
        return self.finished and not self.collects

    @property
    def finished(self) -> bool:
        """Whether the answer was said to be complete."""
        return bool(self.batches) and isinstance(self.batches[-1][-1], Finished)


@attrs.define(eq=False)
class Bench:
    """A pipeline over fake workers."""

    workers: list[FakeWorker]
    service: ChatService
    view: Published[PoolView]
    cutoff: Cutoff
    events: list[Event]
    degradation: Published[DegradationState]

    def exchange(
        self,
        *,
        model: str | None = None,
        timeout_s: float | None = None,
        pause_s: float = 0.0,
        collects: bool = False,
    ) -> Exchange:
        """A new request."""
        return Exchange(
            request_id=RequestId("r-1"),
            door="test",
            request=ChatRequest(model=model, messages=(text_message(Role.USER, "hello"),)),
            downstream=FakeClient(pause_s, collects),
            timeout_s=timeout_s,
        )

    def replace(self, index: int, worker: RegisteredWorker) -> None:
        """Put another worker in the place of one."""
        members = list(self.view.value.members)
        members[index] = attrs.evolve(members[index], worker=worker)
        self.view.publish(attrs.evolve(self.view.value, members=tuple(members)))

    def fall_to(self, level: DegradationLevel) -> None:
        """Have the node work at this level."""
        self.degradation.publish(forced_to(DegradationState(), level, now=0.0))

    def ended(self) -> list[ExchangeEnded]:
        """The accounts so far."""
        return [event for event in self.events if isinstance(event, ExchangeEnded)]

    def idle(self) -> bool:
        """Whether nothing is held any more: no stream, no slot, no exchange."""
        return (
            all(worker.opened == worker.closed for worker in self.workers)
            and all(not member.worker.slots.in_flight for member in self.view.value.members)
            and self.cutoff.in_flight == 0
        )


MakeBench: TypeAlias = Callable[..., Bench]


@pytest.fixture
def make_bench() -> MakeBench:
    """Makes a bench from the steps of its workers, named a, b, c …, best first."""

    def make(
        *scripts: Sequence[Step],
        statuses: Sequence[WorkerStatus] = (),
        slots: int = 8,
        queue_max: int = 8,
        total_s: float = math.inf,
        aliases: dict[str, tuple[str, ...]] | None = None,
        breaker: BreakerSettings | None = None,
        max_attempts: int = 3,
        keys: int = 0,
        austerity: DegradationSettings | None = None,
        limits: ClusterLimits | None = None,
    ) -> Bench:
        retry = RetrySettings(max_attempts=max_attempts)
        workers: list[FakeWorker] = []
        members: list[PoolMember] = []
        for index, steps in enumerate(scripts):
            worker = FakeWorker(WorkerName("abcdef"[index]), steps, priority=index)
            settings = WorkerSettings(
                name=worker.name,
                type=WorkerType.SCRIPTED,
                priority=index,
                max_concurrency=slots,
                queue_max=queue_max,
                first_token_seconds=10.0,
                idle_seconds=5.0,
                total_seconds=total_s,
                api_keys=tuple(Secret(f"key-{number}") for number in range(keys)),
            )
            status = statuses[index] if statuses else WorkerStatus.AVAILABLE
            workers.append(worker)
            terms = HiringTerms(breaker=breaker or BreakerSettings(), retry=retry, chance=CHANCE)
            hired = registered(settings, worker, terms)
            members.append(PoolMember(hired, WorkerHealth(status=status)))
        view = Published(PoolView(tuple(members), PoolStrategy.LOCAL_FIRST))
        degradation = Published(DegradationState())
        events: list[Event] = []
        cutoff = Cutoff()
        parts = pipeline_parts(
            view,
            events.append,
            aliases=aliases,
            retry=retry,
            cutoff=cutoff,
            degradation=degradation,
            austerity=austerity,
        )
        parts = attrs.evolve(parts, limits=limits)
        return Bench(workers, build_pipeline(parts), view, cutoff, events, degradation)

    return make
