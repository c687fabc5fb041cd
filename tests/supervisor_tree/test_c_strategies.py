"""Group C: who is restarted together."""

from functools import partial

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    ChildSpec,
    ChildState,
    ChildStuck,
    Restart,
    RestartIntensityExceeded,
    ShutdownError,
    Strategy,
    Supervisor,
    task,
)
from supervisor_tree.testing import Boom, Recorders, Script, events_of, running, settle

LONG = {"max_restarts": 5, "max_seconds": 3600.0}


def group(cast: Recorders, ids: str, strategy: Strategy, **more: float) -> Supervisor:
    """Make a supervisor of recorders with enough restarts."""
    settings = {**LONG, **more}
    return Supervisor(
        *map(cast.spec, ids),
        strategy=strategy,
        max_restarts=int(settings["max_restarts"]),
        max_seconds=settings["max_seconds"],
    )


def signed(text: str) -> list[tuple[str, str]]:
    """Read a log written as `+a -b`."""
    return [(word[0], word[1:]) for word in text.split()]


async def test_c023_one_for_one(cast: Recorders) -> None:
    """Only the child that failed is restarted."""
    sup = group(cast, "ab", Strategy.ONE_FOR_ONE)
    async with running(sup):
        b = cast.current["b"]
        cast.log.clear()
        cast.crash("a")
        await settle()
        assert cast.log == signed("-a +a")
        assert cast.current["b"] is b


async def test_c024_one_for_all(cast: Recorders) -> None:
    """All others are stopped in reverse order, then all are started in order."""
    sup = group(cast, "abc", Strategy.ONE_FOR_ALL)
    async with running(sup):
        cast.log.clear()
        cast.crash("b")
        await settle()
        assert cast.log == signed("-b -c -a +a +b +c")


async def test_c025_rest_for_one(cast: Recorders) -> None:
    """The children started after the failed one go with it, those before stay."""
    sup = group(cast, "abcd", Strategy.REST_FOR_ONE)
    async with running(sup):
        cast.log.clear()
        cast.crash("b")
        await settle()
        assert cast.log == signed("-b -d -c +b +c +d")


async def test_c026_group_restart_starts_stopped_members(cast: Recorders) -> None:
    """A group restart brings back members that had been stopped."""
    inner = {
        name: ChildSpec(name, partial(Supervisor, cast.spec(f"{name}w"), max_restarts=0))
        for name in ("s1", "s2", "s3")
    }
    sup = Supervisor(*inner.values(), strategy=Strategy.ONE_FOR_ALL)
    async with running(sup):
        await sup.terminate_child("s3")
        cast.crash("s2w")
        await settle()
        assert {child.id: child.state for child in sup.which_children()} == dict.fromkeys(
            inner, ChildState.RUNNING
        )


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_c026_finished_transient_member_comes_back(
    cast: Recorders, strategy: Strategy
) -> None:
    """So does a transient member that had finished."""
    sup = Supervisor(cast.spec("a"), cast.spec("t", restart=Restart.TRANSIENT), strategy=strategy)
    async with running(sup):
        cast.finish("t")
        await settle()
        assert sup.count_children().active == 1
        cast.crash("a")
        await settle()
        assert sup.count_children().active == 2


async def test_c027_one_for_all_other_child_fails_restart(cast: Recorders) -> None:
    """A member that fails during the group's restart has the whole group tried again."""
    sup = group(cast, "ab", Strategy.ONE_FOR_ALL, max_restarts=3)
    with pytest.raises(RestartIntensityExceeded) as caught:
        async with running(sup):
            cast.log.clear()
            cast.init_errors["b"] = Boom()
            cast.crash("a")
            await trio.sleep(10)
    assert cast.log == signed("-a -b +a -a +a -a +a -a")
    assert [failure.child_id for failure in caught.value.history] == ["a", "b", "b", "b"]


async def test_c028_rest_for_one_other_child_fails_restart(cast: Recorders) -> None:
    """Under rest_for_one the retry begins with the member that failed; those before it stay."""
    sup = group(cast, "abc", Strategy.REST_FOR_ONE)
    async with running(sup):
        cast.log.clear()
        cast.init_errors["b"] = Boom()
        cast.crash("a")
        while cast.began["b"] < 3:
            await trio.lowlevel.checkpoint()
        del cast.init_errors["b"]
        await settle()
        assert cast.log == signed("-a -c -b +a +b +c")
        assert cast.began["a"] == 2
        assert sup.count_children().active == 3


async def test_c029_siblings_take_their_time_to_stop(cast: Recorders) -> None:
    """The group restart waits for the slowest sibling, each by its own shutdown time."""
    sup = Supervisor(
        cast.spec("a"),
        cast.spec("b", Script(cleanup=3)),
        cast.spec("c", Script(deaf=True), shutdown=2),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(sup):
        cast.crash("a")
        await trio.sleep(4.9)
        assert cast.began["a"] == 1
        await trio.sleep(0.2)
        assert cast.began["a"] == 2


async def test_c030_two_crashes_in_the_same_tick(cast: Recorders) -> None:
    """The second exit belongs to an incarnation already given up: one restart, charged once."""
    sup = group(cast, "abc", Strategy.ONE_FOR_ALL, max_restarts=1)
    async with running(sup):
        cast.log.clear()
        cast.crash("a")
        cast.crash("b")
        await settle()
        assert cast.log[-3:] == signed("+a +b +c")
        assert dict(cast.began) == {"a": 2, "b": 2, "c": 2}


async def test_c031_crash_while_being_stopped_is_no_failure(cast: Recorders) -> None:
    """A sibling that crashes in its cleanup is reported, and charges nothing."""
    boom = Boom()
    sup = Supervisor(
        cast.spec("a"),
        cast.spec("b", Script(cleanup_error=boom)),
        strategy=Strategy.ONE_FOR_ALL,
        max_restarts=1,
    )
    async with running(sup) as tree:
        events = events_of(tree)
        cast.crash("a")
        await settle()
        reported = [event for event in events if isinstance(event, ShutdownError)]
        assert [(event.path, event.error) for event in reported] == [("root/b", boom)]
        assert sup.count_children().active == 2


async def test_c024_a_stuck_member_is_waited_for_once(cast: Recorders) -> None:
    """A group restart gives a member that cannot be stopped its time, but not twice."""
    release, lives = trio.Event(), 0

    async def stuck_at_first() -> None:
        nonlocal lives
        lives += 1
        with trio.CancelScope(shield=lives == 1):
            await release.wait()

    sup = Supervisor(
        cast.spec("a"),
        ChildSpec("b", task(stuck_at_first), shutdown=2),
        strategy=Strategy.ONE_FOR_ALL,
        kill_grace=3,
    )
    async with running(sup) as tree:
        events = events_of(tree)
        cast.crash("a")
        await trio.sleep(8)
        release.set()
        assert [event.time for event in events if isinstance(event, ChildStuck)] == [5]
        assert (cast.began["a"], lives) == (2, 2)
