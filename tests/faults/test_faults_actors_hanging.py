"""A2 and A3: actors that are busy, hang or drown, while requests go on as if nothing were."""

from pathlib import Path
from typing import Final

import trio
from trio.testing import wait_all_tasks_blocked

from supervisor_tree import Actor, MailboxFull, whereis
from tests.faults.actors_under_load import (
    ACTORS,
    CONFIG,
    check_restarted,
    each_actor,
    handle,
    look,
    under_load,
)
from tests.faults.virtual_node import running_node

BLOCKED_S: Final = 2.0
RESTART_S_MAX: Final = 10.0
SHIELDED_S: Final = 3.0


async def _hang(actor: Actor) -> None:
    await trio.sleep_forever()


async def _put_off(actor: Actor) -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(SHIELDED_S)


async def _hang_shielded(actor: Actor) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(RESTART_S_MAX + SHIELDED_S / 2)


async def _block(actor: Actor) -> None:
    await trio.sleep(BLOCKED_S)


@each_actor
async def test_a2_no_request_waits_for_a_mailbox(tmp_path: Path, path: str) -> None:
    """While an actor is busy for two seconds, every answer takes as long as it always does."""
    async with under_load(tmp_path) as node:
        whereis(ACTORS[path]).cast(_block)
        await trio.sleep(BLOCKED_S / 2)
        assert look(node, path).handler_age is not None
        await trio.sleep(BLOCKED_S)
        assert node.incarnations()[path] == 1


async def test_a2_no_request_waits_for_all_mailboxes(tmp_path: Path) -> None:
    """Nor where none of the actors is there for anybody."""
    async with under_load(tmp_path) as node:
        for name in ACTORS.values():
            whereis(name).cast(_block)
        await trio.sleep(BLOCKED_S / 2)
        assert all(look(node, path).handler_age is not None for path in ACTORS)
        await trio.sleep(BLOCKED_S)
        assert {node.incarnations()[path] for path in ACTORS} == {1}


@each_actor
async def test_a2_an_actor_that_hangs_or_puts_off_its_end(tmp_path: Path, path: str) -> None:
    """It is killed, and runs again, within ten seconds."""
    async with under_load(tmp_path) as node:
        for restarts, hang in enumerate((_hang, _put_off), start=1):
            whereis(ACTORS[path]).cast(hang)
            await trio.sleep(RESTART_S_MAX)
            with trio.fail_after(1):
                await whereis(ACTORS[path]).call(handle)
            check_restarted(node, path, restarts)


@each_actor
async def test_a2_every_actor_has_a_limit(tmp_path: Path, path: str) -> None:
    """It is short enough for an actor that hangs to run again within ten seconds."""
    async with running_node(tmp_path, CONFIG) as node:
        whereis(ACTORS[path]).cast(_hang)
        await trio.sleep(RESTART_S_MAX)
        assert node.incarnations()[path] == 2


@each_actor
async def test_a2_an_actor_that_will_not_be_cancelled(tmp_path: Path, path: str) -> None:
    """It is left behind, and another one takes its place; its late end changes nothing."""
    async with under_load(tmp_path) as node:
        whereis(ACTORS[path]).cast(_hang_shielded)
        await trio.sleep(RESTART_S_MAX)
        await wait_all_tasks_blocked()
        check_restarted(node, path, 1)
        with trio.fail_after(1):
            await whereis(ACTORS[path]).call(handle)
        await trio.sleep(SHIELDED_S)
        check_restarted(node, path, 1)


@each_actor
async def test_a3_a_full_mailbox(tmp_path: Path, path: str) -> None:
    """What no longer fits is refused, however much it is; once there is room, all goes on."""
    async with under_load(tmp_path) as node:
        ref = whereis(ACTORS[path])
        ref.cast(_block)
        await trio.sleep(BLOCKED_S / 4)
        refused = 0
        for _ in range(3 * Actor.mailbox_size):
            try:
                ref.cast(handle)
            except MailboxFull:
                refused += 1
        assert refused >= 2 * Actor.mailbox_size
        assert look(node, path).mailbox_depth == Actor.mailbox_size
        # Those who would tell it something meanwhile may crash over it; they come back.
        await trio.sleep(BLOCKED_S)
        with trio.fail_after(1):
            for name in ACTORS.values():
                await whereis(name).call(handle)
        checked_at = node.app.pool.view.value.members[0].health.checked_at or 0.0
        await trio.sleep(BLOCKED_S)
        assert (node.app.pool.view.value.members[0].health.checked_at or 0.0) > checked_at
        assert look(node, path).mailbox_depth == 0
        assert node.incarnations()["root/workers"] == 1
