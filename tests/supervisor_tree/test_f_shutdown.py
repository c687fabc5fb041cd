"""Group F: how trees end."""

import contextlib
import math
from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    BRUTAL_KILL,
    Actor,
    ActorRef,
    ActorStopped,
    ChildExited,
    ChildSpec,
    ChildStuck,
    DynamicSupervisor,
    Exit,
    ExitKind,
    ShutdownError,
    Strategy,
    Supervisor,
    open_tree,
    started_task,
    task,
)
from supervisor_tree.testing import (
    Boom,
    Recorders,
    Script,
    assert_no_tasks_left,
    crash,
    events_of,
    running,
    settle,
)

SLOW_END = Script(cleanup=1)


def exits(events: list[Any]) -> dict[str, ExitKind]:
    """How each child ended last."""
    return {event.path: event.exit.kind for event in events if isinstance(event, ChildExited)}


async def test_c058_reverse_order_one_by_one(cast: Recorders) -> None:
    """Children stop last one first, each after the other."""
    async with running(Supervisor(*(cast.spec(child_id, SLOW_END) for child_id in "abcd"))):
        cast.log.clear()
    assert cast.log == [("-", child_id) for child_id in "dcba"]
    assert trio.current_time() == 4


async def test_c059_reverse_order_when_cancelled(cast: Recorders) -> None:
    """The order is the same when the enclosing scope is cancelled, which goes on afterwards."""
    sup = Supervisor(*(cast.spec(child_id, SLOW_END) for child_id in "abcd"))
    with trio.move_on_after(10) as scope:
        await sup.run()
    assert scope.cancelled_caught
    assert cast.log[4:] == [("-", child_id) for child_id in "dcba"]
    assert trio.current_time() == 14
    assert_no_tasks_left()


async def test_c059_reverse_order_when_a_sibling_task_crashes(cast: Recorders) -> None:
    """The same when a task beside the supervisor crashes."""

    async def fail() -> None:
        await trio.sleep(1)
        raise Boom

    sup = Supervisor(*(cast.spec(child_id, SLOW_END) for child_id in "ab"))
    with pytest.RaisesGroup(Boom):
        async with trio.open_nursery() as nursery:
            await nursery.start(sup.run)
            nursery.start_soon(fail)
    assert cast.log[2:] == [("-", "b"), ("-", "a")]


async def test_c060_infinite_shutdown(cast: Recorders) -> None:
    """A worker may be promised all the time it needs."""
    async with running(Supervisor(cast.spec("a", Script(cleanup=1000), shutdown=math.inf))):
        pass
    assert trio.current_time() == 1000


async def test_c061_shutdown_timeout(cast: Recorders) -> None:
    """A child that ignores the stop is cancelled when its time is up."""
    sup = Supervisor(cast.spec("a"), cast.spec("deaf", Script(deaf=True), shutdown=2))
    async with running(sup) as tree:
        events = events_of(tree)
    assert trio.current_time() == 2
    assert exits(events) == {"root/deaf": ExitKind.KILLED, "root/a": ExitKind.SHUTDOWN}


class Polite(Actor):
    """Notes its end."""

    def __init__(self, log: list[ExitKind]) -> None:
        self.log = log

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002  # the contract's name
        self.log.append(exit.kind)

    async def work(self, seconds: float) -> str:
        """Take a while."""
        await trio.sleep(seconds)
        return "done"


async def test_c062_brutal_kill() -> None:
    """BRUTAL_KILL cancels at once, without on_stop."""
    log: list[ExitKind] = []
    sup = Supervisor(ChildSpec("a", partial(Polite, log), shutdown=BRUTAL_KILL))
    async with running(sup) as tree:
        events = events_of(tree)
    assert log == []
    assert exits(events) == {"root/a": ExitKind.KILLED}


async def test_c063_dynamic_children_stop_concurrently(cast: Recorders) -> None:
    """All dynamic children stop at the same time, each within its own limit."""
    sup = DynamicSupervisor()
    async with running(Supervisor(ChildSpec("d", lambda: sup))) as tree:
        events = events_of(tree)
        await sup.start_child(cast.spec("a", SLOW_END))
        await sup.start_child(cast.spec("b", SLOW_END))
        await sup.start_child(cast.spec("deaf", Script(deaf=True), shutdown=2))
        await sup.start_child(cast.spec("brutal", shutdown=BRUTAL_KILL))
    assert trio.current_time() == 2
    assert exits(events) == {
        "root/d/a": ExitKind.SHUTDOWN,
        "root/d/b": ExitKind.SHUTDOWN,
        "root/d/deaf": ExitKind.KILLED,
        "root/d/brutal": ExitKind.KILLED,
        "root/d": ExitKind.SHUTDOWN,
    }


async def test_c064_crash_in_cleanup_is_reported(cast: Recorders) -> None:
    """A child that raises in its cleanup is reported, and the stop goes on."""
    boom = Boom()
    sup = Supervisor(cast.spec("a"), cast.spec("b", Script(cleanup_error=boom)))
    async with running(sup) as tree:
        events = events_of(tree)
    assert [event.error for event in events if isinstance(event, ShutdownError)] == [boom]
    assert cast.log[2:] == [("-", "b"), ("-", "a")]


class Rude:
    """Cannot even be asked to stop."""

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Run for ever."""
        task_status.started()
        await trio.sleep_forever()

    def request_stop(self) -> None:
        """Fail."""
        raise Boom


async def test_c064_crash_in_request_stop_is_reported() -> None:
    """A service whose request_stop() raises is killed instead."""
    async with running(Supervisor(ChildSpec("a", Rude))) as tree:
        events = events_of(tree)
    assert [type(event.error) for event in events if isinstance(event, ShutdownError)] == [Boom]
    assert exits(events) == {"root/a": ExitKind.KILLED}


async def test_c065_swallowed_cancellation(cast: Recorders) -> None:
    """A child that swallows one cancellation gets the next at its next checkpoint."""

    async def stubborn() -> None:
        with contextlib.suppress(trio.Cancelled):  # what nobody should do
            await trio.sleep_forever()
        await trio.sleep_forever()

    sup = Supervisor(cast.spec("a"), ChildSpec("stubborn", task(stubborn), shutdown=2))
    async with running(sup):
        pass
    assert trio.current_time() <= 2


async def test_c066_stuck_child_is_reported_and_waited_for(cast: Recorders) -> None:
    """A child that ignores its cancellation is reported; the others stop; run() waits for it."""
    sup = Supervisor(
        cast.spec("a"), cast.spec("stuck", Script(deaf=True, stuck=True), shutdown=2), kill_grace=3
    )
    events: list[Any] = []
    async with trio.open_nursery() as nursery:
        ended = trio.Event()

        async def host() -> None:
            async with open_tree(sup) as tree:
                tree.add_hook(events.append)
            ended.set()

        nursery.start_soon(host)
        await trio.sleep(100)
        stuck = [event for event in events if isinstance(event, ChildStuck)]
        assert [(event.path, event.time) for event in stuck] == [("root/stuck", 5)]
        assert "_clean_up" in stuck[0].stack
        assert ("-", "a") in cast.log
        assert not ended.is_set()
        cast.finish("stuck")
        await settle()
        assert ended.is_set()


async def test_c067_no_start_after_the_stop_request(cast: Recorders) -> None:
    """A stop in the middle of a group restart starts nobody any more, and stops all."""
    sup = Supervisor(
        *(cast.spec(child_id, Script(init=1)) for child_id in "abc"),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(sup) as tree:
        cast.crash("a")
        await trio.sleep(1.5)
        assert dict(cast.began) == {"a": 2, "b": 2, "c": 1}
        tree.request_stop()
        await settle()
        assert trio.current_time() == 4.5
    assert dict(cast.began) == {"a": 2, "b": 2, "c": 1}
    assert cast.log[-1] == ("-", "a")


async def test_c068_stop_is_idempotent(cast: Recorders) -> None:
    """Asking again changes nothing; killing ends it at once."""
    sup = Supervisor(cast.spec("a", Script(deaf=True), shutdown=10))
    async with running(sup) as tree:
        sup.request_stop()
        sup.request_stop()
        tree.request_stop()
        await trio.sleep(1)
        assert cast.log == [("+", "a")]
        tree.kill()
        await settle()
        assert cast.log == [("+", "a"), ("-", "a")]
    assert trio.current_time() == 1


async def test_c069_own_stop_charges_nothing(cast: Recorders) -> None:
    """Children that crash because they are being stopped do not bring the supervisor down."""
    script = Script(cleanup_error=Boom())
    sup = Supervisor(*(cast.spec(child_id, script) for child_id in "abc"), max_restarts=0)
    async with running(sup):
        pass
    assert dict(cast.began) == {"a": 1, "b": 1, "c": 1}


async def call_work(ref: ActorRef[Any], seconds: float, outcomes: list[object]) -> None:
    """Note the result of a call, or the error it failed with, and when."""
    try:
        outcomes.append((trio.current_time(), await ref.call(Polite.work, seconds)))
    except ActorStopped:
        outcomes.append((trio.current_time(), "stopped"))


async def test_c070_handler_finishes_queued_calls_fail() -> None:
    """On a stop the running handler replies, queued calls fail at once, then comes on_stop."""
    log: list[ExitKind] = []
    outcomes: list[object] = []
    sup = Supervisor(ChildSpec("a", partial(Polite, log)))
    async with trio.open_nursery() as nursery, running(sup) as tree:
        ref = sup.which_children()[0].ref
        nursery.start_soon(call_work, ref, 3, outcomes)
        await settle()
        nursery.start_soon(call_work, ref, 3, outcomes)
        await trio.sleep(1)
        tree.request_stop()
        await settle()
        assert outcomes == [(1, "stopped")]
    assert outcomes == [(1, "stopped"), (0, "done")]
    assert trio.current_time() == 3
    assert log == [ExitKind.SHUTDOWN]


class Draining(Polite):
    """Serves what is queued before it stops."""

    drain = True


async def test_c070_draining_actor_serves_queued_calls() -> None:
    """With drain, queued calls are served before the stop."""
    outcomes: list[object] = []
    sup = Supervisor(ChildSpec("a", partial(Draining, [])))
    async with trio.open_nursery() as nursery, running(sup) as tree:
        ref = sup.which_children()[0].ref
        nursery.start_soon(call_work, ref, 1, outcomes)
        nursery.start_soon(call_work, ref, 1, outcomes)
        await settle()
        tree.request_stop()
        await settle()
        with pytest.raises(ActorStopped):
            await ref.call(Polite.work, 1)
    assert outcomes == [(0, "done"), (0, "done")]


async def test_c071_kill_of_a_supervisor(cast: Recorders) -> None:
    """A supervisor that exceeds its time is killed with its whole subtree at once."""
    deep = partial(
        Supervisor, *(cast.spec(child_id, Script(deaf=True), shutdown=50) for child_id in "ab")
    )
    mid = partial(Supervisor, ChildSpec("deep", deep))
    sup = Supervisor(ChildSpec("mid", mid, shutdown=3))
    async with running(sup) as tree:
        events = events_of(tree)
    assert trio.current_time() == 3
    assert exits(events) == dict.fromkeys(
        ["root/mid/deep/a", "root/mid/deep/b", "root/mid/deep", "root/mid"], ExitKind.KILLED
    )


async def test_c071_kill_by_reference(cast: Recorders) -> None:
    """So is one that is killed by reference, which is a failure."""
    inner = ChildSpec("inner", partial(Supervisor, cast.spec("a", Script(deaf=True))))
    sup = Supervisor(inner)
    async with running(sup):
        sup.which_children()[0].ref.kill()
        await settle()
        assert cast.began["a"] == 2
        assert trio.current_time() == 0
        await crash(sup.which_children()[0].ref)
        await settle()
        assert cast.began["a"] == 3


async def test_c071_kill_while_starting() -> None:
    """A subtree that is still starting is killed like any other."""

    async def hang(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()
        task_status.started()

    inner = ChildSpec("inner", partial(Supervisor, ChildSpec("a", started_task(hang))))
    with trio.move_on_after(1) as scope:
        await Supervisor(inner).run()
    assert scope.cancelled_caught
    assert trio.current_time() == 1
