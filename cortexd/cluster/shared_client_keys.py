"""What nodes tell each other of client keys: a hash in Redis that only grows, and its version.

A version is a new random word with each change, so that nobody takes an emptied Redis that has
been filled again for the one it knows. Nodes with another pepper have a hash of their own: their
keys would open nothing here.
"""

import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.redis_link import RedisLink
from cortexd.domain.client_key import KeyRecords
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.secret import Secret
from cortexd.wire.shared_client_key import (
    decode_key,
    decode_revocation,
    encode_key,
    encode_revocation,
    group_of,
)

BYTES_MAX: Final = 64 * 1024 * 1024
"""More than all keys of a node, with a revocation of each, take up in Redis."""

READ_S_MAX: Final = 2.0
"""Nobody waits for it, and it may be thousands of records."""

TOLD_AT_ONCE_MAX: Final = 500
VERSION_BYTES: Final = 16

_READ: Final = LuaScript("""
local version = ''
if redis.call('TYPE', KEYS[2]).ok == 'string' and redis.call('STRLEN', KEYS[2]) <= 64 then
    version = redis.call('GET', KEYS[2])
end
if version == ARGV[1] then
    return {'same'}
end
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
    return {'all', version, {}}
end
if redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0) > tonumber(ARGV[2]) then
    return {'too much'}
end
return {'all', version, redis.call('HGETALL', KEYS[1])}
""")
"""Keys: records, version. Arguments: the version that is known, how large the records may be."""

_TELL: Final = LuaScript("""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
    redis.call('UNLINK', KEYS[1])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], ARGV[1])
""")
"""Keys: records, version. Arguments: the new version, and records after their names."""


class RedisClientKeys:
    """The port `SharedClientKeys`."""

    def __init__(self, link: RedisLink, cluster: str, pepper: Secret) -> None:
        self._link = link
        self._pepper = pepper
        group = group_of(pepper)
        self._names = [
            name_of(cluster, "client-keys", group),
            name_of(cluster, "client-keys-version", group),
        ]

    async def changed_since(self, version: str | None) -> tuple[str, KeyRecords] | None:
        """All there is, unless it is known by its version. Errors: `SharedStoreFailed`."""
        known = "none yet" if version is None else version
        said = await self._link.run_script(
            _READ, self._names, [known, BYTES_MAX], limit_s=READ_S_MAX
        )
        match said:
            case [b"same"]:
                return None
            case [b"all", bytes(found), records]:
                return found.decode("latin-1"), self._decode(records)
        raise SharedStoreFailed("what is kept there are no client keys")

    async def tell(self, news: KeyRecords) -> None:
        """Add records. Errors: `SharedStoreFailed`; then some may be there, and others not."""
        records = self._encode(news)
        while some := list(islice(records, TOLD_AT_ONCE_MAX)):
            words: list[str | bytes] = [secrets.token_hex(VERSION_BYTES)]
            for name, record in some:
                words += name, record
            await self._link.run_script(_TELL, self._names, words)

    def _encode(self, news: KeyRecords) -> Iterator[tuple[str, bytes]]:
        for key in news.created.values():
            yield f"made:{key.id}", encode_key(key, self._pepper)
        for key_id, at in news.revoked_at.items():
            yield f"revoked:{key_id}", encode_revocation(key_id, at, self._pepper)

    def _decode(self, records: Any) -> KeyRecords:
        """What is right of it; a name says only which of two kinds a record is."""
        made, revoked = [], []
        for name, record in _pairs(records):
            if name.startswith(b"made:"):
                made.append(decode_key(record, self._pepper))
            else:
                revoked.append(decode_revocation(record, self._pepper))
        return KeyRecords(
            created={key.id: key for key in made if key is not None},
            revoked_at=dict(each for each in revoked if each is not None),
        )


def _pairs(records: Any) -> Iterator[tuple[bytes, bytes]]:
    """What a script says of a hash: names and values in turn."""
    words = iter(records)
    yield from zip(words, words, strict=True)
