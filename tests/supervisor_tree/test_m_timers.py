"""Group M: continuations and timers."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    ChildState,
    Restart,
    Supervisor,
    Timer,
)
from supervisor_tree.testing import crash, running, settle


class Liver(Actor):
    """Notes all that happens to it."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.timer: Timer | None = None

    async def note(self, text: str = "note") -> str:
        """Note something."""
        self.log.append((text, trio.current_time()))
        return text

    async def note_then_continue(self) -> str:
        """Have more to do after the reply."""
        self.continue_with(Liver.note, "continued")
        await self.note("first")
        return "replied"

    async def start_timer(self, delay: float, *, again: bool = False) -> None:
        """Start a timer."""
        self.timer = (self.every if again else self.send_after)(delay, Liver.note, "tick")

    async def cancel_timer(self) -> None:
        """Cancel it."""
        assert self.timer is not None
        self.timer.cancel()

    async def nap(self, seconds: float) -> None:
        """Be busy."""
        await trio.sleep(seconds)


def liver(log: list[Any], **more: Any) -> ChildSpec:
    """Make the spec of one."""
    return ChildSpec("a", partial(Liver, log), **more)


def only(sup: Supervisor) -> ActorRef[Any]:
    """Look up the reference to the only child."""
    return sup.which_children()[0].ref


async def test_c125_continue_with_runs_before_queued_messages() -> None:
    """A continuation comes after the reply and before everything queued."""
    log: list[Any] = []
    sup = Supervisor(liver(log))
    async with running(sup):
        ref = only(sup)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.call, Liver.nap, 1)
            await settle()
            nursery.start_soon(ref.call, Liver.note_then_continue)
            await settle()
            ref.cast(Liver.note, "queued")
        await settle()
        assert [entry[0] for entry in log] == ["first", "continued", "queued"]


async def test_c125_continue_with_in_on_start() -> None:
    """In on_start it does not delay the start, but comes before all messages."""
    log: list[Any] = []

    class Lazy(Liver):
        async def on_start(self) -> None:
            self.continue_with(self.prepare)

        async def prepare(self) -> None:
            await trio.sleep(3)
            await self.note("prepared")

    sup = Supervisor(ChildSpec("a", partial(Lazy, log)))
    async with running(sup):
        assert trio.current_time() == 0
        await only(sup).call(Liver.note)
        assert log == [("prepared", 3), ("note", 3)]


async def test_c126_handle_info_logs_by_default(caplog: pytest.LogCaptureFixture) -> None:
    """A message that nobody handles is logged."""
    sup = Supervisor(liver([]))
    async with running(sup):
        only(sup).cast(Liver.handle_info, "surprise")
        await settle()
        assert only(sup).state is ChildState.RUNNING
    assert "surprise" in caplog.text


async def test_c126_send_after() -> None:
    """A timer fires once, at its time."""
    log: list[Any] = []
    sup = Supervisor(liver(log))
    async with running(sup):
        await only(sup).call(Liver.start_timer, 2)
        await trio.sleep(10)
        assert log == [("tick", 2)]


async def test_c126_every() -> None:
    """A repeated timer fires at multiples of its interval; ticks do not pile up."""
    log: list[Any] = []
    sup = Supervisor(liver(log))
    async with running(sup):
        await only(sup).call(Liver.start_timer, 2, again=True)
        await trio.sleep(5)
        assert log == [("tick", 2), ("tick", 4)]
        only(sup).cast(Liver.nap, 6.5)
        await trio.sleep(8)
        assert log[2:] == [("tick", 11.5), ("tick", 12)]


async def test_c126_cancelled_timer() -> None:
    """A timer that was cancelled never fires, even if its message is queued."""
    log: list[Any] = []
    sup = Supervisor(liver(log))
    async with running(sup):
        ref = only(sup)
        await ref.call(Liver.start_timer, 2)
        await ref.call(Liver.cancel_timer)
        await trio.sleep(10)
        await ref.call(Liver.start_timer, 1)

        async def cancel_late() -> None:
            await trio.sleep(3)
            actor_timer[0].cancel()

        actor_timer: list[Timer] = []

        class _Peek:
            async def take(self, actor: Liver) -> None:
                assert actor.timer is not None
                actor_timer.append(actor.timer)

        await ref.call(partial(_Peek.take, _Peek()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.call, Liver.nap, 4)
            nursery.start_soon(cancel_late)
        await settle()
        assert log == []


async def test_c126_timers_die_with_the_incarnation() -> None:
    """The next incarnation does not inherit timers."""
    log: list[Any] = []
    sup = Supervisor(liver(log))
    async with running(sup):
        await only(sup).call(Liver.start_timer, 2, again=True)
        await crash(only(sup))
        await trio.sleep(10)
        assert log == []


@pytest.mark.parametrize("delay", [-1, float("nan")])
async def test_c126_impossible_delays(delay: float) -> None:
    """A delay that makes no sense is refused where it is given."""
    sup = Supervisor(liver([], restart=Restart.TEMPORARY))
    async with running(sup):
        with pytest.raises(ActorDied) as caught:
            await only(sup).call(Liver.start_timer, delay)
        assert isinstance(caught.value.__cause__, ValueError)
