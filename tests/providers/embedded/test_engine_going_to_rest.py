"""An engine that is being ended because nobody needs it, and the chats that come just then.

Each of them is answered: by this engine, which then stays, or by the next one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest
import trio

from cortexd.domain.answer import Finished, FinishReason
from cortexd.domain.chat import ChatRequest
from cortexd.providers.embedded import standby_engine
from cortexd.providers.embedded.engine import EmbeddedEngine
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.standby_engine import UNUSED_S_MAX, Duty, StandbyEngine
from cortexd.providers.embedded.worker import EmbeddedWorker
from tests.providers.embedded.played_engine import ENDING_S, SOCKET, Scene, playing

if TYPE_CHECKING:
    from tests.providers.embedded.conftest import Machine

HANGS_S: Final = 20.0
WELL: Final = ("smollm2-135m-instruct",)


async def _chat(worker: EmbeddedWorker, question: ChatRequest) -> None:
    """Ask, and have the whole answer. Errors: `WorkerFailed`."""
    with trio.fail_after(HANGS_S):
        async with worker.open_chat(question, model="m1") as stream:
            events = [event async for batch in stream for event in batch]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.STOP


@pytest.mark.parametrize("late_s", [0.0, ENDING_S / 2, ENDING_S, 2 * ENDING_S])
async def test_a_chat_that_comes_while_it_ends_has_the_next_one(
    scene: Scene, scene_worker: EmbeddedWorker, question: ChatRequest, late_s: float
) -> None:
    """It waits until the engine has ended, and the next one has been loaded."""
    async with playing(scene):
        await _chat(scene_worker, question)
        await scene.told.wait()
        await trio.sleep(late_s)
        await _chat(scene_worker, question)
    assert (scene.runs, scene.cut_off) == (2, 0)


async def test_whoever_comes_around_that_time_is_answered(
    scene: Scene, scene_worker: EmbeddedWorker, question: ChatRequest
) -> None:
    """Clients that pause for about as long as an unused engine stays, some less and some more."""
    async with playing(scene):
        for step in range(200):
            await _chat(scene_worker, question)
            await trio.sleep(UNUSED_S_MAX - 1.0 + step / 70)
    assert 20 < scene.runs < 180
    assert scene.cut_off == 0


async def test_nobody_is_sent_to_one_that_has_been_told_to_end(
    scene: Scene, scene_worker: EmbeddedWorker, question: ChatRequest
) -> None:
    """Its address is withdrawn before; and it counts as well as long as it rests."""
    async with playing(scene):
        await _chat(scene_worker, question)
        assert scene.listens
        await scene.told.wait()
        assert scene.stop_found == [None]
        for _ in range(3):
            assert await scene_worker.health_check() == WELL
            await trio.sleep(ENDING_S)


async def test_one_that_is_needed_again_while_it_ends_is_waited_for(
    scene: Scene, scene_worker: EmbeddedWorker, question: ChatRequest
) -> None:
    """The node that had it back is gone once more: the next one is started unasked."""
    scene.needed.set()
    async with playing(scene):
        scene.need_no_more()
        await scene.told.wait()
        scene.needed.set()
        await _chat(scene_worker, question)
        assert (scene.runs, scene.cut_off) == (2, 0)


async def test_one_that_dies_before_it_is_ended_keeps_the_call(
    scene: Scene, scene_worker: EmbeddedWorker, question: ChatRequest
) -> None:
    """Its supervisor is told, and starts over; who has called meanwhile is not forgotten."""
    scene.dies_of_stopping = True
    async with playing(scene):
        await _chat(scene_worker, question)
        await scene.told.wait()
        await _chat(scene_worker, question)
    assert (scene.runs, scene.deaths) == (2, ["it was faster"])


async def test_a_last_word_of_one_that_ends_goes_for_nothing() -> None:
    """It may have become ready just when it was told to end; only a start ends the rest."""
    address = EngineAddress()
    address.rest()
    address.publish(SOCKET)
    assert (address.rests, address.socket) == (True, None)
    address.withdraw("it has ended")
    assert (address.rests, address.reason) == (True, "the engine rests")
    address.load()
    address.publish(SOCKET)
    assert (address.rests, address.socket) == (False, SOCKET)


async def test_an_engine_that_cannot_be_started_says_so_to_who_called(
    make_machine: Callable[..., "Machine"],
) -> None:
    """Without weights there is nothing to wait for."""
    machine = make_machine(weights=SOCKET)
    machine.address.rest()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.engine.run)
        with trio.fail_after(HANGS_S):
            await machine.address.wake()
        assert (machine.address.rests, machine.address.is_coming) == (False, False)
        machine.engine.request_stop()


class _Told(EmbeddedEngine):
    """A real one that lets it be known when it is told to end."""

    told: trio.Event

    def request_stop(self) -> None:
        """End it."""
        super().request_stop()
        self.told.set()


@pytest.mark.slow
@pytest.mark.real_time
async def test_a_real_one(
    make_machine: Callable[..., "Machine"],
    say: Callable[..., ChatRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chat that comes while its process is being killed is answered by the next process."""
    monkeypatch.setattr(standby_engine, "UNUSED_S_MAX", 0.0)
    machine, is_needed, told, runs = make_machine(), True, trio.Event(), 0

    def make() -> EmbeddedEngine:
        nonlocal runs
        runs += 1
        engine = _Told(machine.settings, machine.address, on_ready=machine.ready.set)
        engine.told = told
        return engine

    duty = Duty(is_needed=lambda: is_needed, wait_needed=trio.sleep_forever)
    standby = StandbyEngine(make, machine.address, duty)
    async with trio.open_nursery() as nursery:
        await nursery.start(standby.run)
        await machine.wait_ready()
        is_needed = False
        with trio.fail_after(HANGS_S):
            await told.wait()
            async with machine.worker.open_chat(say("Say hi.", 1), model="x") as stream:
                events = [event async for batch in stream for event in batch]
        standby.request_stop()
    assert isinstance(events[-1], Finished)
    assert runs == 2
