"""The client keys of several nodes, over something shared that comes and goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import pytest
import trio

from cortexd.actors.client_keys import (
    CLIENT_KEYS,
    KEYS_MAX,
    SHARE_S,
    TICK_S,
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
    KeyRecords,
    KeySource,
    KeyState,
)
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import ClientKeyChanged, Event
from cortexd.domain.secret import Secret
from cortexd.policy.client_keys import HeldKey, KeyTable, Rejected, Rejection, find_key
from cortexd.policy.rate_limit import LimitSettings
from cortexd.ports import KeptKeys
from supervisor_tree import ChildSpec, Supervisor, whereis
from supervisor_tree.testing import crash, running

NOW_S: Final = 1_800_000_000.0
PEPPER: Final = Secret("pepper")
FROM_FILE: Final = ClientKey(
    id=ClientKeyId("fromfile"), digest=KeyDigest("0" * 64), source=KeySource.CONFIG
)
OTHERS: Final = ClientKey(id=ClientKeyId("othersid"), digest=KeyDigest("1" * 64))


@attrs.define
class Disk:
    """Keeps keys, if it is well."""

    keys: list[ClientKey] = attrs.Factory(list)
    revoked_at: dict[ClientKeyId, Instant] = attrs.Factory(dict)

    async def load(self) -> KeptKeys:
        await trio.lowlevel.checkpoint()
        return KeptKeys(keys=tuple(self.keys), revoked_at=dict(self.revoked_at))

    async def add(self, key: ClientKey) -> None:
        await trio.lowlevel.checkpoint()
        self.keys.append(key)

    async def revoke(self, key_id: ClientKeyId, at: Instant) -> None:
        await trio.lowlevel.checkpoint()
        self.revoked_at[key_id] = at

    async def note_uses(self, uses: object) -> None:
        await trio.lowlevel.checkpoint()


@attrs.define
class Shared:
    """What all nodes have been told; `told`: how often somebody did."""

    is_there: bool = True
    records: KeyRecords = attrs.Factory(KeyRecords)
    version: int = 0
    told: int = 0

    async def changed_since(self, version: str | None) -> tuple[str, KeyRecords] | None:
        await self._turn()
        current = str(self.version)
        return None if version == current else (current, self.records)

    async def tell(self, news: KeyRecords) -> None:
        await self._turn()
        self.told += 1
        self.others_tell(news)

    def others_tell(self, news: KeyRecords) -> None:
        """Another node has told something."""
        self.version += 1
        self.records = KeyRecords(
            created={**self.records.created, **news.created},
            revoked_at={**self.records.revoked_at, **news.revoked_at},
        )

    def forget(self) -> None:
        """Start again with nothing."""
        self.version, self.records = self.version + 100, KeyRecords()

    async def _turn(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self.is_there:
            raise SharedStoreFailed("gone")


@attrs.define(eq=False)
class Rig:
    """One node, and what all share."""

    shared: Shared = attrs.Factory(Shared)
    disk: Disk = attrs.Factory(Disk)
    events: list[Event] = attrs.Factory(list)
    table: Published[KeyTable] = attrs.Factory(lambda: Published(KeyTable(is_complete=False)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The actor under a supervisor of its own."""
        parts = ClientKeyParts(
            table=self.table,
            store=self.disk,
            configured=lambda: ([FROM_FILE], LimitSettings()),
            pepper=PEPPER,
            wall_clock=lambda: NOW_S,
            emit=self.events.append,
            shared=self.shared,
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

    def state(self, key_id: ClientKeyId) -> KeyState | None:
        """How a key stands here; `None` if there is none."""
        held = self.table.value.keys.get(key_id)
        return None if held is None else held.key.state(NOW_S)


@pytest.fixture
def rig() -> Rig:
    """The surroundings."""
    return Rig()


async def test_what_is_done_here_is_told_at_once(rig: Rig) -> None:
    """No other node has to wait for more than its own next look."""
    async with rig.running():
        new = await rig.make(requests_per_minute=5)
        await rig.revoke(FROM_FILE.id)
        await trio.testing.wait_all_tasks_blocked()
        assert rig.shared.records.created == {new.key.id: new.key}
        assert rig.shared.records.revoked_at == {FROM_FILE.id: NOW_S}


async def test_what_others_did_holds_here_within_a_second(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """A key opens, a revoked one does not; both are kept, told in the log, and told once."""
    async with rig.running():
        await trio.sleep(10.0)
        news = KeyRecords(created={OTHERS.id: OTHERS}, revoked_at={FROM_FILE.id: Instant(7.0)})
        rig.shared.others_tell(news)
        await trio.sleep(SHARE_S + 0.01)
        assert rig.state(OTHERS.id) is KeyState.ACTIVE
        assert rig.state(FROM_FILE.id) is KeyState.REVOKED
        await trio.sleep(2 * TICK_S)
    assert rig.disk.keys == [OTHERS]
    assert rig.disk.revoked_at == {FROM_FILE.id: 7.0}
    changes = [event for event in rig.events if isinstance(event, ClientKeyChanged)]
    assert [(each.key_id, each.state) for each in changes] == [
        (OTHERS.id, "active"),
        (FROM_FILE.id, "revoked"),
    ]
    assert rig.shared.told == 0, "they know it"


async def test_what_is_done_alone_is_told_later(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """It holds here at once, and everywhere once the others are there again."""
    rig.shared.is_there = False
    async with rig.running():
        new = await rig.make()
        assert isinstance(rig.find(new), HeldKey)
        await rig.revoke(new.key.id)
        assert rig.find(new) == Rejected(Rejection.REVOKED, new.key.id)
        await trio.sleep(60.0)
        assert not rig.shared.records
        rig.shared.is_there = True
        await trio.sleep(SHARE_S + 0.01)
        assert rig.shared.records.revoked_at == {new.key.id: NOW_S}
        assert rig.shared.records.created.keys() == {new.key.id}
        await trio.sleep(10.0)
    assert rig.shared.told == 1


async def test_a_node_that_was_away_catches_up(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Also one that starts without the others: it goes by what it has kept."""
    rig.disk.keys.append(OTHERS)
    rig.shared.others_tell(KeyRecords(revoked_at={OTHERS.id: Instant(7.0)}))
    rig.shared.is_there = False
    async with rig.running():
        assert rig.table.value.is_complete
        await trio.sleep(5.0)
        assert rig.state(OTHERS.id) is KeyState.ACTIVE
        rig.shared.is_there = True
        await trio.sleep(SHARE_S + 0.01)
        assert rig.state(OTHERS.id) is KeyState.REVOKED


async def test_what_is_forgotten_there_is_told_again(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Also what another node had told: any of them may be the only one left."""
    async with rig.running():
        new = await rig.make()
        rig.shared.others_tell(KeyRecords(revoked_at={FROM_FILE.id: Instant(7.0)}))
        await trio.sleep(2.0)
        rig.shared.forget()
        await trio.sleep(SHARE_S + 0.01)
        assert rig.shared.records == KeyRecords(
            created={new.key.id: new.key}, revoked_at={FROM_FILE.id: Instant(7.0)}
        )


async def test_a_crash_forgets_nothing(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """Neither what was heard and not kept yet, nor what was not told yet."""
    async with rig.running():
        rig.shared.others_tell(KeyRecords(created={OTHERS.id: OTHERS}))
        await trio.sleep(SHARE_S + 0.01)
        rig.shared.is_there = False
        await rig.revoke(FROM_FILE.id)
        assert rig.disk.keys == []
        await crash(whereis(CLIENT_KEYS))
        await trio.sleep(5.0)
        assert rig.state(OTHERS.id) is KeyState.ACTIVE
        assert rig.disk.keys == [OTHERS]
        rig.shared.is_there = True
        await trio.sleep(SHARE_S + 0.01)
        assert rig.shared.records.revoked_at == {FROM_FILE.id: NOW_S}


async def test_no_more_than_a_node_keeps(rig: Rig, autojump_clock: trio.testing.MockClock) -> None:
    """Whatever others say."""
    ids = [ClientKeyId(f"{number:08d}") for number in range(KEYS_MAX + 5)]
    news = KeyRecords(created={each: attrs.evolve(OTHERS, id=each) for each in ids})
    rig.shared.others_tell(news)
    async with rig.running():
        await trio.sleep(SHARE_S)
        assert len(rig.table.value.keys) == KEYS_MAX
