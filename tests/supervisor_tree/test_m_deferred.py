"""Group M: calls that are answered later, or never."""

import gc
from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    ChildState,
    Reply,
    ReplyError,
    Restart,
    Supervisor,
)
from supervisor_tree.testing import crash, running, settle


class Server(Actor):
    """Serves in every way."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log
        self.kept: list[Reply[Any]] = []

    async def echo(self, value: int) -> int:
        """Give it back."""
        self.log.append(value)
        return value

    async def deferred(self, reply: Reply[str], seconds: float) -> None:
        """Answer from a helper."""

        async def answer() -> None:
            await trio.sleep(seconds)
            reply.send("later")

        self.nursery.start_soon(answer)

    async def deferred_error(self, reply: Reply[str]) -> None:
        """Answer with an error."""
        reply.error(ReplyError("no"))

    async def dropped(self, reply: Reply[str]) -> None:
        """Forget to answer."""

    async def keep(self, reply: Reply[str]) -> None:
        """Keep the obligation for later."""
        self.kept.append(reply)

    async def answer_kept(self, times: int) -> None:
        """Answer what was kept."""
        for _ in range(times):
            self.kept[0].send("kept")


def server(child_id: str = "s", log: list[Any] | None = None, **more: Any) -> ChildSpec:
    """Make the spec of a server."""
    return ChildSpec(child_id, partial(Server, log), **more)


def refs(sup: Supervisor) -> list[ActorRef[Any]]:
    """List the references to all children."""
    return [child.ref for child in sup.which_children()]


async def test_c124_deferred_reply() -> None:
    """A deferred call is answered after its handler has returned; others are served meanwhile."""
    sup = Supervisor(server())
    async with running(sup):
        ref = refs(sup)[0]
        answers: list[Any] = []

        async def call() -> None:
            answers.append(await ref.call_deferred(Server.deferred, 2))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await settle()
            assert await ref.call(Server.echo, 1) == 1
            assert trio.current_time() == 0
        assert answers == ["later"]
        with pytest.raises(ReplyError):
            await ref.call_deferred(Server.deferred_error)


async def test_c124_second_answer() -> None:
    """Answering twice is a mistake of the one who answers."""
    sup = Supervisor(server())
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]
        nursery.start_soon(ref.call_deferred, Server.keep)
        await settle()
        ref.cast(Server.answer_kept, 2)
        assert isinstance((await ref.wait_exit()).error, RuntimeError)


async def test_c124_dropped_reply() -> None:
    """An obligation that is dropped fails the call, and the actor lives."""
    sup = Supervisor(server())
    async with running(sup):
        with pytest.raises(ActorDied):
            await refs(sup)[0].call_deferred(Server.dropped)
        gc.collect()
        assert trio.current_time() == 0
        assert refs(sup)[0].state is ChildState.RUNNING


@pytest.mark.parametrize("way", ["stop", "crash"])
async def test_c124_actor_ends_before_it_answered(way: str) -> None:
    """An obligation that dies with its actor fails the call, however the actor ends."""
    sup = Supervisor(server(restart=Restart.TEMPORARY))
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]

        async def call() -> None:
            with pytest.raises(ActorDied):
                await ref.call_deferred(Server.keep)

        nursery.start_soon(call)
        await settle()
        if way == "stop":
            await ref.stop()
        else:
            await crash(ref)
    assert trio.current_time() == 0


async def test_c124_late_answer_is_ignored() -> None:
    """An answer that comes after the caller has gone does nothing."""
    sup = Supervisor(server())
    async with running(sup):
        ref = refs(sup)[0]
        with trio.move_on_after(1):
            await ref.call_deferred(Server.keep)
        await ref.call(Server.answer_kept, 1)
