"""A client key, or the end of one, as nodes tell each other: signed with the pepper they share.

There is no key in it, only what tells a right one: a HMAC under the same pepper. Without the
signature, whoever can write to Redis could give a key of theirs another class, or revoke any.
"""

import hashlib
import hmac
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyDigest,
    KeyScope,
    is_digest,
    is_key_id,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.secret import Secret

RECORD_BYTES_MAX: Final = 4096
NAME_CHARACTERS_MAX: Final = 1000
PER_MINUTE_MAX: Final = 10**12
INSTANT_MAX: Final = 1e11
"""Some thousand years."""

T = TypeVar("T")

_MADE: Final = b"cortexd client key 1"
_REVOKED: Final = b"cortexd client key revoked 1"
_GROUP: Final = b"cortexd client keys 1"
_SEAL_BYTES: Final = 32
_GROUP_CHARACTERS: Final = 16

_Instant: TypeAlias = Annotated[float, Meta(ge=0, le=INSTANT_MAX)]
_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=PER_MINUTE_MAX)]


class _Key(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    id: str
    digest: str
    name: Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]
    class_: Criticality
    scope: KeyScope
    requests_per_minute: _Limit | None
    tokens_per_minute: _Limit | None
    created_at: _Instant | None
    expires_at: _Instant | None


class _Revocation(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    id: str
    at: _Instant


_ENCODER: Final = msgspec.msgpack.Encoder()
_KEYS: Final = msgspec.msgpack.Decoder(_Key)
_REVOCATIONS: Final = msgspec.msgpack.Decoder(_Revocation)


def group_of(pepper: Secret) -> str:
    """Under what name nodes of the same pepper find each other's keys."""
    return _seal(pepper, _GROUP, b"").hex()[:_GROUP_CHARACTERS]


def encode_key(key: ClientKey, pepper: Secret) -> bytes:
    """The record of a key that was made."""
    row = _Key(
        key.id,
        key.digest.reveal(),
        key.name,
        key.criticality,
        key.scope,
        key.requests_per_minute,
        key.tokens_per_minute,
        key.created_at,
        key.expires_at,
    )
    return _sealed(pepper, _MADE, _ENCODER.encode(row))


def decode_key(record: bytes, pepper: Secret) -> ClientKey | None:
    """The key, `None` if no node of this pepper has told of it."""
    row = _read(_KEYS, _opened(pepper, _MADE, record))
    if row is None or not (is_key_id(row.id) and is_digest(row.digest)):
        return None
    return ClientKey(
        id=ClientKeyId(row.id),
        digest=KeyDigest(row.digest),
        name=row.name,
        criticality=row.class_,
        scope=row.scope,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        created_at=None if row.created_at is None else Instant(row.created_at),
        expires_at=None if row.expires_at is None else Instant(row.expires_at),
    )


def encode_revocation(key_id: ClientKeyId, at: Instant, pepper: Secret) -> bytes:
    """The record of a key that opens nothing any more."""
    return _sealed(pepper, _REVOKED, _ENCODER.encode(_Revocation(key_id, at)))


def decode_revocation(record: bytes, pepper: Secret) -> tuple[ClientKeyId, Instant] | None:
    """Which key was revoked, and when; `None` if no node of this pepper has told of it."""
    row = _read(_REVOCATIONS, _opened(pepper, _REVOKED, record))
    if row is None or not is_key_id(row.id):
        return None
    return ClientKeyId(row.id), Instant(row.at)


def _read(decoder: msgspec.msgpack.Decoder[T], data: bytes | None) -> T | None:
    try:
        return None if data is None else decoder.decode(data)
    except (ValueError, RecursionError):
        # ValueError is the root of msgspec's errors.
        return None


def _sealed(pepper: Secret, label: bytes, data: bytes) -> bytes:
    return _seal(pepper, label, data) + data


def _opened(pepper: Secret, label: bytes, record: bytes) -> bytes | None:
    if len(record) > RECORD_BYTES_MAX:
        return None
    seal, data = record[:_SEAL_BYTES], record[_SEAL_BYTES:]
    return data if hmac.compare_digest(seal, _seal(pepper, label, data)) else None


def _seal(pepper: Secret, label: bytes, data: bytes) -> bytes:
    """`label`: what it is about, so that no record passes for one of another kind."""
    return hmac.digest(pepper.reveal().encode(), label + b"\0" + data, hashlib.sha256)
