"""A1 and A6: actors that crash, once or for ever, while requests go on as if nothing were.

A4 is about RabbitMQ, and S5 about alerts; this node has neither yet.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from cortexd.runtime.application import Application
from cortexd.runtime.supervision import DOORS
from supervisor_tree import (
    Actor,
    ChildStarted,
    ChildStarting,
    Escalated,
    Event,
    RestartIntensityExceeded,
    task,
    whereis,
)
from supervisor_tree.slot import Slot
from supervisor_tree.testing import Boom, crash, events_of
from tests.faults.actors_under_load import (
    ACTORS,
    CONFIG,
    check_restarted,
    each_actor,
    handle,
    under_load,
)
from tests.faults.virtual_node import VirtualNode, running_node

HANGS_S: Final = 10.0
CRASH_LOOP_S: Final = 30.0
STORM: Final = 100
STORM_S: Final = 20.0
HEALED_S: Final = 40.0
"""Longer than the longest pause between two restarts of an engine, 30 s and its jitter."""


async def _raise(actor: Actor) -> None:
    raise Boom


async def _until_restarted(node: VirtualNode, path: str, restarts: int) -> None:
    with trio.fail_after(HANGS_S):
        while node.incarnations()[path] != restarts + 1:  # noqa: ASYNC110  time is virtual
            await trio.sleep(0.01)


async def test_a1_to_a3_know_all_actors(tmp_path: Path) -> None:
    """Whoever has a mailbox is crashed, hung and drowned here."""
    async with running_node(tmp_path, CONFIG) as node:
        assert set(_with_mailbox(node.tree.root)) == set(ACTORS)


def _with_mailbox(slot: Slot) -> Iterator[str]:
    if slot.incarnation is not None and slot.incarnation.mailbox is not None:
        yield slot.path
    for child in slot.children.values():
        yield from _with_mailbox(child)


@each_actor
async def test_a1_an_actor_that_raises_once(tmp_path: Path, path: str) -> None:
    """It is restarted, and nobody who started before it."""
    async with under_load(tmp_path) as node:
        whereis(ACTORS[path]).cast(_raise)
        await _until_restarted(node, path, 1)
        await whereis(ACTORS[path]).call(handle)
        await trio.sleep(1)
        check_restarted(node, path, 1)


@each_actor
async def test_a1_an_actor_that_raises_on_every_third_message(tmp_path: Path, path: str) -> None:
    """Each crash costs the messages behind it, and nothing else."""
    async with under_load(tmp_path) as node:
        ref = whereis(ACTORS[path])
        for crashes in range(10):
            await ref.call(handle)
            await ref.call(handle)
            ref.cast(_raise)
            await _until_restarted(node, path, crashes + 1)
        await ref.call(handle)
        check_restarted(node, path, 10)


@pytest.mark.slow
@each_actor
async def test_a1_an_actor_that_always_raises(tmp_path: Path, path: str) -> None:
    """It is tried again for ever, ever more rarely up to a limit, and is well when it can be."""
    async with under_load(tmp_path) as node:

        def crash_again(event: Event) -> None:
            if isinstance(event, ChildStarted) and event.path == path and is_cursed:
                whereis(ACTORS[path]).cast(_raise)

        is_cursed = True
        node.tree.add_hook(crash_again)
        whereis(ACTORS[path]).cast(_raise)
        await trio.sleep(CRASH_LOOP_S)
        # Twice a second, give or take the jitter, once the first few have gone by.
        assert CRASH_LOOP_S < node.incarnations()[path] < CRASH_LOOP_S * 3
        is_cursed = False
        await trio.sleep(1)
        last = node.incarnations()[path]
        await whereis(ACTORS[path]).call(handle)
        await trio.sleep(CRASH_LOOP_S)
        assert node.incarnations()[path] == last
        check_restarted(node, path, last - 1)


async def test_a1_doors_that_always_crash_escalate(tmp_path: Path) -> None:
    """A node without doors is of no use: after three restarts in five seconds it gives up."""
    with pytest.raises(RestartIntensityExceeded) as caught:
        async with running_node(tmp_path, CONFIG):
            for _ in range(4):
                doors = whereis(DOORS).started_value
                (door,) = [each for each in doors.which_children() if each.id == "data-door"]
                await crash(door.ref)
                await trio.sleep(0.1)
    assert caught.value.child_id == "doors"


@pytest.mark.slow
async def test_a6_a_hundred_children_crash_at_once_and_again(tmp_path: Path) -> None:
    """The restarts spread, the branch gives up and is tried anew; no other branch is touched."""
    is_stormy = False

    async def engine() -> None:
        while not is_stormy:  # noqa: ASYNC110  it is set for all at once
            await trio.sleep(0.5)
        raise Boom

    def with_engines(app: Application) -> Application:
        engines = {f"engine-{n}": task(engine) for n in range(STORM)}
        return attrs.evolve(app, pool=attrs.evolve(app.pool, engines=engines))

    async with under_load(tmp_path, adapt=with_engines) as node:
        events = events_of(node.tree)
        is_stormy = True
        await trio.sleep(STORM_S)
        is_stormy = False
        starts = [event for event in events if isinstance(event, ChildStarting)]
        await trio.sleep(HEALED_S)
        engines = [each for each in node.snapshots() if "/engine-" in each.path]
        assert [each.state for each in engines] == ["running"] * STORM
    assert {event.path for event in events if isinstance(event, Escalated)} == {"root/engines"}
    # A hundred at a time to begin with, then each at a time of its own, and ever more rarely.
    late = [event.time for event in starts if event.time > starts[0].time + STORM_S / 2]
    assert len(starts) < 10 * STORM
    assert len(set(late)) > 0.9 * len(late)
    assert len(late) < 2 * STORM
