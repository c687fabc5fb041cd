"""Group E: restarts that fail, back-off, and requests in between."""

import random
from functools import partial
from itertools import pairwise

import pytest
import trio
import trio.lowlevel

from supervisor_tree import (
    ActorRef,
    AlreadyPresent,
    Backoff,
    ChildNotFound,
    ChildRestarting,
    ChildSpec,
    ChildState,
    Counts,
    DynamicSupervisor,
    RestartIntensityExceeded,
    RestartScheduled,
    Strategy,
    Supervisor,
)
from supervisor_tree.testing import Boom, Recorders, events_of, running, settle

SLOW = Backoff(initial=10, maximum=10, jitter=0)
STEADY = Backoff(initial=0.1, factor=2, maximum=1, jitter=0, reset_after=60)


def states(sup: Supervisor) -> dict[str, str]:
    """What each child is doing."""
    return {child.id: child.state.value for child in sup.which_children()}


async def make_restarting(cast: Recorders, child_id: str) -> None:
    """Have a child with a back-off fail twice, so that it waits for its next start."""
    cast.init_errors[child_id] = Boom()
    cast.crash(child_id)
    await settle()
    del cast.init_errors[child_id]


async def test_c047_requests_while_restarting(cast: Recorders) -> None:
    """A child between two tries can be neither started, nor restarted, nor deleted."""
    sup = Supervisor(cast.spec("a", backoff=SLOW))
    async with running(sup):
        await make_restarting(cast, "a")
        with pytest.raises(AlreadyPresent):
            await sup.start_child(cast.spec("a"))
        with pytest.raises(ChildRestarting):
            await sup.restart_child("a")
        with pytest.raises(ChildRestarting):
            await sup.delete_child("a")
        assert states(sup) == {"a": "restarting"}
        assert sup.count_children() == Counts(1, 0, 0, 1)


async def test_c048_terminate_while_restarting(cast: Recorders) -> None:
    """Terminating gives up the pending restart for good."""
    sup = Supervisor(cast.spec("a", backoff=SLOW))
    async with running(sup):
        await make_restarting(cast, "a")
        now = trio.current_time()
        await sup.terminate_child("a")
        assert trio.current_time() == now
        assert states(sup) == {"a": "stopped"}
        began = cast.began["a"]
        await trio.sleep(100)
        assert cast.began["a"] == began
        await sup.restart_child("a")
        assert states(sup) == {"a": "running"}


async def test_c049_stop_during_back_off(cast: Recorders) -> None:
    """A supervisor that waits for a back-off stops at once."""
    sup = Supervisor(cast.spec("a", backoff=SLOW))
    async with running(sup):
        await make_restarting(cast, "a")
    assert trio.current_time() == 0


async def test_c049_stop_during_restart_loop(cast: Recorders) -> None:
    """So does one that tries again and again."""
    sup = Supervisor(cast.spec("a"), max_restarts=10**6, max_seconds=3600)
    async with running(sup) as tree:
        cast.init_errors["a"] = Boom()
        cast.crash("a")
        while cast.began["a"] < 10:
            await trio.lowlevel.checkpoint()
        tree.request_stop()
        began = cast.began["a"]
    assert cast.began["a"] <= began + 1


async def test_c050_restart_loop_under_rest_for_one(cast: Recorders) -> None:
    """While one member is being restarted those after it are stopped, until started themselves."""
    sup = Supervisor(
        cast.spec("a"),
        cast.spec("b", backoff=SLOW),
        cast.spec("c"),
        strategy=Strategy.REST_FOR_ONE,
    )
    async with running(sup):
        await make_restarting(cast, "b")
        assert states(sup) == {"a": "running", "b": "restarting", "c": "stopped"}
        assert sup.count_children() == Counts(3, 1, 0, 3)
        await sup.terminate_child("b")
        await sup.restart_child("b")
        await trio.sleep(100)
        assert states(sup) == {"a": "running", "b": "running", "c": "stopped"}
        await sup.restart_child("c")
        assert sup.count_children().active == 3


async def test_c051_dynamic_child_terminated_while_restarting(cast: Recorders) -> None:
    """Terminating a dynamic child that waits for its restart removes it."""
    sup = DynamicSupervisor()
    async with running(Supervisor(ChildSpec("dynamic", lambda: sup))):
        ref: ActorRef[object] = await sup.start_child(cast.spec("a", backoff=SLOW))
        await make_restarting(cast, "a")
        await sup.terminate_child(ref)
        assert sup.which_children() == []
        with pytest.raises(ChildNotFound):
            await sup.terminate_child(ref)
        began = cast.began["a"]
        await trio.sleep(100)
        assert cast.began["a"] == began


async def test_c052_count_restarting_children(cast: Recorders) -> None:
    """Children that are being restarted count, but not as active."""
    sup = DynamicSupervisor(max_restarts=10)
    async with running(Supervisor(ChildSpec("dynamic", lambda: sup))):
        for child_id in "abc":
            await sup.start_child(cast.spec(child_id, backoff=SLOW))
        await make_restarting(cast, "a")
        await make_restarting(cast, "b")
        assert sup.count_children() == Counts(3, 1, 0, 3)
        await trio.sleep(30)
        assert sup.count_children() == Counts(3, 3, 0, 3)


async def test_c053_requests_are_served_between_tries(cast: Recorders) -> None:
    """A request made during a loop of immediate retries is answered before the next try."""
    sup = Supervisor(cast.spec("a"), max_restarts=10**6, max_seconds=3600)
    async with running(sup):
        cast.init_errors["a"] = Boom()
        cast.crash("a")
        while cast.began["a"] < 10:
            await trio.lowlevel.checkpoint()
        assert states(sup)["a"] in {"starting", "restarting"}
        began = cast.began["a"]
        await sup.terminate_child("a")
        assert cast.began["a"] <= began + 1
        assert states(sup) == {"a": "stopped"}


def test_c054_delays_grow_to_the_maximum() -> None:
    """The first restart is immediate, then the delay doubles up to its maximum."""
    chance = random.Random(1)  # noqa: S311  # a seed, no secret
    delays = [STEADY.delay(failures, chance) for failures in range(1, 8)]
    assert delays == pytest.approx([0, 0.1, 0.2, 0.4, 0.8, 1, 1])
    assert STEADY.delay(10**6, chance) == 1


def test_c054_jitter_stays_in_its_bounds() -> None:
    """Jitter moves the delay by no more than its fraction, both ways."""
    backoff = Backoff(initial=1, factor=1, maximum=1, jitter=0.2)
    chance = random.Random(1)  # noqa: S311  # a seed, no secret
    delays = [backoff.delay(2, chance) for _ in range(1000)]
    assert 0.8 <= min(delays) < 0.85
    assert 1.15 < max(delays) <= 1.2


async def scheduled(cast: Recorders, uptimes: list[float]) -> list[float]:
    """Crash a child after each of these uptimes, and return the delays that were scheduled."""
    sup = Supervisor(cast.spec("a", backoff=STEADY), max_restarts=100)
    async with running(sup) as tree:
        events = events_of(tree)
        for uptime in uptimes:
            while states(sup)["a"] != "running":  # noqa: ASYNC110  # there is no event for it
                await trio.sleep(0.01)
            node = tree.snapshot().children[0]
            await trio.sleep(uptime - node.uptime)
            cast.crash("a")
            await settle()
    return [event.delay for event in events if isinstance(event, RestartScheduled)]


async def test_c054_delays_are_kept(cast: Recorders) -> None:
    """The supervisor waits as long as the back-off says."""
    sup = Supervisor(cast.spec("a", backoff=STEADY), max_restarts=100)
    starts: list[float] = []
    async with running(sup):
        cast.init_errors["a"] = Boom()
        cast.crash("a")
        while len(starts) < 6:
            if cast.began["a"] > len(starts) + 1:
                starts.append(trio.current_time())
            await trio.sleep(0.001)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps == pytest.approx([0.1, 0.2, 0.4, 0.8, 1], abs=0.01)


async def test_c055_health_resets_the_delay(cast: Recorders) -> None:
    """A child that was up for reset_after starts over; just below, it does not."""
    delays = await scheduled(cast, [1, 1, 59.9, 60.1, 1])
    assert delays == pytest.approx([0, 0.1, 0.2, 0, 0.1])


async def test_c056_give_up_after(cast: Recorders) -> None:
    """Too many failures in a row escalate, though the window is never exceeded."""
    backoff = Backoff(initial=10, maximum=10, jitter=0, give_up_after=4)
    sup = Supervisor(cast.spec("a", backoff=backoff), max_restarts=2, max_seconds=1)
    with pytest.raises(RestartIntensityExceeded):
        async with running(sup):
            cast.init_errors["a"] = Boom()
            cast.crash("a")
            await trio.sleep_forever()
    assert cast.began["a"] == 5


async def test_c057_group_is_stopped_during_back_off(cast: Recorders) -> None:
    """Nobody of the group runs before the delay is over."""
    sup = Supervisor(
        *(cast.spec(child_id, backoff=SLOW) for child_id in "abc"),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(sup):
        await make_restarting(cast, "b")
        assert states(sup) == {"a": "stopped", "b": "restarting", "c": "stopped"}
        await trio.sleep(9.9)
        assert sup.count_children().active == 0
        await trio.sleep(0.2)
        assert sup.count_children().active == 3


async def test_c057_back_off_of_the_member_that_failed(cast: Recorders) -> None:
    """The settings of the failed member count, not those of the others."""
    slow = cast.spec("slow", backoff=SLOW)
    sup = Supervisor(slow, cast.spec("plain"), strategy=Strategy.ONE_FOR_ALL)
    async with running(Supervisor(ChildSpec("inner", partial(lambda: sup)))):
        cast.crash("slow")
        await settle()
        cast.crash("plain")
        await settle()
        assert {child.state for child in sup.which_children()} == {ChildState.RUNNING}
