"""Client keys on disk."""

from pathlib import Path

import pytest

from cortexd.domain.client_key import ClientKey, ClientKeyId, Instant, KeyDigest, KeyScope
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import StorageFailed
from cortexd.ports import KeptKeys
from cortexd.storage.client_keys import MIGRATIONS, UNREADABLE, StoredClientKeys
from cortexd.storage.database import Database

pytestmark = pytest.mark.real_time

KEY = ClientKey(
    id=ClientKeyId("abcd1234"),
    digest=KeyDigest("0a" * 32),
    name="o'hara; DROP TABLE client_keys",
    criticality=Criticality.PREMIUM,
    scope=KeyScope.METRICS,
    requests_per_minute=10,
    tokens_per_minute=1000,
    created_at=Instant(1.5),
    expires_at=Instant(2.5),
)
BARE = ClientKey(id=ClientKeyId("efgh5678"), digest=KeyDigest("0b" * 32), created_at=Instant(2.0))


def _store(path: Path) -> StoredClientKeys:
    return StoredClientKeys(Database(path, MIGRATIONS), path)


async def test_all_of_a_key_is_kept(tmp_path: Path) -> None:
    """With its end and its last use, for those who open the file anew."""
    path = tmp_path / "keys.db"
    store = _store(path)
    await store.add(KEY)
    await store.add(BARE)
    await store.revoke(KEY.id, Instant(7.0))
    await store.revoke(KEY.id, Instant(8.0))
    await store.note_uses({KEY.id: Instant(3.0)})
    await store.note_uses({KEY.id: Instant(4.0), ClientKeyId("fromfile"): Instant(5.0)})
    await store.database.aclose()
    again = _store(path)
    assert await again.load() == KeptKeys(
        keys=(KEY, BARE),
        revoked_at={KEY.id: Instant(7.0)},
        last_used_at={KEY.id: Instant(4.0), ClientKeyId("fromfile"): Instant(5.0)},
    )
    await again.database.aclose()
    assert path.stat().st_mode & 0o077 == 0


async def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    """Not even to a key that is revoked."""
    store = _store(tmp_path / "keys.db")
    await store.add(KEY)
    with pytest.raises(StorageFailed):
        await store.add(KEY)
    await store.database.aclose()


async def test_a_node_without_keys_has_no_file(tmp_path: Path) -> None:
    """Nothing that could be locked, full or damaged."""
    store = _store(tmp_path / "keys.db")
    assert await store.load() == KeptKeys()
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240  a folder in memory


async def test_a_file_that_was_damaged_is_remembered(tmp_path: Path) -> None:
    """Its keys are gone, and the doors must know, now and after the next start."""
    path = tmp_path / "keys.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    store = _store(path)
    assert await store.load() == KeptKeys(is_whole=False)
    await store.add(BARE)
    assert (await store.load()).is_whole
    await store.database.aclose()


async def test_a_file_that_is_gone_after_damage_is_no_fresh_start(tmp_path: Path) -> None:
    """As long as the damaged one lies there."""
    (tmp_path / "keys.db.corrupt-20260101").touch()
    store = _store(tmp_path / "keys.db")
    assert await store.load() == KeptKeys(is_whole=False)


async def test_a_damaged_row_costs_nobody_else_their_key(tmp_path: Path) -> None:
    """The others are read, and operators are told that they are not all."""
    store = _store(tmp_path / "keys.db")
    await store.add(KEY)
    await store.add(BARE)
    await store.database.write(
        lambda connection: connection.execute(
            "UPDATE client_keys SET class = 'royal' WHERE id = ?", (KEY.id,)
        )
    )
    assert await store.load() == KeptKeys(keys=(BARE,), is_whole=False)
    assert store.database.trouble == UNREADABLE
    await store.database.write(
        lambda connection: connection.execute("UPDATE client_keys SET class = 'premium'")
    )
    assert (await store.load()).is_whole
    assert store.database.trouble is None
    await store.database.aclose()
