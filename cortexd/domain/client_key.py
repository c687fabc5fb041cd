"""The keys of clients: their text, and what a node keeps of them.

A key reads `cx_live_<id>_<secret>_<check>`: eight letters or digits that may be shown and logged,
32 random bytes in base64url, and the CRC-32 of all before it, by which a slip of the pen is told
from a guess. Only a HMAC of the secret is kept. That is enough: nobody can try out 256 random bits,
so there is no need of the slow hashes that passwords want.
"""

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Mapping
from enum import Enum, unique
from typing import Final, NewType

import attrs
from attrs import validators

from cortexd.domain.criticality import Criticality
from cortexd.domain.secret import Secret

ClientKeyId = NewType("ClientKeyId", str)
"""The part of a key that is no secret: eight lower-case letters or digits."""

Instant = NewType("Instant", float)
"""A moment, in seconds since 1970."""

ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_CHARACTERS: Final = 8
SECRET_BYTES: Final = 32

_HEAD: Final = "cx_live_"
_ID: Final = re.compile(r"[a-z0-9]{8}")
_TEXT: Final = re.compile(r"cx_live_([a-z0-9]{8})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


LIMIT: Final = validators.optional(validators.ge(1))


class KeyDigest(Secret):
    """The HMAC-SHA256 of a key's secret, as 64 hexadecimal digits. Nobody gets a key out of it."""


@unique
class KeyScope(Enum):
    """What a key opens: the doors for clients, or the metrics and nothing else."""

    CHAT = "chat"
    METRICS = "metrics"


@unique
class KeyState(Enum):
    """Whether a key still opens anything."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


@unique
class KeySource(Enum):
    """Where a key comes from: the configuration, or the admin API."""

    CONFIG = "config"
    CREATED = "created"


@attrs.frozen
class KeyText:
    """The parts of a key that has no slip in it; `secret` may still be wrong."""

    id: ClientKeyId
    secret: Secret


@attrs.frozen(kw_only=True)
class ClientKey:
    """What is kept of a key. Limits are per minute, `None` for those of its class."""

    id: ClientKeyId
    digest: KeyDigest
    name: str = ""
    criticality: Criticality = Criticality.NORMAL
    scope: KeyScope = KeyScope.CHAT
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    created_at: Instant | None = None
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    source: KeySource = KeySource.CREATED

    def state(self, now: float) -> KeyState:
        """How it stands at `now`, in seconds since 1970."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and now >= self.expires_at:
            return KeyState.EXPIRED
        return KeyState.ACTIVE


@attrs.frozen(kw_only=True)
class KeyRecords:
    """What nodes tell each other of keys: those that were made, and which were revoked, and when.

    Neither is ever taken back, so that it does not matter who hears what first.
    """

    created: Mapping[ClientKeyId, ClientKey] = attrs.Factory(dict)
    revoked_at: Mapping[ClientKeyId, Instant] = attrs.Factory(dict)

    def beyond(self, known: "KeyRecords") -> "KeyRecords":
        """What of it is news to who knows that."""
        return KeyRecords(
            created={id_: key for id_, key in self.created.items() if id_ not in known.created},
            revoked_at={
                id_: at for id_, at in self.revoked_at.items() if id_ not in known.revoked_at
            },
        )

    def __bool__(self) -> bool:
        return bool(self.created or self.revoked_at)


@attrs.frozen(kw_only=True)
class ClientKeySettings:
    """One of the [[keys]] in cortexd.toml. Limits are per minute, `None` for those of its class."""

    id: ClientKeyId
    hmac: KeyDigest
    class_: Criticality = Criticality.NORMAL
    scope: KeyScope = KeyScope.CHAT
    name: str = ""
    requests_per_minute: int | None = attrs.field(default=None, validator=LIMIT)
    tokens_per_minute: int | None = attrs.field(default=None, validator=LIMIT)
    expires: Instant | None = None

    @property
    def key(self) -> ClientKey:
        """The key that is meant."""
        return ClientKey(
            id=self.id,
            digest=self.hmac,
            name=self.name,
            criticality=self.class_,
            scope=self.scope,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            expires_at=self.expires,
            source=KeySource.CONFIG,
        )


def is_key_id(text: str) -> bool:
    """Whether a key could have this id."""
    return _ID.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether this could be the HMAC of a secret."""
    return _DIGEST.fullmatch(text) is not None


def read_key(text: str) -> KeyText | None:
    """The parts of a key, `None` for what is none or has a slip in it."""
    match = _TEXT.fullmatch(text)
    if match is None or _check(text[:-9]) != match[3]:
        return None
    return KeyText(ClientKeyId(match[1]), Secret(match[2]))


def write_key(key_id: ClientKeyId, secret: bytes) -> str:
    """The whole key, for the one time that it is shown. `secret`: SECRET_BYTES random bytes."""
    body = f"{_HEAD}{key_id}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    return f"{body}_{_check(body)}"


def digest_of(secret: Secret, pepper: Secret) -> KeyDigest:
    """What is kept of a secret. `pepper`: the node's own secret, kept apart from the digests."""
    code = hmac.digest(pepper.reveal().encode(), secret.reveal().encode(), hashlib.sha256)
    return KeyDigest(code.hex())


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
