"""Beyond the groups: everything at once, at random, and nobody may be forgotten."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from supervisor_tree import (
    Actor,
    ActorRef,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    NoProc,
    Reply,
    Restart,
    RestartIntensityExceeded,
    Strategy,
    SupervisionError,
    Supervisor,
    open_tree,
)
from supervisor_tree.testing import Boom, assert_no_tasks_left, crash, running

CALL_TIMEOUT_S = 5.0


class Stormy(Actor):
    """Does many things, some of them badly."""

    mailbox_size = 3
    call_timeout = CALL_TIMEOUT_S

    def __init__(self, chance: random.Random, peers: list[ActorRef[Any]]) -> None:
        self.chance = chance
        self.peers = peers
        self.kept: list[Reply[int]] = []

    async def on_start(self) -> None:
        """Start, mostly."""
        await trio.sleep(self.chance.choice([0, 0, 0.1]))
        if self.chance.random() < 0.1:
            raise Boom
        self.every(0.7, self.work, 0.01)

    async def work(self, seconds: float) -> None:
        """Take a while, or crash."""
        await trio.sleep(seconds)
        if self.chance.random() < 0.05:
            raise Boom

    async def call_peer(self) -> None:
        """Call somebody."""
        with trio.move_on_after(1):
            await self.chance.choice(self.peers).call(Stormy.work, 0.1)

    async def keep(self, reply: Reply[int]) -> None:
        """Answer late, or never."""
        self.kept = [*self.kept[-2:], reply]
        if self.chance.random() < 0.5:
            self.nursery.start_soon(self.answer, reply)

    async def answer(self, reply: Reply[int]) -> None:
        """Answer."""
        await trio.sleep(0.2)
        reply.send(1)


async def act(chance: random.Random, sup: Supervisor, refs: list[ActorRef[Any]]) -> None:
    """Do one random thing, whatever comes of it."""
    ref = chance.choice(refs)
    child = chance.choice("abcd")
    deeds: list[Any] = [
        partial(ref.call, Stormy.work, 0.3),
        partial(ref.call, Stormy.work, 30.0),
        partial(ref.call, Stormy.call_peer),
        partial(ref.call_deferred, Stormy.keep),
        partial(ref.send, Stormy.work, 0.1),
        ref.stop,
        ref.wait_exit,
        partial(sup.terminate_child, child),
        partial(sup.restart_child, child),
        partial(sup.restart_child, child),
    ]
    began = trio.current_time()
    deed = chance.choice(deeds)
    limited = deed in deeds[:4]
    try:
        with trio.move_on_after(1000 if limited else chance.choice([0.2, 3.0])):
            await deed()
    except SupervisionError:
        pass
    # In each phase a call may wait for its timeout once: for an incarnation, or for its reply.
    assert not limited or trio.current_time() - began <= CALL_TIMEOUT_S + 0.001
    roll = chance.random()
    if roll < 0.1:
        ref.kill()
    elif roll < 0.2:
        with suppress(NoProc):
            crash(ref)


async def actor_of_the_storm(
    chance: random.Random, sup: Supervisor, refs: list[ActorRef[Any]]
) -> None:
    """Act for a while."""
    for _ in range(25):
        await trio.sleep(chance.random())
        await act(chance, sup, refs)


@pytest.mark.parametrize("seed", range(30))
async def test_storm(seed: int) -> None:
    """Every call ends in time, every tree ends in order, whatever happens to them."""
    chance = random.Random(seed)  # noqa: S311  # a seed, no secret
    refs: list[ActorRef[Any]] = []
    backoff = chance.choice([None, Backoff(initial=0.5, maximum=2)])
    sup = Supervisor(
        *(
            ChildSpec(
                child_id,
                partial(Stormy, chance, refs),
                backoff=backoff,
                shutdown=1,
                restart=chance.choice([Restart.PERMANENT, Restart.TRANSIENT]),
            )
            for child_id in "abcd"
        ),
        strategy=chance.choice(list(Strategy)),
        max_restarts=chance.choice([5, 10**6]),
    )
    root = Supervisor(
        ChildSpec("inner", lambda: sup, backoff=Backoff(initial=0.1)), max_restarts=10**6
    )
    try:
        async with open_tree(root):
            refs.extend(child.ref for child in sup.which_children())
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(actor_of_the_storm, chance, sup, refs)
            leaving = trio.current_time()
        assert trio.current_time() - leaving <= 4 * (1 + 5) + 1
    except (SupervisionError, RestartIntensityExceeded):
        # A tree that never came up, since its first start is as stormy.
        assert not refs
    assert_no_tasks_left()


async def test_storm_of_dynamic_children() -> None:
    """Dynamic children that come and go concurrently leave nothing."""
    chance = random.Random(7)  # noqa: S311  # a seed, no secret
    dynamic = DynamicSupervisor(max_restarts=10**6)

    async def come_and_go() -> None:
        for _ in range(20):
            with trio.move_on_after(chance.choice([0.0, 0.05, 10])):
                try:
                    ref = await dynamic.start_child(partial(Stormy, chance, []))
                    await trio.sleep(chance.random())
                    await dynamic.terminate_child(ref)
                except SupervisionError:
                    await trio.lowlevel.checkpoint()

    async with running(Supervisor(ChildSpec("dynamic", lambda: dynamic))):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(come_and_go)
        for child in dynamic.which_children():
            await dynamic.terminate_child(child.ref)
        assert dynamic.which_children() == []
