"""Group L: learning of the end of others."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorRef,
    ChildSpec,
    Down,
    Exit,
    ExitKind,
    Monitor,
    Name,
    NoProc,
    Restart,
    Supervisor,
    whereis,
)
from supervisor_tree.testing import Boom, Recorders, crash, running, settle


class Watcher(Actor):
    """Notes what it is told."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.watch: Monitor | None = None

    async def follow(self, ref: ActorRef[Any]) -> None:
        """Monitor somebody."""
        self.watch = self.monitor(ref)

    async def unfollow(self) -> None:
        """Give it up."""
        assert self.watch is not None
        self.watch.cancel()

    async def note(self, text: str) -> None:
        """Be sent something."""
        self.log.append(text)

    async def handle_info(self, message: object) -> None:
        self.log.append(message)


class Helped(Actor):
    """Has helper tasks, and greets a watcher in its second life."""

    def __init__(self, log: list[str], greet: ActorRef[Watcher] | None = None) -> None:
        self.log = log
        self.greet = greet

    async def on_start(self) -> None:
        if self.greet is not None:
            self.greet.cast(Watcher.note, f"hello from {self.ctx.incarnation}")

    async def help(self, seconds: float, *, fail: bool) -> None:
        """Start a helper."""
        self.nursery.start_soon(self.helper, seconds, fail)

    async def helper(self, seconds: float, fail: bool) -> None:  # noqa: FBT001  # start_soon() has no keywords
        """Help for a while."""
        try:
            await trio.sleep(seconds)
        finally:
            self.log.append("helper ended")
        if fail:
            raise Boom


async def test_c111_wait_exit(cast: Recorders) -> None:
    """wait_exit() is about the incarnation that is there when it is called."""
    sup = Supervisor(cast.spec("a"))
    exits: list[Exit] = []

    async def wait(ref: ActorRef[Any]) -> None:
        exits.append(await ref.wait_exit())

    async with running(sup):
        ref = sup.which_children()[0].ref
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, ref)
            await settle()
            cast.crash("a")
        assert [ended.kind for ended in exits] == [ExitKind.CRASHED]
        await settle()
        await sup.terminate_child("a")
        assert (await ref.wait_exit()).kind is ExitKind.SHUTDOWN


async def test_c111_wait_exit_of_nobody() -> None:
    """Where nothing ever ran there is no exit to wait for."""
    async with running(Supervisor()):
        with pytest.raises(NoProc):
            await whereis(Name[Any]("nobody")).wait_exit()


def pair(cast: Recorders, log: list[Any]) -> Supervisor:
    """Make a watcher and somebody to watch."""
    return Supervisor(
        ChildSpec("watcher", partial(Watcher, log)), cast.spec("a", restart=Restart.TRANSIENT)
    )


async def test_c112_monitor_delivers_one_down(cast: Recorders) -> None:
    """The end of the monitored incarnation is told once, that of the next is not."""
    log: list[Any] = []
    sup = pair(cast, log)
    async with running(sup):
        watcher, a = (child.ref for child in sup.which_children())
        await watcher.call(Watcher.follow, a)
        boom = Boom()
        cast.crash("a", boom)
        await settle()
        cast.crash("a")
        await settle()
        assert log == [Down(a, 1, Exit(ExitKind.CRASHED, boom))]


async def test_c112_cancelled_monitor(cast: Recorders) -> None:
    """A monitor that was cancelled tells nothing."""
    log: list[Any] = []
    sup = pair(cast, log)
    async with running(sup):
        watcher, a = (child.ref for child in sup.which_children())
        await watcher.call(Watcher.follow, a)
        await watcher.call(Watcher.unfollow)
        cast.crash("a")
        await settle()
        assert log == []


async def test_c112_monitor_of_the_dead(cast: Recorders) -> None:
    """Monitoring somebody who has ended tells so at once."""
    log: list[Any] = []
    sup = pair(cast, log)
    async with running(sup):
        watcher, a = (child.ref for child in sup.which_children())
        cast.finish("a")
        await settle()
        await watcher.call(Watcher.follow, a)
        await settle()
        assert log == [Down(a, 1, Exit(ExitKind.NORMAL))]


async def test_c112_monitor_ends_with_the_watcher(cast: Recorders) -> None:
    """A watcher that has died leaves nothing at those it watched."""
    log: list[Any] = []
    sup = pair(cast, log)
    async with running(sup):
        watcher, a = (child.ref for child in sup.which_children())
        await watcher.call(Watcher.follow, a)
        await crash(watcher)
        await settle()
        cast.crash("a")
        await settle()
        assert log == []


async def test_c113_helper_crash_is_the_actors_crash() -> None:
    """A helper task that crashes takes the actor with it, for the same reason, bare."""
    log: list[str] = []
    sup = Supervisor(ChildSpec("a", partial(Helped, log), restart=Restart.TEMPORARY))
    async with running(sup):
        ref = sup.which_children()[0].ref
        await ref.call(Helped.help, 1, fail=True)
        assert isinstance((await ref.wait_exit()).error, Boom)


async def test_c113_actor_exit_cancels_helpers() -> None:
    """Helpers end with the actor."""
    log: list[str] = []
    sup = Supervisor(ChildSpec("a", partial(Helped, log)))
    async with running(sup):
        ref = sup.which_children()[0].ref
        await ref.call(Helped.help, 1000, fail=False)
        await ref.stop()
        assert log == ["helper ended"]
        assert trio.current_time() == 0


async def test_c114_down_comes_before_the_successors_messages() -> None:
    """The end of one incarnation is heard of before the next one says anything."""
    log: list[Any] = []
    sup = Supervisor(ChildSpec("watcher", partial(Watcher, log)))
    async with running(sup):
        watcher = sup.which_children()[0].ref
        a = await sup.start_child(ChildSpec("a", partial(Helped, [], watcher)))
        await watcher.call(Watcher.follow, a)
        await crash(a)
        await settle()
        assert [type(entry) for entry in log] == [str, Down, str]
