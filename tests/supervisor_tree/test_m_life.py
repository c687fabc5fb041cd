"""Group M: stopping, and what is called then."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ActorStopped,
    CallCycle,
    ChildSpec,
    Exit,
    ExitKind,
    Ignore,
    NoProc,
    Restart,
    Shutdown,
    StartFailed,
    Supervisor,
    Timer,
)
from supervisor_tree.testing import Boom, running, settle


class Liver(Actor):
    """Notes all that happens to it."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.timer: Timer | None = None

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        self.log.append(("on_stop", exit.kind.value))

    async def note(self, text: str = "note") -> str:
        """Note something."""
        self.log.append((text, trio.current_time()))
        return text

    async def nap(self, seconds: float) -> None:
        """Be busy."""
        await trio.sleep(seconds)

    async def end(self, reason: object = None) -> str:
        """Stop itself."""
        self.stop(reason)
        return "bye"

    async def stop_by_reference(self) -> None:
        """Wait for its own end."""
        ref: ActorRef[Any] = self.ctx.ref
        await ref.stop()

    async def wait_for_own_exit(self) -> None:
        """Wait for what cannot come while it waits."""
        ref: ActorRef[Any] = self.ctx.ref
        await ref.wait_exit()

    async def fail(self) -> None:
        """Crash."""
        raise Boom

    async def quit(self) -> None:
        """End in good order."""
        raise Shutdown


def liver(log: list[Any], **more: Any) -> ChildSpec:
    """Make the spec of one."""
    return ChildSpec("a", partial(Liver, log), **more)


def only(sup: Supervisor) -> ActorRef[Any]:
    """Look up the reference to the only child."""
    return sup.which_children()[0].ref


async def test_c127_stop_by_reference() -> None:
    """stop() waits for the end, which is a normal one; the dead cannot be stopped."""
    log: list[Any] = []
    sup = Supervisor(liver(log, restart=Restart.TRANSIENT))
    async with running(sup):
        ref = only(sup)
        await ref.stop()
        assert log == [("on_stop", "normal")]
        assert (await ref.wait_exit()).kind is ExitKind.NORMAL
        await settle()
        with pytest.raises(NoProc):
            await ref.stop()


@pytest.mark.parametrize("method", [Liver.stop_by_reference, Liver.wait_for_own_exit])
async def test_c127_stop_by_reference_from_inside(method: Any) -> None:
    """Nobody can wait for his own end."""
    sup = Supervisor(liver([], restart=Restart.TEMPORARY))
    async with running(sup):
        with pytest.raises(ActorDied) as caught:
            await only(sup).call(method)
        assert isinstance(caught.value.__cause__, CallCycle)


async def test_c127_stop_of_itself() -> None:
    """An actor that stops itself replies first; those in line are turned away."""
    log: list[Any] = []
    outcomes: list[str] = []
    sup = Supervisor(liver(log, restart=Restart.TEMPORARY))
    async with running(sup), trio.open_nursery() as nursery:
        ref = only(sup)

        async def call(method: Any, *args: Any) -> None:
            try:
                outcomes.append(str(await ref.call(method, *args)))
            except ActorStopped:
                outcomes.append("stopped")

        nursery.start_soon(call, Liver.nap, 1)
        await settle()
        nursery.start_soon(call, Liver.end)
        await settle()
        nursery.start_soon(call, Liver.note)
        assert (await ref.wait_exit()).kind is ExitKind.NORMAL
    assert sorted(outcomes) == ["None", "bye", "stopped"]
    assert log == [("on_stop", "normal")]


@pytest.mark.parametrize(
    ("reason", "kind"), [(Boom(), ExitKind.CRASHED), (Shutdown(), ExitKind.SHUTDOWN)]
)
async def test_c127_stop_with_an_exception(reason: Exception, kind: ExitKind) -> None:
    """An exception as reason is what the actor ends with."""
    log: list[Any] = []
    sup = Supervisor(liver(log, restart=Restart.TEMPORARY))
    async with running(sup):
        ref = only(sup)
        assert await ref.call(Liver.end, reason) == "bye"
        assert (await ref.wait_exit()) == Exit(kind, reason)
        assert log == [("on_stop", kind.value)]


@pytest.mark.parametrize(
    ("way", "noted"),
    [
        ("tree", "shutdown"),
        ("end", "normal"),
        ("fail", "crashed"),
        ("quit", "shutdown"),
        ("kill", None),
    ],
)
async def test_c128_on_stop(way: str, noted: str | None) -> None:
    """on_stop is called exactly once, with the reason, but not when killed."""
    log: list[Any] = []
    sup = Supervisor(liver(log, restart=Restart.TEMPORARY))
    async with running(sup):
        ref = only(sup)
        if way == "kill":
            ref.kill()
        elif way != "tree":
            ref.cast(getattr(Liver, way))
        if way != "tree":
            await ref.wait_exit()
    assert log == ([] if noted is None else [("on_stop", noted)])


async def test_c128_error_in_on_stop() -> None:
    """An error in on_stop is a crash that remembers the one before it."""

    class Clumsy(Liver):
        async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
            raise RuntimeError("in on_stop")

    sup = Supervisor(ChildSpec("a", partial(Clumsy, []), restart=Restart.TEMPORARY))
    async with running(sup):
        ref = only(sup)
        ref.cast(Liver.fail)
        ended = await ref.wait_exit()
        assert ended.kind is ExitKind.CRASHED
        assert isinstance(ended.error, RuntimeError)
        assert isinstance(ended.error.__context__, Boom)


@pytest.mark.parametrize("error", [Ignore(), Boom(), Shutdown()])
async def test_c129_on_stop_is_not_called_after_a_failed_start(error: Exception) -> None:
    """What was never ready is not stopped."""
    log: list[Any] = []

    class Unborn(Liver):
        async def on_start(self) -> None:
            raise error

    sup = Supervisor()
    async with running(sup):
        spec = ChildSpec("a", partial(Unborn, log))
        if isinstance(error, Ignore):
            await sup.start_child(spec)
        else:
            with pytest.raises(StartFailed):
                await sup.start_child(spec)
    assert log == []


async def test_c117_killed_behind_a_shield() -> None:
    """Callers of a killed actor do not wait for a handler that cannot be cancelled."""
    release = trio.Event()

    class Shielded(Liver):
        async def dig_in(self) -> None:
            with trio.CancelScope(shield=True):
                await release.wait()

    sup = Supervisor(ChildSpec("a", partial(Shielded, []), restart=Restart.TEMPORARY))
    async with running(sup), trio.open_nursery() as nursery:
        ref = only(sup)

        async def call() -> None:
            with pytest.raises(ActorDied):
                await ref.call(Shielded.dig_in)
            assert trio.current_time() == 0
            release.set()

        nursery.start_soon(call)
        await settle()
        ref.kill()
