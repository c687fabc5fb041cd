"""Group O: where structured concurrency has traps."""

import gc
import weakref
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ChildExited,
    ChildSpec,
    Exit,
    ExitKind,
    Restart,
    Shutdown,
    Supervisor,
    started_task,
    task,
)
from supervisor_tree.testing import (
    Boom,
    Recorders,
    events_of,
    running,
    settle,
)


async def test_c141_cancellation_is_never_swallowed() -> None:
    """A crash in the cleanup of a cancelled child is recorded, and the cancellation goes on."""

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise Boom

    sup = Supervisor(ChildSpec("a", task(both), restart=Restart.TEMPORARY))
    with trio.move_on_after(1) as scope:
        async with running(sup) as tree:
            events = events_of(tree)
            sup.which_children()[0].ref.kill()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    exits = [event.exit for event in events if isinstance(event, ChildExited)]
    assert [(found.kind, type(found.error)) for found in exits] == [(ExitKind.KILLED, Boom)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("nested", [True, False])
async def test_c142_interrupts_are_no_crashes(
    cast: Recorders, error: BaseException, *, nested: bool
) -> None:
    """KeyboardInterrupt and SystemExit stop the tree in order, and come out of it."""
    sup = Supervisor(*map(cast.spec, "abc"))
    root = Supervisor(cast.spec("first"), ChildSpec("inner", lambda: sup)) if nested else sup
    with pytest.raises(type(error)) as caught:
        async with running(root):
            cast.crash("b", error)
            await trio.sleep_forever()
    assert caught.value is error
    order = ["b", "c", "a", "first"] if nested else ["b", "c", "a"]
    assert [child_id for sign, child_id in cast.log if sign == "-"] == order


async def test_c143_groups_are_unwrapped() -> None:
    """A single exception comes out of its group; several stay together."""

    async def fail_in_nursery(count: int) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            for _ in range(count):
                inner.start_soon(fail)
            del outer

    async def fail() -> None:
        raise Boom

    async def quit_in_nursery() -> None:
        async with trio.open_nursery():
            raise Shutdown

    sup = Supervisor()
    async with running(sup):
        exits: list[Exit] = []
        factories = (task(fail_in_nursery, 1), task(fail_in_nursery, 2), task(quit_in_nursery))
        for number, factory in enumerate(factories):
            spec = ChildSpec(str(number), factory, restart=Restart.TEMPORARY)
            exits.append(await (await sup.start_child(spec)).wait_exit())
    assert isinstance(exits[0].error, Boom)
    assert isinstance(exits[1].error, ExceptionGroup)
    assert exits[2].kind is ExitKind.SHUTDOWN


async def test_c144_scopes_inside_a_child() -> None:
    """A child's own cancel scopes work as everywhere."""
    seen: list[bool] = []

    async def work() -> None:
        with trio.move_on_after(1) as scope:
            await trio.sleep_forever()
        seen.append(scope.cancelled_caught)

    sup = Supervisor(ChildSpec("a", task(work), restart=Restart.TEMPORARY))
    async with running(sup):
        ref = sup.which_children()[0].ref
        assert (await ref.wait_exit()).kind is ExitKind.NORMAL
    assert seen == [True]


WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


async def test_c146_children_do_not_inherit_the_requesters_context() -> None:
    """A child runs in its supervisor's context, not in that of whoever asked for it."""
    seen: list[str] = []

    async def look() -> None:
        seen.append(WHO.get())
        await trio.sleep_forever()

    sup = Supervisor()
    async with running(sup):
        WHO.set("somebody")
        await sup.start_child(ChildSpec("a", task(look)))
        await settle()
    assert seen == ["nobody"]


class Tracked(Actor):
    """Can be missed in memory."""

    alive: list[weakref.ref[Any]]

    def __init__(self, alive: list[weakref.ref[Any]]) -> None:
        alive.append(weakref.ref(self))

    async def fail(self) -> None:
        """Crash with this frame in the traceback."""
        raise Boom


async def test_c147_dead_incarnations_are_freed() -> None:
    """Beyond the last exit and the history inside the window nothing keeps the dead alive."""
    alive: list[weakref.ref[Any]] = []
    sup = Supervisor(ChildSpec("a", partial(Tracked, alive)), max_restarts=2, max_seconds=5)
    async with running(sup):
        ref = sup.which_children()[0].ref
        for _ in range(10):
            ref.cast(Tracked.fail)
            await trio.sleep(4)
        await trio.sleep(100)
        gc.collect()
        left = [number for number, dead in enumerate(alive) if dead() is not None]
        assert len(alive) == 11
        assert left == [9, 10]
    del ref, sup
    gc.collect()
    assert [dead() for dead in alive] == [None] * 11


async def test_started_task_that_serves() -> None:
    """Functions of the usual shape can be supervised as they are."""
    sup = Supervisor(ChildSpec("tcp", started_task(_serve_nobody)))
    async with running(sup):
        assert sup.which_children()[0].ref.started_value == "listening"


async def _serve_nobody(*, task_status: trio.TaskStatus[str]) -> None:
    """Look like trio.serve_tcp."""
    task_status.started("listening")
    await trio.sleep_forever()
