"""Group M: long queues, long handlers, and for whom they run."""

from contextvars import ContextVar
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
    ExitKind,
    Supervisor,
    Timer,
)
from supervisor_tree.testing import running

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


class Liver(Actor):
    """Notes all that happens to it."""

    propagate = (REQUEST,)

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.timer: Timer | None = None

    async def note(self, text: str = "note") -> str:
        """Note something."""
        self.log.append((text, trio.current_time()))
        return text

    async def nap(self, seconds: float) -> None:
        """Be busy."""
        await trio.sleep(seconds)

    async def request(self) -> str:
        """Tell for whom it works."""
        return REQUEST.get()


def liver(log: list[Any], **more: Any) -> ChildSpec:
    """Make the spec of one."""
    return ChildSpec("a", partial(Liver, log), **more)


def only(sup: Supervisor) -> ActorRef[Any]:
    """Look up the reference to the only child."""
    return sup.which_children()[0].ref


@pytest.mark.slow
async def test_c130_long_queues_cost_linear_time(count_work: Any) -> None:
    """Ten times the queue takes about ten times the work."""

    class Roomy(Liver):
        mailbox_size = 10**6

    async def measure(count: int) -> int:
        sup = Supervisor(ChildSpec("a", partial(Roomy, [])))
        async with running(sup):
            ref = only(sup)
            with count_work() as work:
                for _ in range(count):
                    ref.cast(Liver.request)
                await ref.call(Liver.request)
            return int(work.calls)

    assert await measure(20_000) < 12 * await measure(2_000)


async def test_c133_propagated_context() -> None:
    """The caller's value of a listed variable is seen by its handler and by no other."""
    sup = Supervisor(liver([]))
    async with running(sup):
        ref = only(sup)
        token = REQUEST.set("r1")
        assert await ref.call(Liver.request) == "r1"
        REQUEST.reset(token)
        assert await ref.call(Liver.request) == "none"


async def test_c134_watchdog() -> None:
    """A handler that runs for too long gets its actor killed and restarted."""
    log: list[Any] = []

    class Watched(Liver):
        max_handler_time = 2.0

    sup = Supervisor(ChildSpec("a", partial(Watched, log)))
    async with running(sup):
        ref = only(sup)
        with pytest.raises(ActorDied) as caught:
            await ref.call(Liver.nap, 1000)
        assert trio.current_time() == 2
        assert caught.value.exit.kind is ExitKind.KILLED
        assert "hung" in str(caught.value.__cause__)
        assert await ref.call(Liver.note) == "note"
        assert log == [("note", 2)]
        await ref.call(Liver.nap, 1.9)


async def test_c135_busy_actor_lets_others_run() -> None:
    """Handlers that never wait do not starve the rest of the program."""
    turns: list[int] = []

    class Roomy(Liver):
        mailbox_size = 10**6

    sup = Supervisor(ChildSpec("a", partial(Roomy, [])))
    async with running(sup), trio.open_nursery() as nursery:
        ref = only(sup)
        for _ in range(3200):
            ref.cast(Liver.request)

        async def count_turns() -> None:
            while True:
                turns.append(1)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(count_turns)
        await ref.call(Liver.request)
        nursery.cancel_scope.cancel()
    assert len(turns) >= 100
