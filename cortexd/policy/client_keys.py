"""Which key opens a door: a look-up in a table that is never changed, only replaced.

Rule of this file: what an unknown key and a wrong secret cost is the same, so that nobody can tell
by the time which ids there are.
"""

import hmac
from collections.abc import Iterable, Mapping
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyDigest,
    KeyScope,
    KeyState,
    digest_of,
    read_key,
)
from cortexd.domain.secret import Secret
from cortexd.policy.rate_limit import Allowance, LimitSettings, allowance, allowance_of

_NOBODYS: Final = KeyDigest("0" * 64)


@attrs.define(eq=False)
class HeldKey:
    """A key of the table, and what its use leaves behind."""

    key: ClientKey
    allowance: Allowance
    last_used_at: Instant | None = None


@attrs.frozen(kw_only=True, eq=False)
class KeyTable:
    """All keys of the node, also those that open nothing any more.

    `is_complete`: the keys that the node has made are among them; false until they could be read.
    """

    keys: Mapping[ClientKeyId, HeldKey] = attrs.Factory(dict)
    anonymous: Allowance = attrs.Factory(Allowance)
    is_complete: bool = True

    has_chat_keys: bool = attrs.field(init=False)
    """Whether clients need one. A key that was revoked counts: losing the last one opens no door.
    So do those that could not be read yet."""

    @has_chat_keys.default
    def _any_chat_key(self) -> bool:
        chats = any(held.key.scope is KeyScope.CHAT for held in self.keys.values())
        return chats or not self.is_complete


@unique
class Rejection(Enum):
    """Why a key opens nothing; for the operator's eyes, never for those who tried."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong_secret"  # noqa: S105  a reason
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_READ = "not_read"


@attrs.frozen
class Rejected:
    """A credential that is no key of this node, or no longer. `key_id`: whose it claims to be."""

    reason: Rejection
    key_id: ClientKeyId | None = None


_BY_STATE: Final = {
    KeyState.REVOKED: Rejection.REVOKED,
    KeyState.EXPIRED: Rejection.EXPIRED,
}


def find_key(table: KeyTable, text: str, *, pepper: Secret, now: float) -> HeldKey | Rejected:
    """The key that `text` is. `now` is in seconds since 1970."""
    parts = read_key(text)
    if parts is None:
        return Rejected(Rejection.MALFORMED)
    held = table.keys.get(parts.id)
    kept = _NOBODYS if held is None else held.key.digest
    given = digest_of(parts.secret, pepper)
    is_right = hmac.compare_digest(given.reveal(), kept.reveal())
    if held is None:
        # It may be one of those that could not be read yet.
        reason = Rejection.UNKNOWN if table.is_complete else Rejection.NOT_READ
        return Rejected(reason, parts.id)
    if not is_right:
        return Rejected(Rejection.WRONG_SECRET, parts.id)
    state = held.key.state(now)
    return held if state is KeyState.ACTIVE else Rejected(_BY_STATE[state], parts.id)


def key_table(
    keys: Iterable[ClientKey],
    limits: LimitSettings,
    before: KeyTable,
    *,
    last_used_at: Mapping[ClientKeyId, Instant],
    is_complete: bool = True,
) -> KeyTable:
    """The table of these keys. What each had spent in the table `before` stays spent.

    Of two keys with one id the first counts.
    """
    held: dict[ClientKeyId, HeldKey] = {}
    for key in keys:
        if key.id not in held:
            held[key.id] = _held(key, limits, before, last_used_at.get(key.id))
    anonymous = allowance(limits.anonymous_requests_per_minute, limits.anonymous_tokens_per_minute)
    return KeyTable(
        keys=held, anonymous=_kept(before.anonymous, anonymous), is_complete=is_complete
    )


def _held(
    key: ClientKey, limits: LimitSettings, before: KeyTable, last_used_at: Instant | None
) -> HeldKey:
    fresh, known = allowance_of(key, limits), before.keys.get(key.id)
    if known is None:
        return HeldKey(key, fresh, last_used_at)
    return HeldKey(key, _kept(known.allowance, fresh), known.last_used_at or last_used_at)


def _kept(before: Allowance, fresh: Allowance) -> Allowance:
    """The same as before, unless its limits are others now."""
    return before if before.limits == fresh.limits else fresh
