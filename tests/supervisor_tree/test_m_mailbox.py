"""Group M: mailboxes that are full, and receivers that take no messages."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorDied,
    ActorRef,
    CallTimeout,
    ChildSpec,
    DeadLetter,
    MailboxFull,
    MailboxFullEvent,
    Reply,
    Restart,
    Supervisor,
    task,
)
from supervisor_tree.testing import crash, events_of, running, settle


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


def server(child_id: str = "s", log: list[Any] | None = None, **more: Any) -> ChildSpec:
    """Make the spec of a server."""
    return ChildSpec(child_id, partial(Server, log), **more)


def refs(sup: Supervisor) -> list[ActorRef[Any]]:
    """List the references to all children."""
    return [child.ref for child in sup.which_children()]


class Small(Server):
    """Has room for two."""

    mailbox_size = 2


async def busy(ref: ActorRef[Any], nursery: trio.Nursery, seconds: float = 1) -> None:
    """Keep an actor busy."""
    nursery.start_soon(ref.call, Server.slow, 0, seconds)
    await settle()


async def test_c121_cast_never_blocks() -> None:
    """A cast to a busy actor returns at once; to a full one it is refused."""
    log: list[Any] = []
    sup = Supervisor(ChildSpec("s", partial(Small, log)))
    async with running(sup) as tree:
        events = events_of(tree)
        ref = refs(sup)[0]
        async with trio.open_nursery() as nursery:
            await busy(ref, nursery)
            ref.cast(Server.echo, 1)
            ref.cast(Server.echo, 2)
            for _ in range(2):
                with pytest.raises(MailboxFull):
                    ref.cast(Server.echo, 3)
            assert trio.current_time() == 0
            node = tree.snapshot().children[0]
            assert (node.mailbox_depth, node.mailbox_high, node.mailbox_full) == (2, 2, 2)
        await settle()
        assert log == [0, 1, 2]
        assert len([event for event in events if isinstance(event, MailboxFullEvent)]) == 1


async def test_c121_cast_to_the_dead() -> None:
    """A cast to somebody who has gone is dropped, with an event."""
    sup = Supervisor(server(restart=Restart.TEMPORARY))
    async with running(sup) as tree:
        events = events_of(tree)
        ref = refs(sup)[0]
        await ref.stop()
        await settle()
        ref.cast(Server.echo, 1)
        dropped = [event for event in events if isinstance(event, DeadLetter)]
        assert [(event.path, event.method) for event in dropped] == [("root/s", "echo")]


async def test_c121_messages_to_what_is_no_actor() -> None:
    """Plain tasks take no messages."""
    sup = Supervisor(ChildSpec("t", task(trio.sleep_forever)))
    async with running(sup):
        ref = refs(sup)[0]
        with pytest.raises(TypeError):
            ref.cast(Server.echo, 1)
        with pytest.raises(TypeError):
            await ref.call(Server.echo, 1)
        with pytest.raises(TypeError):
            await ref.send(Server.echo, 1)


async def test_c122_call_waits_for_room() -> None:
    """A call to a full actor waits for room, by age."""
    log: list[Any] = []
    sup = Supervisor(ChildSpec("s", partial(Small, log)))
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]
        await busy(ref, nursery)
        for value in range(1, 6):
            nursery.start_soon(ref.call, Server.slow, value, 0.1)
            await settle()
    assert log == [0, 1, 2, 3, 4, 5]


async def test_c122_send_waits_for_room() -> None:
    """So does send()."""
    log: list[Any] = []
    sup = Supervisor(ChildSpec("s", partial(Small, log)))
    async with running(sup):
        ref = refs(sup)[0]
        async with trio.open_nursery() as nursery:
            await busy(ref, nursery)
            await ref.send(Server.echo, 1)
            await ref.send(Server.echo, 2)
            assert trio.current_time() == 0
            with trio.move_on_after(0.5):
                await ref.send(Server.echo, 99)
            await ref.send(Server.echo, 3)
            assert trio.current_time() == 1
        await settle()
        assert log == [0, 1, 2, 3]


async def test_c122_waiting_callers_fail_with_the_actor() -> None:
    """Those who wait for room are told at once when the actor dies."""
    sup = Supervisor(ChildSpec("s", Small, restart=Restart.TEMPORARY))
    failed: list[str] = []
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]

        async def call() -> None:
            with pytest.raises(ActorDied):
                await ref.call(Server.slow, 1, 100)
            failed.append("call")

        for _ in range(5):
            nursery.start_soon(call)
        await settle()
        crash(ref)
        await settle()
        assert len(failed) == 5
        assert trio.current_time() == 0


async def test_c122_full_mailbox_and_timeout() -> None:
    """Waiting for room counts as waiting."""
    sup = Supervisor(ChildSpec("s", Small))
    async with running(sup), trio.open_nursery() as nursery:
        ref = refs(sup)[0]

        async def call() -> None:
            with pytest.raises(CallTimeout):
                await ref.call(Server.slow, 1, 100)

        for _ in range(5):
            nursery.start_soon(call)
        await trio.sleep(6)
        ref.kill()
