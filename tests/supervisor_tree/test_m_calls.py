"""Group M: calls that wait, time out, or find nobody."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    Backoff,
    CallTimeout,
    ChildSpec,
    ChildState,
    Exit,
    Name,
    NoProc,
    Reply,
    Restart,
    Strategy,
    Supervisor,
    whereis,
)
from supervisor_tree.testing import Boom, Recorders, crash, running, settle


class Server(Actor):
    """Serves in every way."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = [] if log is None else log
        self.kept: list[Reply[Any]] = []

    async def echo(self, value: int) -> int:
        """Give it back."""
        self.log.append(value)
        return value

    async def slow(self, value: int, seconds: float) -> int:
        """Give it back later."""
        await trio.sleep(seconds)
        self.log.append(value)
        return value

    async def keep(self, reply: Reply[str]) -> None:
        """Keep the obligation for later."""
        self.kept.append(reply)


def server(child_id: str = "s", log: list[Any] | None = None, **more: Any) -> ChildSpec:
    """Make the spec of a server."""
    return ChildSpec(child_id, partial(Server, log), **more)


def refs(sup: Supervisor) -> list[ActorRef[Any]]:
    """List the references to all children."""
    return [child.ref for child in sup.which_children()]


class Small(Server):
    """Has room for two."""

    mailbox_size = 2


SLOW = Backoff(initial=10, maximum=10, jitter=0)


async def make_restarting(ref: ActorRef[Any]) -> None:
    """Crash a child with a slow back-off until it has to wait."""
    for _ in range(2):
        await crash(ref)
        await settle()
    assert ref.state is ChildState.RESTARTING


async def test_c119_call_waits_for_the_next_incarnation() -> None:
    """While the actor is being restarted, a call waits; a pinned reference fails at once."""
    sup = Supervisor(server(backoff=Backoff(initial=3, maximum=3, jitter=0)))
    async with running(sup):
        ref = refs(sup)[0]
        pinned = ref.pinned()
        await make_restarting(ref)
        with pytest.raises(NoProc):
            await pinned.call(Server.echo, 1)
        with pytest.raises(NoProc):
            ref.pinned()
        assert await ref.call(Server.echo, 1) == 1
        assert trio.current_time() == 3


async def test_c119_call_waits_no_longer_than_its_timeout() -> None:
    """Waiting for the next incarnation is bounded by the call timeout."""
    sup = Supervisor(server(backoff=SLOW))
    async with running(sup):
        await make_restarting(refs(sup)[0])
        with pytest.raises(CallTimeout):
            await refs(sup)[0].call(Server.echo, 1)
        assert trio.current_time() == 5


async def test_c119_waiting_call_fails_when_the_slot_is_stopped() -> None:
    """The moment nobody will come any more, waiting callers are told."""
    sup = Supervisor(server(backoff=SLOW))
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]
        await make_restarting(ref)

        async def call() -> None:
            with pytest.raises(NoProc):
                await ref.call(Server.echo, 1)

        nursery.start_soon(call)
        await trio.sleep(1)
        await sup.terminate_child("s")
        await settle()
        assert trio.current_time() == 1


async def test_c119_waiting_call_fails_when_the_tree_stops() -> None:
    """The same when the supervisor stops or escalates."""
    sup = Supervisor(server(backoff=SLOW))
    async with trio.open_nursery() as nursery, running(sup):
        ref = refs(sup)[0]
        await make_restarting(ref)

        async def call() -> None:
            with pytest.raises(NoProc):
                await ref.call(Server.echo, 1)

        nursery.start_soon(call)
        await settle()
    assert trio.current_time() == 0


async def test_c119_siblings_of_a_group_restart_are_waited_for() -> None:
    """A sibling that is stopped only until its group is back is worth waiting for."""
    sup = Supervisor(
        server("a", backoff=Backoff(initial=2, maximum=2, jitter=0)),
        server("b"),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(sup):
        a, b = refs(sup)
        await make_restarting(a)
        assert b.state is ChildState.STOPPED
        assert await b.call(Server.echo, 7) == 7
        assert trio.current_time() == 2


async def test_c120_call_timeout() -> None:
    """After five seconds the call fails, the actor goes on, and its late reply disturbs nobody."""
    log: list[Any] = []
    sup = Supervisor(server(log=log))
    async with running(sup):
        ref = refs(sup)[0]
        with pytest.raises(CallTimeout) as caught:
            await ref.call(Server.slow, 1, 7)
        assert isinstance(caught.value, trio.TooSlowError)
        assert trio.current_time() == 5
        assert await ref.call(Server.echo, 2) == 2
        assert log == [1, 2]


async def test_c120_timeouts_of_many_calls() -> None:
    """Each call has its own five seconds."""
    sup = Supervisor(server())
    failed_at: list[float] = []
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]

        async def call() -> None:
            with pytest.raises(CallTimeout):
                await ref.call(Server.slow, 1, 100)
            failed_at.append(trio.current_time())

        for _ in range(3):
            nursery.start_soon(call)
            await trio.sleep(1)
    assert failed_at == [5, 6, 7]


async def test_c120_nearer_deadline_of_the_caller() -> None:
    """A nearer deadline of the caller's own gives the plain error."""
    sup = Supervisor(server())
    async with running(sup):
        with pytest.raises(trio.TooSlowError) as caught:
            with trio.fail_after(1):
                await refs(sup)[0].call(Server.slow, 1, 100)
        assert not isinstance(caught.value, CallTimeout)
        refs(sup)[0].kill()


async def test_c131_cancelled_caller() -> None:
    """A call that is cancelled while queued is skipped; one being served is finished."""
    log: list[Any] = []
    sup = Supervisor(server(log=log))
    async with running(sup) as tree:
        ref = refs(sup)[0]
        async with trio.open_nursery() as nursery:

            async def impatient(value: int) -> None:
                with trio.move_on_after(1):
                    await ref.call(Server.slow, value, 2)

            nursery.start_soon(impatient, 1)
            await settle()
            nursery.start_soon(impatient, 2)
        assert tree.snapshot().children[0].mailbox_depth == 0
        await trio.sleep(10)
        assert log == [1]


async def test_c119_call_by_name_follows_the_owner(cast: Recorders) -> None:
    """A call that waits by name goes to whoever bears the name in the end."""
    name = Name[Server]("server")
    sup = Supervisor(server("a", backoff=SLOW, name=name), cast.spec("x"))
    async with running(sup), trio.open_nursery() as nursery:
        await make_restarting(refs(sup)[0])
        answers: list[int] = []

        async def call() -> None:
            answers.append(await whereis(name).call(Server.echo, 3))

        nursery.start_soon(call)
        await trio.sleep(1)
        await sup.start_child(server("b", name=name))
        await sup.terminate_child("a")
        await settle()
        assert answers == [3]


async def test_c117_no_caller_is_forgotten_whatever_ends_the_actor() -> None:
    """Calls in every phase end when the actor does, in every way it can end."""
    for way in ("kill", "stop", "crash", "terminate"):
        sup = Supervisor(ChildSpec("s", Small, restart=Restart.TEMPORARY, shutdown=1))
        ended: list[str] = []
        async with running(sup), trio.open_nursery() as nursery:
            ref = refs(sup)[0]

            async def call(method: Any, *args: Any, ref: Any = ref, ended: Any = ended) -> None:
                try:
                    await (ref.call_deferred if not args else ref.call)(method, *args)
                except (ActorDied, NoProc, Boom) as error:
                    ended.append(type(error).__name__)
                except Exception as error:  # noqa: BLE001  # any end will do, but an end it must be
                    ended.append(type(error).__name__)

            nursery.start_soon(call, Server.keep)
            await settle()
            for _ in range(5):
                nursery.start_soon(call, Server.slow, 1, 1000)
                await settle()
            if way == "terminate":
                nursery.start_soon(sup.terminate_child, "s")
            elif way == "stop":
                with trio.move_on_after(1):
                    await ref.stop()
                ref.kill()
            elif way == "kill":
                ref.kill()
            else:
                crash(ref)
        assert len(ended) == 6, way


class Untidy(Actor):
    """Takes its time to clean up."""

    async def crash(self) -> None:
        """Go wrong."""
        raise Boom

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        await trio.sleep(3)


async def test_c117_a_crash_is_told_before_the_cleanup() -> None:
    """Nobody waits for the `on_stop` of an actor that will never answer."""
    sup = Supervisor(ChildSpec("s", Untidy))
    async with running(sup):
        ref: ActorRef[Untidy] = refs(sup)[0]
        with pytest.raises(ActorDied):
            await ref.call(Untidy.crash)
        assert trio.current_time() == 0
