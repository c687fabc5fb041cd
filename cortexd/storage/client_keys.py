"""The client keys that the node has made, in a file of their own: `STATE/keys.db`.

No key is in it, only what tells a right one. What is revoked stays, so that a key of the
configuration can be revoked as well, and no id ever means another key.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from cortexd.domain.client_key import ClientKey, ClientKeyId, Instant, KeyDigest, KeyScope
from cortexd.domain.criticality import Criticality
from cortexd.ports import KeptKeys
from cortexd.storage.database import Database

MIGRATIONS: Final = (
    """
    CREATE TABLE client_keys (
        id TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        name TEXT NOT NULL,
        class TEXT NOT NULL,
        scope TEXT NOT NULL,
        requests_per_minute INTEGER,
        tokens_per_minute INTEGER,
        created_at REAL NOT NULL,
        expires_at REAL
    ) STRICT;
    CREATE TABLE revocations (id TEXT PRIMARY KEY, revoked_at REAL NOT NULL) STRICT;
    CREATE TABLE uses (id TEXT PRIMARY KEY, last_used_at REAL NOT NULL) STRICT;
    """,
)

UNREADABLE: Final = "a key in it cannot be read, and opens nothing"
"""What operators are told of one that is damaged, or of a newer cortexd."""

_COLUMNS: Final = (
    "id, digest, name, class, scope, requests_per_minute, tokens_per_minute, created_at, expires_at"
)


@attrs.frozen
class StoredClientKeys:
    """The port `ClientKeyStore` on a database, whose file is `path`.

    There is no such file before the first key is made: a node that needs no keys needs no disk
    for them, and its clients cannot suffer from one.
    """

    database: Database
    path: Path

    async def load(self) -> KeptKeys:
        """All there is. Errors: `StorageFailed`."""
        if not self.path.exists():
            return KeptKeys(is_whole=not self._is_damaged())
        kept = await self.database.read(_load)
        self.database.note(None if kept.is_whole else UNREADABLE)
        # With the keys gone, the doors must not open to those who have none.
        is_whole = kept.is_whole and (bool(kept.keys) or not self._is_damaged())
        return attrs.evolve(kept, is_whole=is_whole)

    async def add(self, key: ClientKey) -> None:
        """Keep a new key. Errors: `StorageFailed`; then it is not kept."""
        await self.database.write(lambda connection: _add(connection, key))

    async def revoke(self, key_id: ClientKeyId, at: Instant) -> None:
        """Keep that a key opens nothing any more. Errors: `StorageFailed`."""
        await self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO revocations VALUES (?, ?) ON CONFLICT DO NOTHING", (key_id, at)
            ),
            frees=True,
        )

    async def note_uses(self, uses: Mapping[ClientKeyId, Instant]) -> None:
        """Keep when keys were last used. Errors: `StorageFailed`."""
        rows = tuple(uses.items())
        await self.database.write(
            lambda connection: connection.executemany(
                "INSERT INTO uses VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at",
                rows,
            )
        )

    def _is_damaged(self) -> bool:
        """Whether a file that held keys had to be put aside."""
        return any(self.path.parent.glob(f"{self.path.name}.corrupt-*"))


def _load(connection: sqlite3.Connection) -> KeptKeys:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM client_keys ORDER BY created_at")  # noqa: S608  a constant
    keys = [_key(row) for row in rows]
    return KeptKeys(
        keys=tuple(key for key in keys if key is not None),
        is_whole=None not in keys,
        revoked_at=dict(connection.execute("SELECT id, revoked_at FROM revocations")),
        last_used_at=dict(connection.execute("SELECT id, last_used_at FROM uses")),
    )


def _key(row: Sequence[str | float | None]) -> ClientKey | None:
    """The key that a row is; `None` where it is damaged: the others are good all the same."""
    try:
        return _read(row)
    except ValueError:
        return None


def _read(row: Sequence[str | float | None]) -> ClientKey:
    key_id, digest, name, criticality, scope, requests, tokens, created_at, expires_at = row
    return ClientKey(
        id=ClientKeyId(str(key_id)),
        digest=KeyDigest(str(digest)),
        name=str(name),
        criticality=Criticality(criticality),
        scope=KeyScope(scope),
        requests_per_minute=None if requests is None else int(requests),
        tokens_per_minute=None if tokens is None else int(tokens),
        created_at=None if created_at is None else Instant(float(created_at)),
        expires_at=None if expires_at is None else Instant(float(expires_at)),
    )


def _add(connection: sqlite3.Connection, key: ClientKey) -> None:
    connection.execute(
        f"INSERT INTO client_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  a constant
        (
            key.id,
            key.digest.reveal(),
            key.name,
            key.criticality.value,
            key.scope.value,
            key.requests_per_minute,
            key.tokens_per_minute,
            key.created_at,
            key.expires_at,
        ),
    )
