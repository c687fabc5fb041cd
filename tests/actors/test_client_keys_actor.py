"""The keeper of the client keys, and what it does when the disk does not do its part."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import pytest
import trio

from cortexd.actors.client_keys import (
    CLIENT_KEYS,
    NOTE_USES_S,
    TICK_S,
    ClientKeyNotFound,
    ClientKeyParts,
    ClientKeys,
)
from cortexd.actors.new_client_key import KeyWishes, NewKey
from cortexd.actors.published import Published
from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyDigest,
    KeySource,
    KeyState,
    read_key,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import StorageFailed
from cortexd.domain.events import ClientKeyChanged, Event
from cortexd.domain.secret import Secret
from cortexd.policy.client_keys import HeldKey, KeyTable, Rejected, find_key
from cortexd.policy.rate_limit import LimitSettings
from cortexd.ports import KeptKeys
from supervisor_tree import ChildSpec, Supervisor, whereis
from supervisor_tree.testing import crash, running

NOW_S: Final = 1_800_000_000.0
PEPPER: Final = Secret("pepper")
FROM_FILE: Final = ClientKey(
    id=ClientKeyId("fromfile"), digest=KeyDigest("0" * 64), source=KeySource.CONFIG
)


@attrs.define
class Disk:
    """Keeps keys, fails, or does not answer, as the test says."""

    kept: KeptKeys = attrs.Factory(KeptKeys)
    fails: bool = False
    answers_after_s: float = 0.0
    noted: list[Mapping[ClientKeyId, Instant]] = attrs.Factory(list)

    async def _turn(self) -> None:
        await trio.sleep(self.answers_after_s)
        if self.fails:
            raise StorageFailed("the disk is full")

    async def load(self) -> KeptKeys:
        """All there is."""
        await self._turn()
        return self.kept

    async def add(self, key: ClientKey) -> None:
        """Keep a new key."""
        await self._turn()
        self.kept = attrs.evolve(self.kept, keys=(*self.kept.keys, key))

    async def revoke(self, key_id: ClientKeyId, at: Instant) -> None:
        """Keep that a key opens nothing any more."""
        await self._turn()
        revoked_at = {**self.kept.revoked_at, key_id: at}
        self.kept = attrs.evolve(self.kept, revoked_at=revoked_at)

    async def note_uses(self, uses: Mapping[ClientKeyId, Instant]) -> None:
        """Keep when keys were last used."""
        await self._turn()
        self.noted.append(uses)


@attrs.define(eq=False)
class Rig:
    """The actor's surroundings, which outlive it."""

    disk: Disk = attrs.Factory(Disk)
    configured: list[ClientKey] = attrs.Factory(list)
    limits: LimitSettings = attrs.Factory(LimitSettings)
    events: list[Event] = attrs.Factory(list)
    table: Published[KeyTable] = attrs.Factory(lambda: Published(KeyTable(is_complete=False)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The actor under a supervisor of its own."""
        parts = ClientKeyParts(
            table=self.table,
            store=self.disk,
            configured=lambda: (self.configured, self.limits),
            pepper=PEPPER,
            wall_clock=lambda: NOW_S,
            emit=self.events.append,
        )
        spec = ChildSpec("it", lambda: ClientKeys(parts), name=CLIENT_KEYS)
        async with running(Supervisor(spec)):
            yield

    async def make(self, **wishes: Any) -> NewKey:
        """A new key."""
        return await whereis(CLIENT_KEYS).call_deferred(ClientKeys.create, KeyWishes(**wishes))

    async def revoke(self, key_id: ClientKeyId) -> HeldKey:
        """The end of a key."""
        return await whereis(CLIENT_KEYS).call_deferred(ClientKeys.revoke, key_id)

    def find(self, key: NewKey) -> HeldKey | Rejected:
        """What a door makes of it."""
        return find_key(self.table.value, key.text.reveal(), pepper=PEPPER, now=NOW_S)

    def opens(self, key: NewKey) -> bool:
        """Whether it opens a door."""
        return isinstance(self.find(key), HeldKey)


@pytest.fixture
def rig() -> Rig:
    """With a disk that is well."""
    return Rig()


async def test_a_key_that_is_made_opens_doors_and_is_kept(rig: Rig) -> None:
    """By the time its maker is told; its text is nowhere but in the answer."""
    async with rig.running():
        new = await rig.make(name="web", criticality=Criticality.PREMIUM, expires_in_s=60.0)
        assert rig.opens(new)
        assert rig.disk.kept.keys == (new.key,)
        assert new.key.expires_at == NOW_S + 60.0
        parts = read_key(new.text.reveal())
        assert parts is not None
        assert parts.id == new.key.id
        assert rig.events == [ClientKeyChanged(key_id=new.key.id, state="active")]


async def test_a_key_that_cannot_be_kept_is_not_made(rig: Rig) -> None:
    """Nobody has a key that the next start has forgotten."""
    async with rig.running():
        rig.disk.fails = True
        with pytest.raises(StorageFailed):
            await rig.make()
        assert rig.table.value.keys == {}
        assert rig.events == []


async def test_a_revoked_key_opens_nothing_whatever_the_disk_says(rig: Rig) -> None:
    """At once; the operator learns that it is not kept, and it is tried until it is."""
    async with rig.running():
        new = await rig.make()
        rig.disk.fails = True
        with pytest.raises(StorageFailed):
            await rig.revoke(new.key.id)
        assert not rig.opens(new)
        rig.disk.fails = False
        await trio.sleep(2 * TICK_S)
        assert rig.disk.kept.revoked_at == {new.key.id: NOW_S}


async def test_a_key_is_revoked_while_the_disk_hangs(rig: Rig) -> None:
    """Neither a slow key before it nor a disk that does not answer keeps it open."""
    async with rig.running(), trio.open_nursery() as nursery:
        new = await rig.make()
        rig.disk.answers_after_s = 4.0
        nursery.start_soon(rig.make)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(rig.revoke, new.key.id)
        await trio.testing.wait_all_tasks_blocked()
        assert not rig.opens(new)


async def test_revoking_twice_is_no_error_and_once_an_event(rig: Rig) -> None:
    """The first moment stays."""
    async with rig.running():
        new = await rig.make()
        first = await rig.revoke(new.key.id)
        assert (await rig.revoke(new.key.id)).key == first.key
        states = [event.state for event in rig.events if isinstance(event, ClientKeyChanged)]
        assert states == [KeyState.ACTIVE.value, KeyState.REVOKED.value]


async def test_a_key_that_is_not_there_cannot_be_revoked(rig: Rig) -> None:
    """And that is told apart from success."""
    async with rig.running():
        with pytest.raises(ClientKeyNotFound):
            await rig.revoke(ClientKeyId("nothere0"))


async def test_keys_of_the_configuration_are_revoked_for_good(rig: Rig) -> None:
    """Also in the next incarnation, and when the configuration is read again."""
    rig.configured = [FROM_FILE]
    async with rig.running():
        assert rig.table.value.is_complete
        await rig.revoke(FROM_FILE.id)
        await crash(whereis(CLIENT_KEYS))
        assert await whereis(CLIENT_KEYS).call(ClientKeys.list)
        whereis(CLIENT_KEYS).cast(ClientKeys.refresh)
        [held] = await whereis(CLIENT_KEYS).call(ClientKeys.list)
        assert held.key.state(NOW_S) is KeyState.REVOKED


async def test_a_crash_forgets_nothing_also_without_a_disk(rig: Rig) -> None:
    """What the doors know they keep, whoever looks after it."""
    async with rig.running():
        kept, ended = await rig.make(), await rig.make()
        rig.disk.fails = True
        with pytest.raises(StorageFailed):
            await rig.revoke(ended.key.id)
        await crash(whereis(CLIENT_KEYS))
        assert (rig.opens(kept), rig.opens(ended)) == (True, False)
        await whereis(CLIENT_KEYS).call(ClientKeys.list)
        assert (rig.opens(kept), rig.opens(ended)) == (True, False)
        rig.disk.fails = False
        await trio.sleep(2 * TICK_S)
        assert rig.disk.kept.revoked_at == {ended.key.id: NOW_S}


async def test_keys_are_read_when_the_disk_is_there(rig: Rig) -> None:
    """Until then the table says that it is not complete; those of the configuration are in it."""
    maker = Rig()
    async with maker.running():
        new = await maker.make()
    rig.disk.kept, rig.configured, rig.disk.fails = maker.disk.kept, [FROM_FILE], True
    async with rig.running():
        await trio.sleep(5 * TICK_S)
        assert (rig.table.value.is_complete, rig.opens(new)) == (False, False)
        assert FROM_FILE.id in rig.table.value.keys
        rig.disk.fails = False
        await trio.sleep(2 * TICK_S)
        assert (rig.table.value.is_complete, rig.opens(new)) == (True, True)


async def test_a_disk_that_hangs_holds_up_no_start(rig: Rig) -> None:
    """The node starts in a few seconds, with what it knows."""
    rig.disk.answers_after_s = 1000.0
    rig.configured = [FROM_FILE]
    began_at = trio.current_time()
    async with rig.running():
        assert trio.current_time() - began_at < 4.0
        assert FROM_FILE.id in rig.table.value.keys


async def test_keys_that_were_lost_leave_the_table_incomplete(rig: Rig) -> None:
    """A damaged file opens no doors."""
    rig.disk.kept = KeptKeys(is_whole=False)
    async with rig.running():
        await trio.sleep(3 * TICK_S)
        assert rig.table.value.has_chat_keys


async def test_new_limits_are_taken_over(rig: Rig) -> None:
    """When the configuration has been read again."""
    async with rig.running():
        new = await rig.make()
        rig.limits = LimitSettings(normal_requests_per_minute=5)
        whereis(CLIENT_KEYS).cast(ClientKeys.refresh)
        await whereis(CLIENT_KEYS).call(ClientKeys.list)
        assert rig.table.value.keys[new.key.id].allowance.limits == (5, None)


async def test_when_a_key_was_used_is_kept_now_and_then(rig: Rig) -> None:
    """Once a minute and only what is news; a disk that refuses it is asked again."""
    async with rig.running():
        new = await rig.make()
        found = rig.find(new)
        assert isinstance(found, HeldKey)
        found.last_used_at = Instant(NOW_S)
        rig.disk.fails = True
        await trio.sleep(NOTE_USES_S + 3 * TICK_S)
        rig.disk.fails = False
        await trio.sleep(3 * NOTE_USES_S)
        assert rig.disk.noted == [{new.key.id: NOW_S}]


class SlowReader(Disk):
    """Tells what there was when it was asked, a good while later."""

    async def load(self) -> KeptKeys:
        """All there is."""
        await self._turn()
        kept = self.kept
        await trio.sleep(1.0)
        return kept


async def test_a_key_that_is_made_while_the_disk_is_read_stays() -> None:
    """What was read is older than the key."""
    rig = Rig(disk=SlowReader(fails=True))
    async with rig.running():
        rig.disk.fails = False
        await trio.sleep(TICK_S + 0.5)
        new = await rig.make()
        assert not rig.table.value.is_complete
        await trio.sleep(1.0)
        assert rig.table.value.is_complete
        assert isinstance(rig.find(new), HeldKey)
