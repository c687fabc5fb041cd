"""An engine in virtual time: it loads, answers and ends as a real one does, without a process."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from cortexd.providers.embedded.engine import EmbeddedEngine, EngineDied
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.embedded.standby_engine import Duty, StandbyEngine
from tests.fakes.dialect import Received
from tests.providers.conftest import OPENAI
from tests.simulation.network import Arrival, MemoryConnection, Network, Refused

SOCKET = Path("engine.sock")
LOADING_S = 2.0
ANSWER_S = 0.25
ENDING_S = 0.5
SOON_S = 1.5


class PlayedEngine(EmbeddedEngine):
    """Loads for two seconds, runs until it is stopped or dies, and is half a second in ending."""

    def __init__(self, scene: "Scene") -> None:
        super().__init__(EmbeddedSettings(), scene.address)
        self._scene = scene
        self._scope = trio.CancelScope()

    def request_stop(self) -> None:
        """End it: from now on nobody who comes to it is answered."""
        self._scene.stop_found.append(self._scene.address.socket)
        self._scene.die()
        self._scene.told.set()
        self._scope.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Play."""
        del task_status
        scene = self._scene
        scene.address.load()
        scene.runs += 1
        try:
            with self._scope:
                await trio.sleep(LOADING_S)
                if scene.is_broken:
                    raise EngineDied("it is broken")
                scene.is_alive = True
                scene.address.publish(SOCKET)
                await trio.sleep_forever()
        finally:
            scene.die()
            scene.address.withdraw("the engine has ended and will be started again")
            with trio.CancelScope(shield=True):
                await trio.sleep(ENDING_S)
        if scene.dies_of_stopping:
            raise EngineDied("it was faster")


@attrs.define(eq=False)
class Scene:
    """Whether the engine is needed, and what has become of it.

    `told` is set when it has been told to end; `stop_found`: what was published just then.
    `cut_off`: how many answers the end of an engine has cut off.
    """

    address: EngineAddress = attrs.Factory(EngineAddress)
    needed: trio.Event = attrs.Factory(trio.Event)
    told: trio.Event = attrs.Factory(trio.Event)
    network: Network = attrs.field(init=False)
    runs: int = 0
    cut_off: int = 0
    is_alive: bool = False
    is_broken: bool = False
    dies_of_stopping: bool = False
    deaths: list[str] = attrs.Factory(list)
    stop_found: list[Path | None] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.network = Network({"engine": self})

    @property
    def listens(self) -> bool:
        """Whether there is an engine that can be asked."""
        return self.address.socket == SOCKET

    def need_no_more(self) -> None:
        """Another node runs it again."""
        self.needed = trio.Event()

    def die(self) -> None:
        """The engine is gone, and with it what it was saying; harmless if repeated."""
        if self.is_alive:
            self.cut_off += sum(not each.is_closed for each in self.network.connections)
        self.is_alive = False

    async def connect(self) -> None:
        """As a `Peer`: let a client in."""
        await trio.lowlevel.checkpoint()
        if not self.is_alive:
            raise Refused

    def take(self, request: Received, connection: MemoryConnection) -> Iterable[Arrival]:
        """As a `Peer`: answer `Hello world`; a health check goes by another connection."""
        del request, connection
        head, *pieces = OPENAI.good.pieces
        return [Arrival(0.0, head), Arrival(ANSWER_S, b"".join(pieces))]

    async def keep_up(self) -> None:
        """What a supervisor does."""
        while True:
            duty = Duty(is_needed=self._is_needed, wait_needed=self._wait_needed)
            try:
                await StandbyEngine(lambda: PlayedEngine(self), self.address, duty).run()
            except EngineDied as death:
                self.deaths.append(str(death))

    def _is_needed(self) -> bool:
        return self.needed.is_set()

    async def _wait_needed(self) -> None:
        await self.needed.wait()


@asynccontextmanager
async def playing(scene: Scene) -> AsyncIterator[None]:
    """The engine on its stage for the length of the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.keep_up)
        await trio.sleep(SOON_S)
        yield
        nursery.cancel_scope.cancel()
