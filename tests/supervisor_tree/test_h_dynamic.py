"""Group H: children that come and go."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ActorRef,
    ChildNotFound,
    ChildSpec,
    ChildState,
    Counts,
    DynamicSupervisor,
    Ignore,
    InvalidSpec,
    MaxChildren,
    Restart,
    StartFailed,
    Supervisor,
    task,
)
from supervisor_tree.testing import Boom, Recorders, crash, running, settle


def below(sup: DynamicSupervisor) -> Supervisor:
    """Make a root above a dynamic supervisor."""
    return Supervisor(ChildSpec("d", lambda: sup))


class Shy(Actor):
    """Declines."""

    async def on_start(self) -> None:
        raise Ignore


async def test_c010_ignored_child() -> None:
    """A child that declines is not kept, whatever its restart type."""
    sup = DynamicSupervisor()
    async with running(below(sup)):
        for restart in Restart:
            ref: ActorRef[Shy] = await sup.start_child(ChildSpec("shy", Shy, restart=restart))
            assert ref.state is ChildState.STOPPED
        assert sup.count_children() == Counts(0, 0, 0, 0)


async def test_c084_start_child(cast: Recorders) -> None:
    """Specs and factories are accepted; ids may repeat, and are numbered in paths."""
    sup = DynamicSupervisor()
    async with running(below(sup)) as tree:
        first: ActorRef[Any] = await sup.start_child(cast.spec("w"))
        second: ActorRef[Any] = await sup.start_child(cast.spec("w"))
        third = await sup.start_child(partial(Actor))
        assert first != second
        assert {ref.state for ref in (first, second, third)} == {ChildState.RUNNING}
        assert [child.id for child in sup.which_children()] == ["w", "w", "Actor"]
        paths = [node.path for node in tree.snapshot().children[0].children]
        assert paths == ["root/d/w", "root/d/w#2", "root/d/Actor"]


@pytest.mark.parametrize("limit", [0, 1])
async def test_c085_max_children(cast: Recorders, limit: int) -> None:
    """Children beyond the limit are refused; those that have ended do not count."""
    sup = DynamicSupervisor(max_children=limit)
    async with running(below(sup)):
        for _ in range(limit):
            await sup.start_child(cast.spec("a", restart=Restart.TEMPORARY))
        with pytest.raises(MaxChildren):
            await sup.start_child(cast.spec("b"))
        if limit:
            cast.finish("a")
            await settle()
            await sup.start_child(cast.spec("b"))


async def test_c085_restarting_children_count(cast: Recorders) -> None:
    """A child that is being restarted takes up room."""
    sup = DynamicSupervisor(max_children=1, max_restarts=10**6)
    async with running(below(sup)):
        await sup.start_child(cast.spec("a"))
        cast.init_errors["a"] = Boom()
        cast.crash("a")
        while cast.began["a"] < 5:
            await trio.lowlevel.checkpoint()
        with pytest.raises(MaxChildren):
            await sup.start_child(cast.spec("b"))


def test_c085_limit_is_checked() -> None:
    """A limit that is no whole number is refused."""
    with pytest.raises(InvalidSpec):
        DynamicSupervisor(max_children=-1)


@pytest.mark.parametrize("way", ["finish", "quit", "crash"])
@pytest.mark.parametrize("restart", list(Restart))
async def test_c086_restart_types(cast: Recorders, restart: Restart, way: str) -> None:
    """Children that are not restarted are forgotten."""
    sup = DynamicSupervisor()
    async with running(below(sup)):
        await sup.start_child(cast.spec("a", restart=restart))
        getattr(cast, way)("a")
        await settle()
        comes_back = restart is Restart.PERMANENT or (
            restart is Restart.TRANSIENT and way == "crash"
        )
        count = int(comes_back)
        assert sup.count_children() == Counts(count, count, 0, count)


@pytest.mark.parametrize("then", ["ok", "ignore", "error"])
async def test_c087_restarted_with_a_different_result(then: str) -> None:
    """A restart may succeed, decline, or fail and be tried again."""
    begun: list[int] = []

    class Moody(Actor):
        async def on_start(self) -> None:
            begun.append(1)
            if len(begun) > 1 and then == "ignore":
                raise Ignore
            if len(begun) > 1 and then == "error":
                raise Boom

    sup = DynamicSupervisor(max_restarts=10**6)
    async with running(below(sup)):
        ref = await sup.start_child(Moody)
        await crash(ref)
        while len(begun) < 2 + 3 * (then == "error"):
            await trio.lowlevel.checkpoint()
        if then != "error":
            await settle()
        expected = {
            "ok": Counts(1, 1, 0, 1),
            "ignore": Counts(0, 0, 0, 0),
            "error": Counts(1, 0, 0, 1),
        }
        assert sup.count_children() == expected[then]


async def test_c088_terminate_child(cast: Recorders) -> None:
    """Terminating removes; doing it again, or a stranger's child, is an error."""
    sup, other = DynamicSupervisor(), DynamicSupervisor()
    root = Supervisor(ChildSpec("d", lambda: sup), ChildSpec("o", lambda: other))
    async with running(root):
        own: ActorRef[Any] = await sup.start_child(cast.spec("own"))
        strange: ActorRef[Any] = await other.start_child(cast.spec("strange"))
        await sup.terminate_child(own)
        assert cast.log[-1] == ("-", "own")
        for ref in (own, strange):
            with pytest.raises(ChildNotFound):
                await sup.terminate_child(ref)
        assert strange.state is ChildState.RUNNING


async def test_c088_start_fails(cast: Recorders) -> None:
    """A child that fails to start is not kept."""
    sup = DynamicSupervisor()
    async with running(below(sup)):
        cast.init_errors["a"] = Boom()
        with pytest.raises(StartFailed):
            await sup.start_child(cast.spec("a"))
        assert sup.which_children() == []


async def dynamic_many(count: int) -> None:
    """Start and stop that many dynamic children."""
    sup = DynamicSupervisor()
    async with running(below(sup)):
        for _ in range(count):
            await sup.start_child(ChildSpec("w", task(trio.sleep_forever)))


async def static_many(count: int) -> None:
    """Start and stop that many static ones."""
    specs = (ChildSpec(str(number), task(trio.sleep_forever)) for number in range(count))
    async with running(Supervisor(*specs)):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("many", [dynamic_many, static_many])
async def test_c090_scale(many: Callable[[int], Any], count_work: Any) -> None:
    """Ten times the children cost about ten times the work."""
    with count_work() as few:
        await many(300)
    with count_work() as lots:
        await many(3000)

    assert lots.calls < 12 * few.calls
