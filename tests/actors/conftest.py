"""The three actors of the `workers` branch over a worker whose health a test decides."""

import random
from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
import pytest
import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthHistory, HealthMonitor
from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker, Roster, registered
from cortexd.actors.worker_pool import WORKER_POOL, HealthBoard, PoolView, WorkerPool, pool_view
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.events import Event
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import FIRST_KEY, KeyIndex, WorkerName
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerInfo, WorkerSettings, WorkerType
from cortexd.policy.health import HealthSettings
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.ports import ChatStream
from supervisor_tree import ChildSpec, Strategy, Supervisor
from tests.parts import TERMS


@attrs.define(eq=False)
class Patient:
    """A worker that is as well as the test says."""

    name: WorkerName
    failure: str | None = None
    answers_after_s: float = 0.0
    checks: list[float] = attrs.Factory(list)
    closed: list[float] = attrs.Factory(list)
    priority: int = 10

    def info(self) -> WorkerInfo:
        """It declares no models: they are discovered."""
        return WorkerInfo(
            name=self.name,
            type=WorkerType.SCRIPTED,
            priority=self.priority,
            models=(),
            features=frozenset(Feature),
        )

    async def health_check(self) -> tuple[str, ...]:
        """Answer as told."""
        self.checks.append(trio.current_time())
        await trio.sleep(self.answers_after_s)
        if self.failure is not None:
            raise WorkerFailed(self.name, FailureKind.UNREACHABLE, self.failure)
        return (f"model-of-{self.name}",)

    def connections(self) -> ConnectionStatistics | None:
        """There are none."""
        return None

    async def aclose(self) -> None:
        """Note when."""
        self.closed.append(trio.current_time())

    def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> AbstractAsyncContextManager[ChatStream]:
        """No chats here."""
        raise AssertionError(model)

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        """No embeddings here."""
        raise AssertionError(model)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        """Cannot tell."""
        return None


def _hire(name: str) -> tuple[Patient, RegisteredWorker]:
    patient = Patient(WorkerName(name))
    settings = WorkerSettings(name=patient.name, type=WorkerType.SCRIPTED, priority=10)
    return patient, registered(settings, patient, TERMS)


@attrs.define(eq=False)
class Branch:
    """The boards, the events, and the tree to be run."""

    patients: dict[str, Patient]
    roster: Roster
    leaving: Roster
    board: HealthBoard
    history: HealthHistory
    view: Published[PoolView]
    events: list[Event]
    tree: Supervisor

    def hire(self, name: str) -> RegisteredWorker:
        """A further worker, not registered yet."""
        self.patients[name], worker = _hire(name)
        return worker

    def status(self, name: str) -> tuple[str, str | None]:
        """What the view says of a worker."""
        (health,) = [
            member.health for member in self.view.value.members if member.worker.name == name
        ]
        return health.status.value, health.reason


@pytest.fixture
def branch() -> Branch:
    """Two workers, `a` and `b`; the settings are the defaults: 30 s, 5 s, two in a row."""
    hired = {name: _hire(name) for name in ("a", "b")}
    roster: Roster = Published(tuple(worker for _, worker in hired.values()))
    leaving: Roster = Published(())
    board: HealthBoard = Published({})
    history: HealthHistory = Published(())
    strategy = PoolStrategy.LOCAL_FIRST
    view = Published(pool_view(roster, board, strategy))
    events: list[Event] = []
    monitor = partial(
        HealthMonitor,
        roster,
        board,
        HealthSettings(),
        history,
        chance=random.Random(1),  # noqa: S311  a seed, no secret
        emit=events.append,
    )
    tree = Supervisor(
        ChildSpec(
            "registry",
            partial(WorkerRegistry, roster, leaving, events.append),
            name=WORKER_REGISTRY,
        ),
        ChildSpec(
            "breakers",
            partial(CircuitBreakers, roster, events.append),
            name=CIRCUIT_BREAKERS,
        ),
        ChildSpec("pool", partial(WorkerPool, roster, board, view, strategy), name=WORKER_POOL),
        ChildSpec("monitor", monitor, name=HEALTH_MONITOR),
        strategy=Strategy.REST_FOR_ONE,
    )
    patients = {name: patient for name, (patient, _) in hired.items()}
    return Branch(patients, roster, leaving, board, history, view, events, tree)
