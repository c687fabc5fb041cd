"""An engine that another node runs: here it rests until it is needed, or called."""

from typing import Final

import pytest
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.providers.embedded.standby_engine import UNUSED_S_MAX
from cortexd.providers.embedded.worker import EmbeddedWorker
from tests.providers.embedded.played_engine import LOADING_S, SOON_S, Scene, playing

WELL: Final = ("smollm2-135m-instruct",)


async def test_it_rests_until_it_is_needed(scene: Scene) -> None:
    """Then it comes at once; when it is not needed any more it stays for a while."""
    async with playing(scene):
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
    async with playing(scene):
        before = trio.current_time()
        with scene.address.in_use():
            await scene.address.wake()
            assert scene.listens
            assert trio.current_time() - before == pytest.approx(LOADING_S)
            await trio.sleep(3 * UNUSED_S_MAX)
            assert scene.listens
        await trio.sleep(UNUSED_S_MAX + SOON_S)
        assert scene.address.rests


async def test_the_shortest_use_counts(scene: Scene) -> None:
    """It is not put to rest within a minute of it, whenever it was."""
    async with playing(scene):
        await scene.address.wake()
        for _ in range(4):
            await trio.sleep(UNUSED_S_MAX / 2 + 0.01)
            with scene.address.in_use():
                await trio.sleep(0.01)
        await trio.sleep(UNUSED_S_MAX - 0.01)
        assert scene.listens
        await trio.sleep(SOON_S)
        assert (scene.address.rests, scene.runs) == (True, 1)


async def test_who_comes_while_it_loads_waits(scene: Scene) -> None:
    """Whoever it was that needed it: another node has died, or it is this one's from the start."""
    async with playing(scene):
        scene.needed.set()
        await trio.sleep(LOADING_S / 2)
        assert not scene.listens
        with trio.fail_after(LOADING_S):
            await scene.address.wake()
        assert (scene.listens, scene.runs) == (True, 1)


async def test_one_that_cannot_run_keeps_nobody_waiting(scene: Scene) -> None:
    """Who has woken it is told when it dies, and can ask another worker."""
    scene.is_broken = True
    async with playing(scene):
        with trio.fail_after(LOADING_S + SOON_S):
            await scene.address.wake()
        assert not scene.listens
        await trio.sleep(SOON_S)
        assert scene.deaths == ["it is broken"]


async def test_it_runs_from_the_start_where_it_is_needed(scene: Scene) -> None:
    """As without a cluster; nobody has to wake it."""
    scene.needed.set()
    async with playing(scene):
        await trio.sleep(LOADING_S)
        assert (scene.listens, scene.runs) == (True, 1)
        await scene.address.wake()


async def test_it_is_well_while_it_rests_and_while_it_wakes(
    scene: Scene, scene_worker: EmbeddedWorker
) -> None:
    """Who comes then is answered, so that no check may turn him away."""
    async with playing(scene):
        assert await scene_worker.health_check() == WELL
        scene.needed.set()
        await trio.sleep(LOADING_S / 2)
        assert not scene.listens
        assert await scene_worker.health_check() == WELL


async def test_it_is_not_well_while_it_loads_unrested(
    scene: Scene, scene_worker: EmbeddedWorker
) -> None:
    """A node that starts, or whose engine has died, says so."""
    scene.needed.set()
    scene.is_broken = True
    async with playing(scene):
        for run in (1, 2):
            with pytest.raises(WorkerFailed) as caught:
                await scene_worker.health_check()
            assert (caught.value.detail, scene.runs) == ("the engine is starting", run)
            await trio.sleep(LOADING_S)
