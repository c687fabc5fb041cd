"""How a client key is made on this node: what is wished for, and the key with its only text."""

import secrets
from collections.abc import Container

import attrs

from cortexd.domain.client_key import (
    ID_ALPHABET,
    ID_CHARACTERS,
    SECRET_BYTES,
    ClientKey,
    ClientKeyId,
    Instant,
    KeyScope,
    digest_of,
    read_key,
    write_key,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.secret import Secret


@attrs.frozen(kw_only=True)
class KeyWishes:
    """What a new key is to be like; see `ClientKey`. `expires_in_s` counts from now."""

    name: str = ""
    criticality: Criticality = Criticality.NORMAL
    scope: KeyScope = KeyScope.CHAT
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    expires_in_s: float | None = None


@attrs.frozen(kw_only=True)
class NewKey:
    """A key that has just been made; `text` is shown once and kept nowhere."""

    key: ClientKey
    text: Secret


def new_key(
    wishes: KeyWishes, *, taken: Container[ClientKeyId], pepper: Secret, now: float
) -> NewKey:
    """One whose id is not `taken`. `now`: seconds since 1970; `pepper`: see `digest_of`."""
    text = write_key(_new_id(taken), secrets.token_bytes(SECRET_BYTES))
    expires_in_s = wishes.expires_in_s
    parts = read_key(text)
    assert parts is not None  # noqa: S101  it was written above
    key = ClientKey(
        id=parts.id,
        digest=digest_of(parts.secret, pepper),
        name=wishes.name,
        criticality=wishes.criticality,
        scope=wishes.scope,
        requests_per_minute=wishes.requests_per_minute,
        tokens_per_minute=wishes.tokens_per_minute,
        created_at=Instant(now),
        expires_at=None if expires_in_s is None else Instant(now + expires_in_s),
    )
    return NewKey(key=key, text=Secret(text))


def _new_id(taken: Container[ClientKeyId]) -> ClientKeyId:
    while True:
        key_id = ClientKeyId("".join(secrets.choice(ID_ALPHABET) for _ in range(ID_CHARACTERS)))
        if key_id not in taken:
            return key_id
