"""Slots under many clients: nothing leaks, and a flood of one tenant's is its own problem."""

import random
from collections import Counter
from typing import Final

import pytest
import trio

from cortexd.actors.worker_slots import WorkerSlots
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import Tenant, WorkerName
from cortexd.policy.pace import Pace

CLIENTS: Final = 10_000
SLOTS: Final = 4
QUEUE_MAX: Final = 16


def _slots() -> WorkerSlots:
    return WorkerSlots(WorkerName("w"), slots=SLOTS, queue_max=QUEUE_MAX, pace=Pace())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_thousand_who_come_and_go_leak_nothing(seed: int) -> None:
    """Some are served, some turned away, some leave while they wait or while they are served."""
    slots, ends = _slots(), Counter[str]()
    chance = random.Random(seed)  # noqa: S311  a seed, no secret
    holding = 0

    async def client() -> None:
        nonlocal holding
        tenant = Tenant(chance.choice("aaaabcd"))
        # Many of these times fall together: the races are the point.
        patience_s, for_s = chance.randrange(12), chance.randrange(4)
        now = trio.current_time()
        with trio.move_on_after(patience_s) as scope:
            try:
                async with slots.lease(tenant, deadline=now + chance.choice([2.0, 99.0])):
                    holding += 1
                    try:
                        assert holding <= slots.in_flight <= SLOTS
                        await trio.sleep(for_s)
                    finally:
                        holding -= 1
            except WorkerFailed as failure:
                ends[failure.detail] += 1
            else:
                ends["served"] += 1
        ends["left"] += scope.cancelled_caught
        assert slots.queued <= QUEUE_MAX

    async with trio.open_nursery() as nursery:
        for number in range(CLIENTS):
            nursery.start_soon(client)
            if number % 20 == 0:
                await trio.sleep(chance.randrange(12))

    assert (holding, slots.in_flight, slots.queued, slots.full) == (0, 0, 0, False)
    assert ends.total() == CLIENTS
    # It was no idyll: each of the ways to end has been taken many times. The rarest is taken about
    # 120 times, and how often hangs on the order in which Trio lets tasks run.
    assert min(ends.values()) > CLIENTS / 1000, ends
    assert len(ends) == 5


async def test_a_flood_of_one_tenant_makes_the_others_wait_one_round_at_most() -> None:
    """Each of the quiet ones is served, after no more turns than there are tenants."""
    slots, waits = _slots(), list[float]()
    turned_away = Counter[Tenant]()
    hold_s = 1.0

    async def ask(tenant: Tenant) -> None:
        asked_at = trio.current_time()
        try:
            async with slots.lease(tenant):
                if tenant != "flood":
                    waits.append(trio.current_time() - asked_at)
                await trio.sleep(hold_s)
        except WorkerFailed:
            turned_away[tenant] += 1

    async def flood() -> None:
        for _ in range(100):
            for _ in range(SLOTS * 10):
                nursery.start_soon(ask, Tenant("flood"))
            await trio.sleep(hold_s)

    async def stay_quiet(tenant: Tenant) -> None:
        for _ in range(20):
            await ask(tenant)
            await trio.sleep(1.5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        await trio.sleep(0.5)
        for name in ("x", "y", "z"):
            nursery.start_soon(stay_quiet, Tenant(name))

    assert set(turned_away) == {"flood"}
    assert len(waits) == 3 * 20
    # Four slots are given back each second, to at most four tenants.
    assert max(waits) <= hold_s
    assert (slots.in_flight, slots.queued) == (0, 0)
