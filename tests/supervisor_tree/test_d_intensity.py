"""Group D: restart intensity and escalation."""

from functools import partial

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    Actor,
    ChildSpec,
    ChildState,
    Counts,
    Escalated,
    ExitKind,
    Name,
    Restart,
    RestartIntensityExceeded,
    Strategy,
    Supervisor,
    run,
    task,
    whereis,
)
from supervisor_tree.testing import (
    Boom,
    Recorders,
    assert_no_tasks_left,
    events_of,
    running,
    settle,
)


async def test_c033_multiple_restarts(cast: Recorders) -> None:
    """Restarts that are far enough apart may go on for ever."""
    sup = Supervisor(cast.spec("a"), max_restarts=1, max_seconds=2)
    async with running(sup):
        for _ in range(6):
            cast.crash("a")
            await trio.sleep(3)
        assert cast.began["a"] == 7


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_c034_third_failure_escalates(cast: Recorders, strategy: Strategy) -> None:
    """The failures of all children add up; then all are stopped in reverse order."""
    sup = Supervisor(*map(cast.spec, "abc"), strategy=strategy, max_restarts=2, max_seconds=3600)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.crash("a")
            await settle()
            cast.crash("b")
            await settle()
            cast.log.clear()
            cast.crash("c")
            await trio.sleep_forever()
    assert cast.log == [("-", "c"), ("-", "b"), ("-", "a")]


async def test_c035_budget_is_per_supervisor(cast: Recorders) -> None:
    """Two children that crash in turns share one budget."""
    sup = Supervisor(*map(cast.spec, "ab"), max_restarts=2, max_seconds=3600)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            for child_id in "aba":
                cast.crash(child_id)
                await settle()
            await trio.sleep_forever()
    assert sum(cast.began.values()) == 4


async def test_c036_no_restarts_allowed(cast: Recorders) -> None:
    """With a budget of none the first failure escalates, but only one that needs a restart."""
    sup = Supervisor(
        cast.spec("temporary", restart=Restart.TEMPORARY),
        cast.spec("transient", restart=Restart.TRANSIENT),
        cast.spec("a"),
        max_restarts=0,
    )
    with pytest.raises(RestartIntensityExceeded) as caught:
        async with running(sup):
            cast.crash("temporary")
            cast.finish("transient")
            await settle()
            assert sup.count_children() == Counts(2, 1, 0, 2)
            cast.crash("a")
            await trio.sleep_forever()
    assert caught.value.child_id == "a"


@pytest.mark.parametrize(("pause", "survives"), [(2.0, False), (2.001, True)])
async def test_c037_window_boundary(cast: Recorders, pause: float, *, survives: bool) -> None:
    """Two failures exactly max_seconds apart are both inside the window."""
    sup = Supervisor(cast.spec("a"), max_restarts=1, max_seconds=2)
    if survives:
        async with running(sup):
            cast.crash("a")
            await trio.sleep(pause)
            cast.crash("a")
            await settle()
            assert sup.count_children().active == 1
        return
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.crash("a")
            await trio.sleep(pause)
            cast.crash("a")
            await trio.sleep_forever()


@pytest.mark.parametrize("budget", [0, 1, 3])
async def test_c038_escalation_of_failing_inits(cast: Recorders, budget: int) -> None:
    """A child whose init always fails is tried as often as the budget says."""
    sup = Supervisor(cast.spec("a"), max_restarts=budget, max_seconds=3600)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.init_errors["a"] = Boom()
            cast.crash("a")
            await trio.sleep_forever()
    assert cast.began["a"] == 1 + budget


async def test_c039_restarted_when_trying_again(cast: Recorders) -> None:
    """A child that starts after some failed tries is running, each try charged."""
    sup = Supervisor(cast.spec("a"), max_restarts=3, max_seconds=3600)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.init_errors["a"] = Boom()
            cast.crash("a")
            while cast.began["a"] < 3:
                await trio.lowlevel.checkpoint()
            del cast.init_errors["a"]
            await settle()
            assert sup.count_children().active == 1
            assert cast.began["a"] == 4
            cast.crash("a")
            await trio.sleep_forever()


async def test_c040_group_restart_charges_one(cast: Recorders) -> None:
    """A restart of the whole group is one restart."""
    sup = Supervisor(
        *map(cast.spec, "abc"), strategy=Strategy.ONE_FOR_ALL, max_restarts=1, max_seconds=3600
    )
    async with running(sup):
        cast.crash("a")
        await settle()
        assert sup.count_children().active == 3


async def test_c041_manual_operations_never_charge(cast: Recorders) -> None:
    """What is done by request costs nothing."""
    sup = Supervisor(cast.spec("a"), max_restarts=0)
    async with running(sup):
        for _ in range(3):
            await sup.terminate_child("a")
            await sup.restart_child("a")
            await sup.start_child(cast.spec("b"))
            await sup.terminate_child("b")
            await sup.delete_child("b")
        assert sup.count_children().active == 1


async def test_c042_escalation_is_bare_and_tells_the_history(cast: Recorders) -> None:
    """The exception names the supervisor, the child, the failures, and the last crash."""
    booms = [Boom(1), Boom(2)]
    sup = Supervisor(cast.spec("a"), cast.spec("b"), max_restarts=1, max_seconds=60)
    with pytest.raises(RestartIntensityExceeded) as caught:
        async with running(sup) as tree:
            events = events_of(tree)
            cast.crash("a", booms[0])
            await trio.sleep(7)
            cast.crash("b", booms[1])
            await trio.sleep_forever()
    error = caught.value
    assert (error.supervisor, error.child_id) == ("root", "b")
    history = [(failure.time, failure.child_id, failure.error) for failure in error.history]
    assert history == [(0, "a", booms[0]), (7, "b", booms[1])]
    assert error.__cause__ is booms[1]
    assert [event.error for event in events if isinstance(event, Escalated)] == [error]


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
async def test_c043_escalated_child_supervisor_has_crashed(
    cast: Recorders, restart: Restart
) -> None:
    """For its parent, a supervisor that gave up is a crashed child."""
    inner = ChildSpec("inner", partial(Supervisor, cast.spec("w"), max_restarts=0), restart=restart)
    sup = Supervisor(inner)
    async with running(sup):
        ref = sup.which_children()[0].ref.pinned()
        cast.crash("w")
        ended = await ref.wait_exit()
        assert ended.kind is ExitKind.CRASHED
        assert isinstance(ended.error, RestartIntensityExceeded)
        await settle()
        assert cast.began["w"] == 2
        assert sup.count_children() == Counts(1, 1, 1, 0)


class Echo(Actor):
    """Says which life it is in."""

    async def incarnation(self) -> int:
        """Tell."""
        return self.ctx.incarnation

    async def fail(self) -> None:
        """Crash."""
        raise Boom


ECHO = Name[Echo]("echo")


async def test_c044_nested_supervisor_restarted(cast: Recorders) -> None:
    """Static children come back and their references work; added ones are gone."""
    inner = ChildSpec(
        "inner", partial(Supervisor, ChildSpec("echo", Echo, name=ECHO), max_restarts=0)
    )
    sup = Supervisor(inner)
    async with running(sup) as tree:
        by_name = whereis(ECHO)
        nested = sup.which_children()[0].ref.started_value
        by_place = nested.which_children()[0].ref
        added = await nested.start_child(cast.spec("added"))
        assert await by_place.call(Echo.incarnation) == 1
        before = sup.count_children()
        by_name.cast(Echo.fail)
        await settle()
        assert await by_place.call(Echo.incarnation) == 2
        assert await by_name.call(Echo.incarnation) == 2
        assert sup.count_children() == before
        paths = [node.path for node in tree.snapshot().children[0].children]
        assert paths == ["root/inner/echo"]
        assert added.state is ChildState.STOPPED


def test_c045_root_escalation_raises_out_of_run() -> None:
    """A root that gives up ends the program with its error."""

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise Boom

    with pytest.raises(RestartIntensityExceeded) as caught:
        run(Supervisor(ChildSpec("a", task(fail)), max_restarts=2))
    assert isinstance(caught.value.__cause__, Boom)


async def test_c045_no_task_is_left(cast: Recorders) -> None:
    """Nothing runs after an escalation of the root."""
    sup = Supervisor(cast.spec("a"), cast.spec("b"), max_restarts=0)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.crash("a")
            await trio.sleep_forever()
    assert_no_tasks_left()


async def test_c046_branches_do_not_touch_each_other(cast: Recorders) -> None:
    """A crash in one branch restarts nothing in another."""
    left = ChildSpec("left", partial(Supervisor, cast.spec("l"), max_restarts=0))
    right = ChildSpec("right", partial(Supervisor, cast.spec("r")))
    async with running(Supervisor(left, right)):
        cast.crash("l")
        await settle()
        assert dict(cast.began) == {"l": 2, "r": 1}
