"""The engine's process with the real model: ready, stopped, killed, left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.embedded import engine
from cortexd.providers.embedded.engine import EngineDied

if TYPE_CHECKING:
    from tests.providers.embedded.conftest import Machine

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 20.0
"""A limit for what hangs, not an expectation."""

LONG_PROMPT = "word salad " * 1500
LONG_STORY = "Write a very long story about the sea."

DAEMON = """
import sys, trio
from cortexd.domain.chat import text_message, ChatRequest, Message, Role
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.embedded.engine import EmbeddedEngine
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.settings import EmbeddedSettings
from cortexd.providers.embedded.worker import EmbeddedWorker

async def main():
    settings, address, ready = EmbeddedSettings(), EngineAddress(), trio.Event()
    worker = EmbeddedWorker(
        WorkerSettings(name="w", type=WorkerType.EMBEDDED, priority=1),
        AdapterParts(embedded=settings, address=address),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(EmbeddedEngine(settings, address, on_ready=ready.set).run)
        if sys.argv[1] != "starting":
            await ready.wait()
        print("here", flush=True)
        if sys.argv[1] == "generating":
            request = ChatRequest(model=None, messages=(text_message(Role.USER, sys.argv[2]),))
            async with worker.open_chat(request, model="x") as stream:
                async for _ in stream:
                    pass

trio.run(main)
"""


async def test_boot_is_not_delayed(
    nursery: trio.Nursery, make_machine: Callable[..., "Machine"]
) -> None:
    """The service has started long before the model is loaded."""
    machine = make_machine()

    with trio.fail_after(HANGS_S):
        await nursery.start(machine.engine.run)

    assert machine.address.socket is None
    with pytest.raises(WorkerFailed) as caught:
        await machine.worker.health_check()
    assert caught.value.kind is FailureKind.OVERLOADED
    assert caught.value.detail == "the engine is starting"

    await machine.wait_ready()
    assert await machine.worker.health_check() == ("smollm2-135m-instruct",)
    machine.engine.request_stop()


async def test_stopping_leaves_nothing(make_machine: Callable[..., "Machine"]) -> None:
    """After `request_stop`, repeated or not, the process and its directory are gone at once."""
    machine = make_machine()
    async with trio.open_nursery() as nursery:
        await nursery.start(machine.engine.run)
        await machine.wait_ready()
        socket = machine.address.socket
        assert socket is not None
        assert socket.parent.stat().st_mode & 0o777 == 0o700

        machine.engine.request_stop()
        machine.engine.request_stop()
        nursery.cancel_scope.deadline = trio.current_time() + HANGS_S

    assert not nursery.cancel_scope.cancelled_caught
    assert not socket.parent.exists()
    assert machine.address.socket is None
    assert machine.pids == []


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.3])
async def test_cancelling_while_it_starts(
    make_machine: Callable[..., "Machine"], delay_s: float
) -> None:
    """Cancelled at any time of its start, it leaves no process."""
    machine = make_machine()

    with trio.fail_after(HANGS_S), trio.move_on_after(delay_s):
        await machine.engine.run()

    assert machine.pids == []


async def test_stopping_before_it_runs(make_machine: Callable[..., "Machine"]) -> None:
    """An order to stop that comes first is obeyed."""
    machine = make_machine()
    machine.engine.request_stop()

    with trio.fail_after(HANGS_S):
        await machine.engine.run()


async def test_death_of_the_engine(make_machine: Callable[..., "Machine"]) -> None:
    """A killed engine is an error for the supervisor, and the worker is unreachable."""
    machine = make_machine()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def run() -> None:
            with pytest.raises(EngineDied, match="was killed by signal 9"):
                await machine.engine.run()

        await machine.wait_ready()
        (pid,) = machine.pids
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(WorkerFailed) as caught:
        await machine.worker.health_check()
    assert caught.value.kind is FailureKind.OVERLOADED


async def test_death_in_the_midst_of_an_answer(
    make_machine: Callable[..., "Machine"], say: Callable[..., ChatRequest]
) -> None:
    """An answer that its engine cannot finish is a failure."""
    machine = make_machine()

    async def run() -> None:
        with pytest.raises(EngineDied):
            await machine.engine.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await machine.wait_ready()
        async with machine.worker.open_chat(say(LONG_STORY, 2000), model="x") as stream:
            await anext(stream)
            (pid,) = machine.pids
            os.kill(pid, signal.SIGKILL)
            with trio.fail_after(HANGS_S), pytest.raises(WorkerFailed) as caught:
                async for _ in stream:
                    pass

    assert caught.value.kind is FailureKind.SERVER_ERROR


@pytest.mark.parametrize("rests", [False, True])
async def test_nobody_waits_for_an_engine_that_cannot_be_started(
    make_machine: Callable[..., "Machine"],
    say: Callable[..., ChatRequest],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    rests: bool,
) -> None:
    """Who has come to it goes on to another worker at once, also where it was to be woken."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    machine = make_machine()
    machine.address.rest() if rests else machine.address.load()
    told: list[FailureKind] = []

    async def chat() -> None:
        with pytest.raises(WorkerFailed) as caught:
            async with machine.worker.open_chat(say("Hi"), model="x"):
                pass
        told.append(caught.value.kind)

    with trio.fail_after(HANGS_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(EngineDied, match="could not be started: No such file"):
                await machine.engine.run()

    assert told == [FailureKind.OVERLOADED]
    with pytest.raises(WorkerFailed):
        await machine.worker.health_check()


async def test_engine_that_is_never_ready(
    make_machine: Callable[..., "Machine"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that takes too long is a death, and leaves no process."""
    monkeypatch.setattr(engine, "READY_S_MAX", 0.0)
    machine = make_machine()

    with pytest.raises(EngineDied, match="was not ready within 0 s"):
        await machine.engine.run()

    assert machine.pids == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_signals_for_the_gateway_are_ignored(machine: "Machine", name: str) -> None:
    """While the gateway drains, an answer may still be on its way."""
    (pid,) = machine.pids

    os.kill(pid, signal.Signals[name])
    await trio.sleep(0.1)

    assert await machine.worker.health_check()


@pytest.mark.parametrize("phase", ["starting", "idle", "generating"])
def test_engine_dies_with_the_gateway(phase: str) -> None:
    """Killed without warning, the gateway takes the engine with it, whatever that is at."""
    command = [sys.executable, "-c", DAEMON, phase, LONG_PROMPT]
    # The directory of its socket is all that it leaves. Not `tmp_path`: a socket's path is short.
    with TemporaryDirectory() as folder:
        environment = os.environ | {"TMPDIR": folder}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as daemon:
            assert daemon.stdout is not None
            daemon.stdout.readline()
            time.sleep(0.15)
            (pid,) = _children_of(daemon.pid)
            daemon.kill()
        deadline = time.monotonic() + HANGS_S
        while _is_running(pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
