"""Group G: adding, stopping, restarting and removing children by request."""

import math
from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    ChildState,
    Counts,
    Exit,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    SupervisorDown,
    WouldDeadlock,
    task,
)
from supervisor_tree.testing import Boom, Recorders, Script, running, settle


async def test_c072_start_child_twice(cast: Recorders) -> None:
    """An id that is taken is refused, with the reference to who has it."""
    sup = Supervisor(cast.spec("a"))
    async with running(sup):
        ref = sup.which_children()[0].ref
        with pytest.raises(AlreadyStarted) as started:
            await sup.start_child(cast.spec("a"))
        assert started.value.ref == ref
        await sup.terminate_child("a")
        with pytest.raises(AlreadyPresent) as present:
            await sup.start_child(cast.spec("a"))
        assert present.value.ref == ref


async def test_c073_terminate_child(cast: Recorders) -> None:
    """Terminating keeps the spec, except of temporary children, and may be repeated."""
    sup = Supervisor(cast.spec("a"), cast.spec("t", restart=Restart.TEMPORARY))
    async with running(sup):
        await sup.terminate_child("a")
        await sup.terminate_child("a")
        await sup.terminate_child("t")
        assert [child.id for child in sup.which_children()] == ["a"]
        assert cast.log[2:] == [("-", "a"), ("-", "t")]
        for unknown in ("t", "x"):
            with pytest.raises(ChildNotFound):
                await sup.terminate_child(unknown)


async def test_c074_restart_child(cast: Recorders) -> None:
    """Only a stopped child can be restarted."""
    sup = Supervisor(cast.spec("a"))
    async with running(sup):
        with pytest.raises(ChildRunning):
            await sup.restart_child("a")
        await sup.terminate_child("a")
        ref = await sup.restart_child("a")
        assert ref.state is ChildState.RUNNING
        with pytest.raises(ChildNotFound):
            await sup.restart_child("x")


async def test_c074_restart_child_fails(cast: Recorders) -> None:
    """A failed restart by request leaves the child stopped and charges nothing."""
    sup = Supervisor(cast.spec("a"), max_restarts=0)
    async with running(sup):
        await sup.terminate_child("a")
        cast.init_errors["a"] = Boom()
        with pytest.raises(StartFailed):
            await sup.restart_child("a")
        assert sup.which_children()[0].state is ChildState.STOPPED


async def test_c075_delete_child(cast: Recorders) -> None:
    """Only a stopped child can be deleted; then it is unknown."""
    sup = Supervisor(cast.spec("a"))
    async with running(sup):
        with pytest.raises(ChildRunning):
            await sup.delete_child("a")
        await sup.terminate_child("a")
        await sup.delete_child("a")
        with pytest.raises(ChildNotFound):
            await sup.restart_child("a")
        with pytest.raises(ChildNotFound):
            await sup.delete_child("a")
        assert sup.count_children() == Counts(0, 0, 0, 0)


async def refuses_everything(sup: Supervisor, cast: Recorders) -> None:
    """Check that no request is taken."""
    with pytest.raises(SupervisorDown):
        await sup.start_child(cast.spec("b"))
    for request in (sup.terminate_child, sup.restart_child, sup.delete_child):
        with pytest.raises(SupervisorDown):
            await request("a")
    for read in (sup.which_children, sup.count_children, partial(sup.get_childspec, "a")):
        with pytest.raises(SupervisorDown):
            read()


async def test_c076_supervisor_that_is_down(cast: Recorders) -> None:
    """A supervisor that has not been started, or has ended, refuses all requests."""
    sup = Supervisor(cast.spec("a"))
    await refuses_everything(sup, cast)
    async with running(sup):
        pass
    await refuses_everything(sup, cast)


async def test_c076_queued_requests_when_it_goes_down(cast: Recorders) -> None:
    """Requests in line when the supervisor stops are refused at once."""
    sup = Supervisor(cast.spec("a"))
    refused: list[str] = []

    async def request(child_id: str) -> None:
        with pytest.raises(SupervisorDown):
            await sup.start_child(cast.spec(child_id))
        refused.append(child_id)

    async with running(sup) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(partial(_start, sup, cast.spec("slow", Script(init=100))))
        await settle()
        nursery.start_soon(request, "b")
        nursery.start_soon(request, "c")
        await settle()
        tree.request_stop()
        await settle()
        assert sorted(refused) == ["b", "c"]
        assert trio.current_time() == 0


async def _start(sup: Supervisor, spec: ChildSpec) -> None:
    """Start a child whose start will be cut short."""
    with pytest.raises(SupervisorDown):
        await sup.start_child(spec)


async def test_c077_failing_start_child(cast: Recorders) -> None:
    """A child that fails to start by request is not kept, and nobody else notices."""
    boom = Boom()
    sup = Supervisor(cast.spec("a"), max_restarts=0)
    async with running(sup):
        cast.init_errors["b"] = boom
        with pytest.raises(StartFailed) as caught:
            await sup.start_child(cast.spec("b"))
        assert caught.value.__cause__ is boom
        assert [child.id for child in sup.which_children()] == ["a"]
        assert cast.log == [("+", "a")]


async def test_c078_start_order(cast: Recorders) -> None:
    """Children are listed in start order; one that is added counts as the last."""
    sup = Supervisor(*map(cast.spec, "ca"), strategy=Strategy.REST_FOR_ONE)
    async with running(sup):
        await sup.start_child(cast.spec("b"))
        assert [child.id for child in sup.which_children()] == ["c", "a", "b"]
        cast.log.clear()
        cast.crash("a")
        await settle()
        assert cast.log == [("-", "a"), ("-", "b"), ("+", "a"), ("+", "b")]


async def test_c079_get_childspec(cast: Recorders) -> None:
    """The spec comes back with its defaults filled in."""
    worker = cast.spec("worker")
    nested = ChildSpec("nested", Supervisor)
    hidden = ChildSpec("hidden", lambda: Supervisor())  # noqa: PLW0108  # a factory that hides its kind
    bound = ChildSpec("bound", partial(Supervisor, max_restarts=1), shutdown=7)
    sup = Supervisor(worker, nested, hidden, bound)
    assert (worker.shutdown, nested.shutdown, bound.shutdown) == (5.0, math.inf, 7)
    async with running(sup):
        assert sup.get_childspec("worker") == worker
        assert sup.get_childspec("nested") == nested
        found = sup.get_childspec("worker")
        assert (found.restart, found.shutdown, found.significant) == (Restart.PERMANENT, 5.0, False)
        assert sup.get_childspec("hidden").shutdown == math.inf
        assert sup.get_childspec("bound").shutdown == 7
        with pytest.raises(ChildNotFound):
            sup.get_childspec("x")


async def test_c080_count_children(cast: Recorders) -> None:
    """Supervisors and workers are told apart, also behind a lambda."""
    sup = Supervisor(
        cast.spec("w"),
        ChildSpec("s", Supervisor),
        ChildSpec("l", lambda: Supervisor()),  # noqa: PLW0108  # as above
    )
    async with running(sup):
        await sup.terminate_child("s")
        assert sup.count_children() == Counts(specs=3, active=2, supervisors=2, workers=1)


class Manager(Actor):
    """Asks its own supervisor for children, at the wrong moments and at the right one."""

    def __init__(self, sup: list[Supervisor], spec: ChildSpec, when: str) -> None:
        self.sup = sup
        self.spec = spec
        self.when = when
        self.caught: list[type[Exception]] = []

    async def on_start(self) -> None:
        if self.when == "on_start":
            await self.ask()

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        if self.when == "on_stop":
            await self.ask()

    async def ask(self) -> None:
        """Start a sibling, and let the error out."""
        await self.sup[0].start_child(self.spec)

    async def end_itself(self) -> None:
        """Wait for its own end."""
        await self.sup[0].terminate_child("m")


async def test_c081_start_child_from_on_start(cast: Recorders) -> None:
    """A child that is starting cannot wait for its supervisor, which waits for it."""
    sups: list[Supervisor] = []
    manager = ChildSpec("m", partial(Manager, sups, cast.spec("b"), "on_start"))
    sups.append(Supervisor(manager))
    with pytest.raises(StartFailed) as caught:
        async with running(sups[0]):
            pass
    assert isinstance(caught.value.__cause__, WouldDeadlock)


async def test_c081_start_child_from_on_stop(cast: Recorders) -> None:
    """Neither can one that is being terminated."""
    sups: list[Supervisor] = []
    manager = ChildSpec("m", partial(Manager, sups, cast.spec("b"), "on_stop"))
    sups.append(Supervisor(manager))
    async with running(sups[0]):
        ref = sups[0].which_children()[0].ref
        await sups[0].terminate_child("m")
        assert isinstance((await ref.wait_exit()).error, WouldDeadlock)
        assert trio.current_time() == 0


async def test_c081_start_child_from_a_handler(cast: Recorders) -> None:
    """From a running handler it works; waiting for one's own end does not."""
    sups: list[Supervisor] = []
    manager = ChildSpec("m", partial(Manager, sups, cast.spec("b"), "never"))
    sups.append(Supervisor(manager))
    async with running(sups[0]):
        ref = sups[0].which_children()[0].ref
        await ref.call(Manager.ask)
        assert [child.id for child in sups[0].which_children()] == ["m", "b"]
        ref.cast(Manager.end_itself)
        assert isinstance((await ref.wait_exit()).error, WouldDeadlock)


async def test_c082_cancelled_before_it_was_begun(cast: Recorders) -> None:
    """A request not begun is dropped."""
    sup = Supervisor()
    async with running(sup), trio.open_nursery() as nursery:
        nursery.start_soon(sup.start_child, cast.spec("slow", Script(init=10)))
        await settle()
        with trio.move_on_after(1):
            await sup.start_child(cast.spec("b"))
        await trio.sleep(20)
        assert [child.id for child in sup.which_children()] == ["slow"]
        assert "b" not in cast.began


async def test_c082_cancelled_in_init(cast: Recorders) -> None:
    """A child in its init is cancelled and leaves nothing."""
    sup = Supervisor(max_restarts=0)
    async with running(sup):
        with trio.move_on_after(1) as scope:
            await sup.start_child(cast.spec("b", Script(init=10)))
        assert scope.cancelled_caught
        assert sup.which_children() == []
        await sup.start_child(cast.spec("b"))


async def test_c082_cancelled_after_started() -> None:
    """A child that is ready already stays."""
    sup = Supervisor()
    scope = trio.CancelScope()

    async def work() -> None:
        scope.cancel()
        await trio.sleep_forever()

    async with running(sup):
        with scope:
            await sup.start_child(ChildSpec("b", task(work)))
        await settle()
        assert sup.count_children() == Counts(1, 1, 0, 1)


async def test_c083_requests_are_serial(cast: Recorders) -> None:
    """Two concurrent starts run their inits one after the other."""
    sup = Supervisor()
    async with running(sup):
        async with trio.open_nursery() as nursery:
            for child_id in "ab":
                nursery.start_soon(sup.start_child, cast.spec(child_id, Script(init=1)))
            await trio.sleep(0.5)
            assert sum(cast.began.values()) == 1
        assert trio.current_time() == 2


async def test_c083_request_of_a_child_that_is_being_stopped(cast: Recorders) -> None:
    """A request in line behind the stop of the very child that made it fails at once."""
    sups: list[Any] = []

    class Asker(Actor):
        async def ask(self) -> str:
            try:
                await sups[0].start_child(cast.spec("late"))
            except WouldDeadlock:
                return "refused"
            return "started"

    sups.append(Supervisor(ChildSpec("asker", Asker, shutdown=math.inf)))
    answers: list[str] = []

    async def call() -> None:
        answers.append(await sups[0].which_children()[0].ref.call(Asker.ask))

    async with running(sups[0]), trio.open_nursery() as nursery:
        nursery.start_soon(sups[0].start_child, cast.spec("slow", Script(init=1)))
        await settle()
        nursery.start_soon(sups[0].terminate_child, "asker")
        await settle()
        nursery.start_soon(call)
    assert answers == ["refused"]


async def test_c076_request_under_way_when_it_is_killed(cast: Recorders) -> None:
    """A request that the supervisor has begun when it is killed does not look successful."""
    sup = Supervisor()
    async with running(sup) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(_start, sup, cast.spec("slow", Script(init=100)))
        await settle()
        tree.kill()
