"""An engine that another node runs: here it rests until it is needed, or called."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from cortexd.providers.embedded.engine import EmbeddedEngine, EngineDied
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.embedded.standby_engine import UNUSED_S_MAX, Duty, StandbyEngine

SOCKET = Path("engine.sock")
LOADING_S = 2.0
SOON_S = 1.5


class PlayedEngine(EmbeddedEngine):
    """Loads for two seconds, and then runs until it is stopped or dies."""

    def __init__(self, scene: "Scene") -> None:
        super().__init__(EmbeddedSettings(), scene.address)
        self._scene = scene
        self._scope = trio.CancelScope()

    def request_stop(self) -> None:
        """End it."""
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
                scene.address.publish(SOCKET)
                await trio.sleep_forever()
        finally:
            scene.address.withdraw("the engine has ended and will be started again")


@attrs.define(eq=False)
class Scene:
    """Whether the engine is needed, and what has become of it."""

    address: EngineAddress = attrs.Factory(EngineAddress)
    needed: trio.Event = attrs.Factory(trio.Event)
    runs: int = 0
    is_broken: bool = False
    deaths: list[str] = attrs.Factory(list)

    @property
    def listens(self) -> bool:
        """Whether there is an engine that can be asked."""
        return self.address.socket == SOCKET

    def need_no_more(self) -> None:
        """Another node runs it again."""
        self.needed = trio.Event()

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
async def _playing(scene: Scene) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.keep_up)
        await trio.sleep(SOON_S)
        yield
        nursery.cancel_scope.cancel()


@pytest.fixture
def scene() -> Scene:
    """An engine that is needed nowhere here."""
    return Scene()


async def test_it_rests_until_it_is_needed(scene: Scene) -> None:
    """Then it comes at once; when it is not needed any more it stays for a while."""
    async with _playing(scene):
        assert (scene.address.rests, scene.runs) == (True, 0)
        scene.needed.set()
        await trio.sleep(LOADING_S + SOON_S)
        assert (scene.listens, scene.address.rests) == (True, False)
        scene.need_no_more()
        await trio.sleep(UNUSED_S_MAX - SOON_S)
        assert scene.listens
        await trio.sleep(2 * SOON_S)
        assert (scene.address.rests, scene.runs) == (True, 1)


async def test_a_request_wakes_it(scene: Scene) -> None:
    """The request waits for it to load, and no longer; while it is in use it stays."""
    async with _playing(scene):
        before = trio.current_time()
        with scene.address.in_use():
            await scene.address.wake()
            assert scene.listens
            assert trio.current_time() - before == pytest.approx(LOADING_S)
            await trio.sleep(3 * UNUSED_S_MAX)
            assert scene.listens
        await trio.sleep(UNUSED_S_MAX + SOON_S)
        assert scene.address.rests


async def test_who_comes_while_it_loads_waits(scene: Scene) -> None:
    """Whoever it was that needed it: another node has died, or it is this one's from the start."""
    async with _playing(scene):
        scene.needed.set()
        await trio.sleep(LOADING_S / 2)
        assert not scene.listens
        with trio.fail_after(LOADING_S):
            await scene.address.wake()
        assert (scene.listens, scene.runs) == (True, 1)


async def test_one_that_cannot_run_keeps_nobody_waiting(scene: Scene) -> None:
    """Who has woken it is told when it dies, and can ask another worker."""
    scene.is_broken = True
    async with _playing(scene):
        with trio.fail_after(LOADING_S + SOON_S):
            await scene.address.wake()
        assert not scene.listens
        await trio.sleep(SOON_S)
        assert scene.deaths == ["it is broken"]


async def test_it_runs_from_the_start_where_it_is_needed(scene: Scene) -> None:
    """As without a cluster; nobody has to wake it."""
    scene.needed.set()
    async with _playing(scene):
        await trio.sleep(LOADING_S)
        assert (scene.listens, scene.runs) == (True, 1)
        await scene.address.wake()
