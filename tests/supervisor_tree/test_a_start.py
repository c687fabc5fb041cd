"""Group A: start-up, handshake, roll-back."""

from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorRef,
    ChildSpec,
    ChildState,
    Counts,
    ExitKind,
    Ignore,
    NoProc,
    Restart,
    StartFailed,
    Supervisor,
    open_tree,
    started_task,
)
from supervisor_tree.testing import Boom, Recorders, Script, assert_no_tasks_left, running, settle


async def start_and_stop(sup: Supervisor) -> None:
    """Run a supervisor as the root of a tree, and stop it at once."""
    async with open_tree(sup):
        pass


async def test_c001_order_of_children(cast: Recorders) -> None:
    """Children start one after the other in spec order, however long each takes."""
    delays = {"d": 1.0, "b": 0.9, "a": 0.8, "c": 0.7}
    sup = Supervisor(*(cast.spec(name, Script(init=delay)) for name, delay in delays.items()))
    async with running(sup):
        assert cast.log == [("+", name) for name in delays]
        assert trio.current_time() == pytest.approx(3.4)


async def test_c001_next_init_waits_for_the_one_before(cast: Recorders) -> None:
    """The second child does not begin before the first is ready."""
    sup = Supervisor(cast.spec("a", Script(init=1)), cast.spec("b"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sup.run)
        await trio.sleep(0.5)
        assert dict(cast.began) == {"a": 1}
        await trio.sleep(1)
        assert dict(cast.began) == {"a": 1, "b": 1}
        sup.request_stop()


async def test_c002_sup_start_normal() -> None:
    """A supervisor without children starts, counts nothing, and ends normally."""
    sup = Supervisor()
    async with running(sup) as tree:
        assert sup.which_children() == []
        assert sup.count_children() == Counts(0, 0, 0, 0)
        ref: ActorRef[Any] = tree.root.ref()
    assert (await ref.wait_exit()).kind is ExitKind.NORMAL


async def test_c003_sup_start_fail(cast: Recorders) -> None:
    """A child that fails to start takes those before it down again, and nothing after it begins."""
    boom = Boom()
    cast.init_errors["c"] = boom
    sup = Supervisor(*map(cast.spec, "abcd"))
    async with trio.open_nursery() as nursery:
        with pytest.raises(StartFailed) as caught:
            await nursery.start(sup.run)
    assert caught.value.child_id == "c"
    assert caught.value.__cause__ is boom
    assert cast.log == [("+", "a"), ("+", "b"), ("-", "b"), ("-", "a")]
    assert "d" not in cast.current
    assert_no_tasks_left()


async def test_c004_factory_raises(cast: Recorders) -> None:
    """A factory that raises is a failed start like any other."""
    boom = Boom()

    def factory() -> Actor:
        raise boom

    sup = Supervisor(cast.spec("a"), ChildSpec("b", factory), cast.spec("c"))
    with pytest.raises(StartFailed) as caught:
        await start_and_stop(sup)
    assert caught.value.child_id == "b"
    assert caught.value.__cause__ is boom
    assert cast.log == [("+", "a"), ("-", "a")]


async def test_c005_exit_before_started() -> None:
    """A service that returns without calling started() has not started."""

    async def silent(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.lowlevel.checkpoint()

    sup = Supervisor(ChildSpec("a", started_task(silent)))
    with pytest.raises(StartFailed, match="exited before started") as caught:
        await start_and_stop(sup)
    assert caught.value.root_cause is caught.value


async def test_c006_start_timeout(cast: Recorders) -> None:
    """A child that takes too long is cancelled, cleans up, and the start fails."""
    finally_ran_at: list[float] = []

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            finally_ran_at.append(trio.current_time())

    sup = Supervisor(cast.spec("a"), ChildSpec("b", started_task(slow), start_timeout=2))
    with pytest.raises(StartFailed) as caught:
        await start_and_stop(sup)
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert finally_ran_at == [2]
    assert cast.log == [("+", "a"), ("-", "a")]


async def test_c007_starter_cancelled(cast: Recorders) -> None:
    """Cancelling the start cancels the child in its init and stops the others in order."""
    sup = Supervisor(cast.spec("a"), cast.spec("b", Script(init=1000)))
    with trio.move_on_after(3) as scope:
        await start_and_stop(sup)
    assert scope.cancelled_caught
    assert trio.current_time() == 3
    assert cast.log == [("+", "a"), ("-", "a")]
    assert_no_tasks_left()


class Shy(Actor):
    """Declines to be started."""

    async def on_start(self) -> None:
        raise Ignore

    async def ping(self) -> None:
        """Be reachable, if it ran."""


@pytest.mark.parametrize("static", [True, False])
async def test_c008_ignored_child_is_listed_as_stopped(cast: Recorders, *, static: bool) -> None:
    """A child that declines is no error; it is kept as stopped, and the next one starts."""
    shy = ChildSpec("shy", Shy)
    sup = Supervisor(*([shy] if static else []), cast.spec("next"))
    async with running(sup):
        if not static:
            await sup.start_child(shy)
        states = {child.id: child.state for child in sup.which_children()}
        assert states == {"shy": ChildState.STOPPED, "next": ChildState.RUNNING}
        assert sup.count_children() == Counts(specs=2, active=1, supervisors=0, workers=2)
        ref = next(child.ref for child in sup.which_children() if child.id == "shy")
        with pytest.raises(NoProc):
            await ref.call(Shy.ping)
        assert (await ref.wait_exit()).kind is ExitKind.IGNORED


@pytest.mark.parametrize("static", [True, False])
async def test_c009_ignored_temporary_child_is_not_listed(*, static: bool) -> None:
    """A temporary child that declines leaves nothing behind."""
    shy = ChildSpec("shy", Shy, restart=Restart.TEMPORARY)
    sup = Supervisor(*([shy] if static else []))
    async with running(sup):
        if not static:
            ref = await sup.start_child(shy)
            assert ref.state is ChildState.STOPPED
        assert sup.which_children() == []


async def test_c011_chain_of_start_failures(cast: Recorders) -> None:
    """A leaf's failure reaches the root as a chain of StartFailed, with its root cause."""
    boom = Boom()
    cast.init_errors["leaf"] = boom
    mid = ChildSpec("mid", partial(Supervisor, cast.spec("sibling"), cast.spec("leaf")))
    with pytest.raises(StartFailed) as caught:
        await start_and_stop(Supervisor(cast.spec("first"), mid))
    inner = caught.value.__cause__
    assert isinstance(inner, StartFailed)
    assert (caught.value.child_id, inner.child_id) == ("mid", "leaf")
    assert caught.value.root_cause is boom
    assert cast.log == [("+", "first"), ("+", "sibling"), ("-", "sibling"), ("-", "first")]
    assert_no_tasks_left()


async def test_c012_started_value(cast: Recorders) -> None:
    """The value given to started() can be read from the reference, also after a restart."""
    sup = Supervisor()
    async with running(sup):
        ref = await sup.start_child(cast.spec("a", Script(started_value=17)))
        assert ref.started_value == 17
        cast.crash("a")
        await settle()
        assert cast.began["a"] == 2
        assert ref.started_value == 17
        await sup.terminate_child("a")
        assert (await sup.restart_child("a")).started_value == 17


async def test_c013_started_twice(cast: Recorders) -> None:
    """Reporting started twice crashes that child only."""
    errors: list[BaseException | None] = []

    async def eager(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        task_status.started()

    spec = ChildSpec("eager", started_task(eager), restart=Restart.TEMPORARY)
    sup = Supervisor(cast.spec("a"), spec)
    async with running(sup):
        ref = sup.which_children()[1].ref
        errors.append((await ref.wait_exit()).error)
        await settle()
        assert [child.id for child in sup.which_children()] == ["a"]
    assert [type(error) for error in errors] == [RuntimeError]
    assert cast.log == [("+", "a"), ("-", "a")]


async def test_c014_crash_right_after_started() -> None:
    """A crash after started() is a run-time crash, even if the supervisor had no turn yet."""
    runs: list[int] = []

    async def hasty(*, task_status: trio.TaskStatus[None]) -> None:
        runs.append(1)
        task_status.started()
        if len(runs) == 1:
            raise Boom
        await trio.sleep_forever()

    sup = Supervisor(ChildSpec("hasty", started_task(hasty)))
    async with running(sup):
        await settle()
        assert len(runs) == 2
        assert sup.count_children().active == 1
