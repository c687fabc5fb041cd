"""Slots: who gets one, who waits, who is turned away, and that a race loses none."""

import math
from functools import partial

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cortexd.actors.worker_slots import RETRY_AFTER_S_MAX, RETRY_AFTER_S_MIN, WorkerSlots
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import Tenant, WorkerName
from cortexd.policy.fair_queue import Waiting
from cortexd.policy.pace import Pace

A, B = Tenant("a"), Tenant("b")


@attrs.define(eq=False)
class Rig:
    """Slots, and what became of those who asked for one."""

    slots: WorkerSlots
    pace: Pace
    served: list[str] = attrs.Factory(list)
    turned_away: dict[str, WorkerFailed] = attrs.Factory(dict)

    async def use(self, name: str, *, for_s: float = 1.0, deadline: float = math.inf) -> None:
        """Hold a slot for a while; `a1` is of tenant `a`. Raises `TooSlowError` if it hangs."""
        with trio.fail_after(60.0):
            try:
                async with self.slots.lease(Tenant(name[0]), deadline=deadline):
                    self.served.append(name)
                    await trio.sleep(for_s)
            except WorkerFailed as failure:
                self.turned_away[name] = failure


def _rig(*, slots: int = 1, queue_max: int = 8, held_s: float | None = None) -> Rig:
    """`held_s`: for how long slots have been held lately."""
    pace = Pace()
    if held_s is not None:
        pace.held(trio.current_time(), held_s)
    return Rig(WorkerSlots(WorkerName("w"), slots=slots, queue_max=queue_max, pace=pace), pace)


async def _start(nursery: trio.Nursery, rig: Rig, *names: str) -> None:
    """Let them ask for a slot in this order."""
    for name in names:
        nursery.start_soon(rig.use, name)
        await wait_all_tasks_blocked()


async def test_a_free_slot_is_had_at_once_and_given_back() -> None:
    """Also when the block fails; and the pace knows how long it was held."""
    rig = _rig(slots=2)

    with pytest.raises(LookupError):
        async with rig.slots.lease(A):
            assert (rig.slots.in_flight, rig.slots.full) == (1, False)
            async with rig.slots.lease(A):
                assert (rig.slots.in_flight, rig.slots.full) == (2, True)
                await trio.sleep(3.0)
            raise LookupError

    assert (rig.slots.in_flight, rig.slots.queued, rig.slots.full) == (0, 0, False)
    assert rig.pace.held_s(trio.current_time()) == pytest.approx(3.0)


async def test_tenants_take_turns() -> None:
    """Who asks for much does not make the others wait for all of it."""
    rig = _rig()

    async with trio.open_nursery() as nursery:
        await _start(nursery, rig, "a1", "a2", "a3", "b1")
        assert (rig.slots.in_flight, rig.slots.queued) == (1, 3)
        assert rig.slots.waiting == (
            Waiting(tenant=A, position=1, since=trio.current_time()),
            Waiting(tenant=B, position=2, since=trio.current_time()),
            Waiting(tenant=A, position=3, since=trio.current_time()),
        )

    assert rig.served == ["a1", "a2", "b1", "a3"]
    assert (rig.slots.in_flight, rig.slots.queued) == (0, 0)


async def test_a_slot_goes_straight_to_whose_turn_it_is() -> None:
    """A newcomer cannot take it in the moment in which it is given back."""
    rig = _rig()

    async with trio.open_nursery() as nursery:
        async with rig.slots.lease(A):
            await _start(nursery, rig, "a2", "b1")
        assert (rig.slots.in_flight, rig.slots.queued, rig.slots.full) == (1, 1, True)
        await _start(nursery, rig, "a3")

    assert rig.served == ["a2", "b1", "a3"]


async def test_a_full_queue_turns_away_at_once() -> None:
    """Not as a failure of the worker, and with a time to come back."""
    rig = _rig(queue_max=2, held_s=6.0)

    async with trio.open_nursery() as nursery:
        await _start(nursery, rig, "a1", "a2", "a3", "a4")
        failure = rig.turned_away["a4"]
        assert (failure.worker, failure.kind) == ("w", FailureKind.BUSY)
        assert failure.retry_after_s == pytest.approx(3 * 6.0)

    assert rig.served == ["a1", "a2", "a3"]


async def test_a_full_queue_makes_room_for_a_tenant_with_fewer_in_it() -> None:
    """The newest of the tenant with most is turned away, and only that one."""
    rig = _rig(queue_max=2)

    async with trio.open_nursery() as nursery:
        await _start(nursery, rig, "a1", "a2", "a3", "b1")
        assert rig.turned_away["a3"].kind is FailureKind.BUSY
        assert rig.slots.queued == 2

    assert rig.served == ["a1", "a2", "b1"]
    assert (rig.slots.in_flight, rig.slots.queued) == (0, 0)


@pytest.mark.parametrize(
    ("held_s", "retry_after_s"),
    [(None, RETRY_AFTER_S_MIN), (0.01, RETRY_AFTER_S_MIN), (9000.0, RETRY_AFTER_S_MAX)],
)
async def test_the_time_to_come_back_is_within_reason(
    held_s: float | None, retry_after_s: float
) -> None:
    """Neither at once nor next week."""
    rig = _rig(queue_max=0, held_s=held_s)

    async with rig.slots.lease(A):
        await rig.use("a1")

    assert rig.turned_away["a1"].retry_after_s == retry_after_s


async def test_a_deadline_that_will_not_be_met_is_not_waited_for() -> None:
    """Two slots, each held for ten seconds: the first in the queue waits for five, then ten."""
    rig = _rig(slots=2, held_s=10.0)
    now = trio.current_time()

    async with trio.open_nursery() as nursery, rig.slots.lease(A), rig.slots.lease(A):
        await rig.use("a1", deadline=now + 4.9)
        nursery.start_soon(partial(rig.use, "a2", deadline=now + 5.1))
        await wait_all_tasks_blocked()
        await rig.use("a3", deadline=now + 9.9)
        nursery.start_soon(partial(rig.use, "b1", deadline=now + 10.1))
        await wait_all_tasks_blocked()
        assert rig.slots.queued == 2
        assert rig.turned_away["a1"].retry_after_s == pytest.approx(5.0)
        assert {each.kind for each in rig.turned_away.values()} == {FailureKind.BUSY}

    assert sorted(rig.turned_away) == ["a1", "a3"]


async def test_a_deadline_is_no_reason_where_nobody_knows_how_long_it_takes() -> None:
    """Then it is left to whoever keeps the deadline."""
    rig = _rig()

    with trio.move_on_after(1.0) as scope:
        async with rig.slots.lease(A):
            await rig.use("b1", deadline=scope.deadline)

    assert scope.cancelled_caught
    assert not rig.turned_away
    assert (rig.slots.in_flight, rig.slots.queued) == (0, 0)


async def test_who_is_cancelled_already_gets_no_slot() -> None:
    """Asking is a checkpoint."""
    rig = _rig()

    with trio.CancelScope() as scope:
        scope.cancel()
        await rig.use("a1")

    assert not rig.served
    assert rig.slots.in_flight == 0


async def test_who_is_cancelled_while_taking_a_free_slot_gives_it_back() -> None:
    """Asking is a checkpoint even then; who runs first is up to Trio, so it is done often."""
    rig = _rig()

    for _ in range(50):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.use, "a1")
            while not rig.slots.in_flight:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert rig.slots.in_flight == 0


@pytest.mark.parametrize("first", ["the cancellation", "the slot"])
async def test_a_slot_for_one_who_is_cancelled_at_the_same_time_is_not_lost(first: str) -> None:
    """It goes on to the next, whichever of the two comes first."""
    rig = _rig()
    scope = trio.CancelScope()

    async def leaving() -> None:
        with scope:
            await rig.use("a2")

    async with trio.open_nursery() as nursery:
        async with rig.slots.lease(A):
            nursery.start_soon(leaving)
            await wait_all_tasks_blocked()
            await _start(nursery, rig, "a3")
            if first == "the cancellation":
                scope.cancel()
        if first == "the slot":
            scope.cancel()
        assert (rig.slots.in_flight, rig.slots.queued) == (1, first == "the slot")

    assert scope.cancelled_caught
    assert rig.served == (["a3"] if first == "the cancellation" else ["a2", "a3"])
    assert (rig.slots.in_flight, rig.slots.queued) == (0, 0)


@pytest.mark.parametrize("first", ["the cancellation", "the eviction"])
async def test_one_who_is_cancelled_while_being_evicted_leaves_no_trace(first: str) -> None:
    """Who has left need not be evicted; who has been evicted has left."""
    rig = _rig(queue_max=2)
    scope = trio.CancelScope()

    async def leaving() -> None:
        with scope:
            await rig.use("a3")

    async with trio.open_nursery() as nursery:
        await _start(nursery, rig, "a1", "a2")
        nursery.start_soon(leaving)
        await wait_all_tasks_blocked()
        if first == "the cancellation":
            scope.cancel()
        nursery.start_soon(rig.use, "b1")
        while rig.slots.waiting[-1].tenant != B:
            await trio.lowlevel.checkpoint()
        # Whether the evicted one has run by now is up to Trio.
        scope.cancel()
        assert rig.slots.queued == 2

    assert rig.served == ["a1", "a2", "b1"]
    assert list(rig.turned_away) == ([] if first == "the cancellation" else ["a3"])
    assert (rig.slots.in_flight, rig.slots.queued) == (0, 0)
