"""Group M: calls in a circle."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    CallCycle,
    ChildSpec,
    Reply,
    Restart,
    StartFailed,
    Supervisor,
)
from supervisor_tree.testing import running, settle


class Server(Actor):
    """Serves in every way."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log
        self.kept: list[Reply[Any]] = []

    async def echo(self, value: int) -> int:
        """Give it back."""
        self.log.append(value)
        return value

    async def call_self(self) -> int:
        """Call itself."""
        ref: ActorRef[Server] = self.ctx.ref
        return await ref.call(Server.echo, 1)

    async def call_through(self, path: list[ActorRef["Server"]]) -> int:
        """Call the next on a path."""
        if not path:
            return 0
        return await path[0].call(Server.call_through, path[1:])

    async def call_from_own_nursery(self) -> None:
        """Call itself from a task that the handler waits for."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.call_self)

    async def call_deferred(self, target: ActorRef["Server"], back: ActorRef["Server"]) -> int:
        """Wait for somebody whose helper calls back."""
        return await target.call_deferred(Server.answer_after_call, back)

    async def answer_after_call(self, reply: Reply[int], target: ActorRef["Server"]) -> None:
        """Answer when somebody else has answered, in a helper."""

        async def helper() -> None:
            reply.send(await target.call(Server.echo, 5))

        self.nursery.start_soon(helper)

    async def call_from_helper(self, target: ActorRef["Server"]) -> None:
        """Have a helper call somebody, and wait for something else."""

        async def helper() -> None:
            self.log.append(await target.call(Server.echo, 5))

        self.nursery.start_soon(helper)
        await trio.sleep(1)


def server(child_id: str = "s", log: list[Any] | None = None, **more: Any) -> ChildSpec:
    """Make the spec of a server."""
    return ChildSpec(child_id, partial(Server, log), **more)


def refs(sup: Supervisor) -> list[ActorRef[Any]]:
    """List the references to all children."""
    return [child.ref for child in sup.which_children()]


async def test_c123_call_to_itself() -> None:
    """An actor that calls itself would wait for ever, so it is told at once."""
    sup = Supervisor(server(restart=Restart.TEMPORARY))
    async with running(sup):
        with pytest.raises(ActorDied) as caught:
            await refs(sup)[0].call(Server.call_self)
        assert isinstance(caught.value.__cause__, CallCycle)
        assert trio.current_time() == 0


async def test_c123_call_in_a_circle() -> None:
    """So is one that would be called back."""
    sup = Supervisor(*(server(child_id, restart=Restart.TEMPORARY) for child_id in "abc"))
    async with running(sup):
        a, b, c = refs(sup)
        with pytest.raises(ActorDied):
            await a.call(Server.call_through, [b, c, b])
        error: BaseException | None = (await c.wait_exit()).error
        assert isinstance(error, CallCycle)
        assert trio.current_time() == 0


async def test_c123_diamond_is_no_circle() -> None:
    """Reaching the same actor twice, one after the other, is fine."""
    sup = Supervisor(*(server(child_id) for child_id in "ab"))
    async with running(sup):
        a, b = refs(sup)
        assert await a.call(Server.call_through, [b]) == 0
        assert await b.call(Server.call_through, [a]) == 0


async def test_c123_helper_may_call_back() -> None:
    """A helper task that the handler does not wait for may call its own actor."""
    log: list[Any] = []
    sup = Supervisor(server(log=log))
    async with running(sup):
        ref = refs(sup)[0]
        await ref.call(Server.call_from_helper, ref)
        await settle()
        assert log == [5, 5]


async def test_c123_call_from_on_start() -> None:
    """Before it is ready an actor cannot serve itself either."""

    class Eager(Server):
        async def on_start(self) -> None:
            await self.call_self()

    sup = Supervisor()
    async with running(sup):
        with pytest.raises(StartFailed) as caught:
            await sup.start_child(ChildSpec("e", Eager))
        assert isinstance(caught.value.__cause__, CallCycle)
        assert trio.current_time() == 0


async def test_c123_call_from_the_handlers_own_nursery() -> None:
    """A task that the handler waits for is the handler, in this respect."""
    sup = Supervisor(server(restart=Restart.TEMPORARY))
    async with running(sup):
        with pytest.raises(ActorDied) as caught:
            await refs(sup)[0].call(Server.call_from_own_nursery)
        assert isinstance(caught.value.__cause__, CallCycle)
        assert trio.current_time() == 0


async def test_c123_helper_that_owes_the_reply() -> None:
    """A helper that owes a deferred reply cannot call the one who waits for it."""
    sup = Supervisor(*(server(child_id, restart=Restart.TEMPORARY) for child_id in "ab"))
    async with running(sup):
        a, b = refs(sup)
        with pytest.raises(ActorDied):
            await a.call(Server.call_deferred, b, a)
        assert isinstance((await b.wait_exit()).error, CallCycle)
        assert trio.current_time() == 0


async def test_c123_helper_of_a_deferred_call_may_call_others() -> None:
    """Anybody else may be called."""
    sup = Supervisor(*(server(child_id) for child_id in "abc"))
    async with running(sup):
        a, b, c = refs(sup)
        assert await a.call(Server.call_deferred, b, c) == 5
