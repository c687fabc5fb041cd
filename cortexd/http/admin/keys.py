"""GET and POST /admin/keys, DELETE /admin/keys/{id}: the keys of clients."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from cortexd.actors.client_keys import (
    CLIENT_KEYS,
    ClientKeyNotFound,
    ClientKeys,
    TooManyClientKeys,
)
from cortexd.actors.new_client_key import KeyWishes
from cortexd.actors.published import Published
from cortexd.domain.client_key import ClientKeyId, KeyScope
from cortexd.domain.criticality import Criticality
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.operation import read_fields, read_limit, read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.client_keys import HeldKey, KeyTable
from cortexd.wire.fields import INVALID_VALUE, Fields, refuse
from supervisor_tree import whereis

NAME_CHARACTERS_MAX: Final = 200
PER_MINUTE_MAX: Final = 10**9
EXPIRES_IN_S_MAX: Final = 100 * 366 * 86_400
PAGE_KEYS: Final = 100
PAGE_KEYS_MAX: Final = 1_000

_TAKEN: Final = frozenset(
    {
        "name",
        "class",
        "scope",
        "requests_per_minute",
        "tokens_per_minute",
        "expires_in_seconds",
    }
)


@attrs.frozen(kw_only=True)
class KeysAdmin:
    """The handlers. What a key looks like is in `_document`."""

    table: Published[KeyTable]
    wall_clock: Callable[[], float]

    async def list(self, request: DoorRequest) -> tuple[int, Any]:
        """All keys, also those that open nothing any more. `cursor` is the last page's."""
        query = read_query(request, "limit", "cursor")
        limit = read_limit(query, default=PAGE_KEYS, most=PAGE_KEYS_MAX)
        held = tuple(self.table.value.keys.values())
        start = _start(held, query.get("cursor"))
        page = held[start : start + limit]
        more = start + limit < len(held)
        return 200, {
            "items": [self._document(each) for each in page],
            "total": len(held),
            "next_cursor": page[-1].key.id if more else None,
        }

    async def create(self, request: DoorRequest) -> tuple[int, Any]:
        """Make a key. `key` and `hmac` are told now and never again."""
        wishes = _wishes(read_fields(request))
        try:
            new = await whereis(CLIENT_KEYS).call_deferred(ClientKeys.create, wishes)
        except TooManyClientKeys as error:
            raise RequestRefused(str(error), code="too_many_keys", status=409) from error
        document = self._document(self.table.value.keys[new.key.id])
        hmac = new.key.digest.reveal()
        return 201, {**document, "hmac": hmac, "key": new.text.reveal()}

    async def revoke(self, request: DoorRequest) -> tuple[int, Any]:
        """Have a key open nothing any more, also one of the configuration."""
        key_id = ClientKeyId(request.params["id"])
        try:
            held = await whereis(CLIENT_KEYS).call_deferred(ClientKeys.revoke, key_id)
        except ClientKeyNotFound as error:
            message = "there is no such key; GET /admin/keys lists those there are"
            raise RequestRefused(message, code="not_found", status=404) from error
        return 200, self._document(held)

    def _document(self, held: HeldKey) -> dict[str, Any]:
        key = held.key
        used_on = _moment(held.last_used_at)
        return {
            "id": key.id,
            "name": key.name,
            "class": key.criticality.value,
            "scope": key.scope.value,
            "state": key.state(self.wall_clock()).value,
            "created_at": _moment(key.created_at),
            "expires_at": _moment(key.expires_at),
            "revoked_at": _moment(key.revoked_at),
            "last_used_on": None if used_on is None else used_on[: len("2026-01-31")],
            "requests_per_minute": key.requests_per_minute,
            "tokens_per_minute": key.tokens_per_minute,
            "source": key.source.value,
        }


def _wishes(fields: Fields) -> KeyWishes:
    fields.only(_TAKEN, {})
    return KeyWishes(
        name=fields.text("name", characters_max=NAME_CHARACTERS_MAX) or "",
        criticality=_choice(fields, "class", Criticality, Criticality.NORMAL),
        scope=_choice(fields, "scope", KeyScope, KeyScope.CHAT),
        requests_per_minute=fields.integer("requests_per_minute", low=1, high=PER_MINUTE_MAX),
        tokens_per_minute=fields.integer("tokens_per_minute", low=1, high=PER_MINUTE_MAX),
        expires_in_s=fields.number("expires_in_seconds", low=1, high=EXPIRES_IN_S_MAX),
    )


def _choice(fields: Fields, name: str, kind: Any, default: Any) -> Any:
    given = fields.text(name, characters_max=NAME_CHARACTERS_MAX)
    if given is None:
        return default
    known = [each for each in kind if each.value == given]
    if not known:
        names = ", ".join(f'"{each.value}"' for each in kind)
        refuse(name, f"must be one of {names}", INVALID_VALUE)
    return known[0]


def _start(held: tuple[HeldKey, ...], cursor: str | None) -> int:
    """Where the page begins: behind the key that the last one ended with."""
    if cursor is None:
        return 0
    ids = [each.key.id for each in held]
    if cursor not in ids:
        refuse("cursor", "is not one that was given out here", INVALID_VALUE)
    return ids.index(ClientKeyId(cursor)) + 1


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
