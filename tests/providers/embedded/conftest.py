"""Engines that really run."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import attrs
import pytest
import trio

from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.embedded.engine import EmbeddedEngine
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.embedded.worker import EmbeddedWorker
from tests.providers.embedded.played_engine import Scene

READY_S_MAX = 20.0


def engine_pids(parent: int | str = "self") -> list[int]:
    """The engines that a process has started; it may have started other things as well."""
    pids: list[int] = []
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        pids += filter(_is_engine, map(int, children.read_text().split()))
    return pids


def _is_engine(pid: int) -> bool:
    try:
        return b"engine_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # it has just ended


@attrs.frozen
class Machine:
    """One engine, and the worker in front of it."""

    settings: EmbeddedSettings
    engine: EmbeddedEngine
    address: EngineAddress
    worker: EmbeddedWorker
    ready: trio.Event

    async def wait_ready(self) -> None:
        """Wait until it listens."""
        with trio.fail_after(READY_S_MAX):
            await self.ready.wait()

    @property
    def pids(self) -> list[int]:
        """The engine's process, if it has one."""
        return engine_pids()


@pytest.fixture
def make_machine(settings_of: Callable[..., WorkerSettings]) -> Callable[..., Machine]:
    """Put an engine and its worker together; nothing runs yet.

    One thread computes: as many as there are processors wait for each other when other tests run.
    """

    def make(**fields: object) -> Machine:
        settings = EmbeddedSettings(**{"threads": 1} | fields)  # type: ignore[arg-type]
        address, ready = EngineAddress(), trio.Event()
        parts = AdapterParts(embedded=settings, address=address)
        return Machine(
            settings,
            EmbeddedEngine(settings, address, on_ready=ready.set),
            address,
            EmbeddedWorker(settings_of(WorkerType.EMBEDDED), parts),
            ready,
        )

    return make


@pytest.fixture
async def machine(
    nursery: trio.Nursery, make_machine: Callable[..., Machine]
) -> AsyncIterator[Machine]:
    """An engine that is ready."""
    machine = make_machine()
    await nursery.start(machine.engine.run)
    await machine.wait_ready()
    yield machine
    machine.engine.request_stop()


@pytest.fixture
def scene() -> Scene:
    """A played engine that is needed nowhere here."""
    return Scene()


@pytest.fixture
def scene_worker(scene: Scene, settings_of: Callable[..., WorkerSettings]) -> EmbeddedWorker:
    """The worker in front of it."""
    parts = AdapterParts(
        address=scene.address, dial=scene.network.dial, new_transport=scene.network.new_transport
    )
    return EmbeddedWorker(settings_of(WorkerType.EMBEDDED), parts)


@pytest.fixture
def say() -> Callable[..., ChatRequest]:
    """A request without chance in it."""

    def request(text: str, tokens_max: int = 48) -> ChatRequest:
        return ChatRequest(
            model=None,
            messages=(text_message(Role.USER, text),),
            sampling=Sampling(temperature=0.0, max_output_tokens=tokens_max),
        )

    return request


@pytest.fixture(autouse=True)
def no_engine_left() -> Iterator[None]:
    """Each test leaves as many processes as it found."""
    before = engine_pids()
    yield
    assert engine_pids() == before
